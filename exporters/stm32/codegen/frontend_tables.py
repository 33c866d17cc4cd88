"""`aed_tables.c` and `.h`: what the C front end and clip rule of the package need to know of the model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from labeltool.audio.frontend import Frontend
from labeltool.errors import LabeltoolError
from labeltool.exporters.stm32.codegen.c_text import c_array, c_float, c_string
from labeltool.exporters.stm32.codegen.st_mel_tables import without_zeros
from labeltool.exporters.stm32.tflite.summary import Network
from labeltool.networks.model_folder import ModelFiles
from labeltool.networks.postprocessing import POOLINGS
from labeltool.type_aliases import Float32, Float64, Int64

RUN_VERSION = 1
"""Version of the lines that `aed_run` and firmware print."""

_N_FFT = (16, 2048)

# Samples are not divided by 32768 on the chip, and the FFT leaves powers four times too large: a power of two, so the
# coefficients absorb both without rounding.
_POWER_SCALE = np.float32(2.0**-32)

_HEADER = """\
/* What aed_preproc.c and aed_postproc.c know of the model; generated, do not edit. */
#ifndef AED_TABLES_H
#define AED_TABLES_H

#include <stdint.h>

{defines}

/* The first half of the window and its middle. */
extern const float aed_window[AED_N_FFT / 2 + 1];

/* Mel filters, band after band: band i weighs aed_mel_lengths[i] bins of the spectrum from aed_mel_starts[i] on. */
extern const float aed_mel_coefficients[{coefficients}];
extern const uint16_t aed_mel_starts[AED_N_MELS];
extern const uint16_t aed_mel_lengths[AED_N_MELS];

#ifndef AED_USE_CMSIS_DSP
/* Whether the FFT's first stage is of radix 2. */
#define AED_FFT_BEGINS_WITH_PAIRS {pairs}
/* Where the FFT wants each complex input. */
extern const uint16_t aed_fft_places[AED_N_FFT / 2];
/* Three factors (real, imaginary) for each butterfly of each stage, in the order they are used. */
extern const float aed_fft_twiddles[{twiddles}];
/* Factors that join the spectra of even and odd samples, from bin 1 on. */
extern const float aed_fft_joints[AED_N_FFT / 2];
#endif

/* The labels, in the order of the network's outputs, as UTF-8. */
extern const char *const aed_labels[AED_LABELS];

#endif
"""


@dataclass(frozen=True, slots=True)
class FftTables:
    """The chip's FFT of `n_fft` real samples by `n_fft // 2` complex points, radix 4, decimation in time.

    Attributes
    ----------
    begins_with_pairs
        Whether the first stage is of radix 2.
    places : (n_fft // 2,) uint16
        Where each complex input stands before the first stage.
    twiddles
        For each stage of radix 4, (butterflies, 3) complex64.
    joints : (n_fft // 4,) complex64
        Factors of bins 1, 2, ... that join the spectra of even and odd samples.
    """

    begins_with_pairs: bool
    places: npt.NDArray[np.uint16]
    twiddles: tuple[npt.NDArray[np.complex64], ...]
    joints: npt.NDArray[np.complex64]


@dataclass(frozen=True, slots=True)
class MelTables:
    """Mel filters without their zeros, scaled for powers of unscaled samples, four times over.

    Attributes
    ----------
    coefficients : (n,) float32
        Band after band.
    starts, lengths : (n_mels,) uint16
        The first bin of each band and how many it weighs; an empty band weighs none.
    """

    coefficients: Float32
    starts: npt.NDArray[np.uint16]
    lengths: npt.NDArray[np.uint16]

    def bands(self) -> list[tuple[int, Float32]]:
        """Return each band's first bin and its coefficients."""
        ends = np.concatenate([[0], np.cumsum(self.lengths, dtype=np.int64)])
        return [
            (int(start), self.coefficients[first:last])
            for start, (first, last) in zip(self.starts, pairwise(ends), strict=True)
        ]


def check_frontend(frontend: Frontend) -> None:
    """Refuse a frontend that the chip's C cannot compute.

    Raises
    ------
    LabeltoolError
        When it hears plain samples or by a borrowed ear, or the FFT is no power of two from 16 to 2048.
    """
    if frontend.kind == "embedding":
        raise LabeltoolError(
            "this network hears by a borrowed one, which no chip of this kind holds",
            remedy="`labeltool retrain --arch miniresnet --teacher NAME` lets it teach one that a chip holds",
        )
    if frontend.kind != "log-mel":
        raise LabeltoolError(
            "the package's C makes log-mels, and this network takes plain samples",
            remedy="choose another architecture, or export --int8 alone",
        )
    least, most = _N_FFT
    if frontend.n_fft & (frontend.n_fft - 1) or not least <= frontend.n_fft <= most:
        raise LabeltoolError(
            f"the chip's FFT needs a length that is a power of two from {least} to {most}, not {frontend.n_fft}"
        )


@lru_cache(maxsize=8)
def fft_tables(n_fft: int) -> FftTables:
    """Return the tables of an FFT; `n_fft` is a power of two, at least 16."""
    points = n_fft // 2
    begins_with_pairs = points.bit_length() % 2 == 0
    places = np.empty(points, np.uint16)
    places[_input_order(points)] = np.arange(points, dtype=np.uint16)
    twiddles = []
    size = 2 if begins_with_pairs else 1
    while size < points:
        turns = np.outer(np.arange(size), (1, 2, 3)) / (4 * size)
        twiddles.append(_on_the_circle(turns))
        size *= 4
    return FftTables(begins_with_pairs, places, tuple(twiddles), _on_the_circle(np.arange(1, points // 2 + 1) / n_fft))


@lru_cache(maxsize=8)
def mel_bands(frontend: Frontend) -> MelTables:
    """Return a frontend's mel filters as the chip walks them."""
    coefficients, starts, lengths = without_zeros(frontend.mel_filters())
    return MelTables(coefficients * _POWER_SCALE, starts.astype(np.uint16), lengths.astype(np.uint16))


def front_end_bytes(frontend: Frontend) -> dict[str, int]:
    """Count the RAM of `aed_preproc` and the flash of its tables, bytes; the patch is its ring of log-mel frames."""
    mel, fft = mel_bands(frontend), fft_tables(frontend.n_fft)
    factors = sum(stage.nbytes for stage in fft.twiddles) + fft.joints.nbytes
    return {
        "patch": 4 * frontend.n_mels * frontend.patch_frames,
        "beside_the_patch": 2 * frontend.n_fft + 4 * (frontend.n_fft + 2) + 4 * frontend.patch_frames + 16,
        "tables_in_flash": 4 * (frontend.n_fft // 2 + 1)
        + sum(array.nbytes for array in (mel.coefficients, mel.starts, mel.lengths, fft.places))
        + factors,
    }


def definitions(model: ModelFiles, network: Network) -> dict[str, str]:
    """Return the macros, less their prefix `AED_`, for which ST's application has no names of its own."""
    frontend = model.frontend
    return {
        "FRONTEND_FINGERPRINT": c_string(frontend.fingerprint),
        "LOG_FLOOR": f"({c_float(frontend.floor)})",
        "LOG_OFFSET_DB": f"({c_float(frontend.offset_db)})",
        "LOG_SCALE_DB": f"({c_float(frontend.scale_db)})",
        "PATCH_HOP": f"({frontend.patch_hop}U)",
        "PATCH_LESS_ITS_MEAN": f"({int(frontend.centred)})",
        "INPUT_SCALE": f"({c_float(network.input.scale or 0.0)})",
        "INPUT_ZERO_POINT": f"({network.input.zero_point})",
        "OUTPUT_SCALE": f"({c_float(network.output.scale or 0.0)})",
        "OUTPUT_ZERO_POINT": f"({network.output.zero_point})",
        "CLIP_LOUDNESS_EXPONENT": f"({c_float(model.rule.loudness_exponent)})",
        "CLIP_TEMPERATURE": f"({c_float(model.rule.temperature)})",
        "CLIP_POOLING": f"({POOLINGS.index(model.rule.pooling)})",
        "CLIP_SEVERAL": f"({int(model.rule.head == 'sigmoid')})",
        "CLIP_THRESHOLD": f"({c_float(model.rule.threshold)})",
        "BACKGROUND": f"({-1 if model.background is None else model.labels.index(model.background)})",
    }


def aed_tables(model: ModelFiles, network: Network, sha256: str) -> tuple[str, str]:
    """Return the C source and its header.

    Parameters
    ----------
    sha256
        Of the int8 model's file, hex.
    """
    frontend = model.frontend
    check_frontend(frontend)
    mel, fft = mel_bands(frontend), fft_tables(frontend.n_fft)
    header = (
        f"# aed_run {RUN_VERSION} model={sha256[:16]} labels={len(model.labels)} rate={frontend.sample_rate_hz} "
        f"patch_s={frontend.patch_s:g} patch_hop_s={frontend.patch_hop_s:g}"
    ) + (" head=sigmoid" if model.rule.head == "sigmoid" else "")
    values = {
        **definitions(model, network),
        "SAMPLE_RATE_HZ": f"({frontend.sample_rate_hz}U)",
        "N_FFT": f"({frontend.n_fft}U)",
        "HOP": f"({frontend.hop}U)",
        "N_MELS": f"({frontend.n_mels}U)",
        "PATCH_FRAMES": f"({frontend.patch_frames}U)",
        "LABELS": f"({len(model.labels)}U)",
        "RUN_HEADER": c_string(header, continued=True),
    }
    width = max(map(len, values))
    twiddles = _interleaved(np.concatenate([stage.ravel() for stage in fft.twiddles]))
    text = _HEADER.format(
        defines="\n".join(f"#define AED_{name:<{width}} {value}" for name, value in values.items()),
        coefficients=len(mel.coefficients),
        pairs=int(fft.begins_with_pairs),
        twiddles=len(twiddles),
    )
    labels = "".join(f"    {c_string(label)},\n" for label in model.labels)
    source = "\n".join(
        (
            '#include "aed_tables.h"\n',
            c_array("const float aed_window", frontend.window()[: frontend.n_fft // 2 + 1]),
            c_array("const float aed_mel_coefficients", mel.coefficients),
            c_array("const uint16_t aed_mel_starts", mel.starts.astype(np.uint32)),
            c_array("const uint16_t aed_mel_lengths", mel.lengths.astype(np.uint32)),
            "#ifndef AED_USE_CMSIS_DSP\n",
            c_array("const uint16_t aed_fft_places", fft.places.astype(np.uint32)),
            c_array("const float aed_fft_twiddles", twiddles),
            c_array("const float aed_fft_joints", _interleaved(fft.joints)),
            "#endif\n",
            f"const char *const aed_labels[AED_LABELS] = {{\n{labels}}};\n",
        )
    )
    return source, text


def _input_order(points: int) -> Int64:
    """Return which input stands at each place: every fourth one, one after the other, and so on within each quarter."""
    if points == 1:
        return np.zeros(1, np.int64)
    radix = 2 if points == 2 else 4
    part = _input_order(points // radix) * radix
    return np.concatenate([part + offset for offset in range(radix)])


def _on_the_circle(turns: Float64) -> npt.NDArray[np.complex64]:
    """Return exp(-2 pi i turns); quarters are exact, as sine and cosine are not there."""
    angle = 2.0 * np.pi * turns
    return np.asarray(np.round(np.cos(angle), 15) - 1j * np.round(np.sin(angle), 15), np.complex64)


def _interleaved(numbers: npt.NDArray[np.complex64]) -> Float32:
    return np.ascontiguousarray(numbers).view(np.float32)
