"""`aed_tables.c` and `.h`: the constants of a model that the C frontend and the rules of the package use."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labeltool.audio.device.device_tables import FftTables, MelTables, dc_bands, device_problem, fft_tables, mel_bands
from labeltool.audio.device.loudness_gate import gate_db
from labeltool.audio.frontend import EmbeddingFrontend, Frontend, LogMelFrontend
from labeltool.errors import LabeltoolError
from labeltool.exporters.stm32.codegen.c_text import c_array, c_float, c_identifiers, c_string
from labeltool.exporters.stm32.codegen.fixed_point_tables import fixed_header, fixed_point_problem, fixed_source
from labeltool.exporters.stm32.tflite.summary import Network
from labeltool.networks.model_card import ModelCard
from labeltool.networks.model_folder import ModelFiles
from labeltool.networks.postprocessing import POOLINGS
from labeltool.type_aliases import Float32

RUN_VERSION = 2
"""Version of the log format that `aed_run` and firmware print."""

_HEADER = """\
/* Constants of the model for aed_preproc.c, aed_postproc.c and aed_stream.c; generated, do not edit. */
#ifndef AED_TABLES_H
#define AED_TABLES_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {{
#endif

{defines}

/* Mel filters, band after band: band i has aed_mel_lengths[i] bins of the spectrum from aed_mel_starts[i] on. */
extern const uint16_t aed_mel_starts[AED_N_MELS];
extern const uint16_t aed_mel_lengths[AED_N_MELS];

/* Whether the first stage of the FFT is of radix 2. */
#define AED_FFT_BEGINS_WITH_PAIRS {pairs}
/* Position of each complex input of the FFT. */
extern const uint16_t aed_fft_places[AED_N_FFT / 2];

#ifdef AED_FIXED_POINT

{fixed}

#else

/* First half of the window, with its middle. */
extern const float aed_window[AED_WINDOW / 2 + 1];
extern const float aed_mel_coefficients[{coefficients}];
/* Three factors (real, imaginary) for each butterfly of each stage, in the order of use. */
extern const float aed_fft_twiddles[{twiddles}];
/* Factors that join the spectra of even and odd samples, from bin 1 on. */
extern const float aed_fft_joints[AED_N_FFT / 2];

#endif

/* Smoothed probability at which an event of each label begins. */
extern const float aed_thresholds[AED_LABELS];

/* The labels in the order of the network's outputs, UTF-8. */
extern const char *const aed_labels[AED_LABELS];

/* Index of each label in the network's outputs. */
enum aed_label {{
{labels}
}};

#ifdef __cplusplus
}}
#endif

#endif
"""


@dataclass(frozen=True, slots=True)
class FrontEndSize:
    """Memory of `aed_preproc`, bytes.

    Attributes
    ----------
    patch
        RAM of its ring of frames: log-mels, or their codes where no mean is subtracted.
    tables_in_flash
        Window, mel filters and FFT tables.
    """

    patch: int
    beside_the_patch: int
    tables_in_flash: int


def require_log_mel(frontend: Frontend) -> LogMelFrontend:
    """Return a frontend whose patches the C code can compute; its FFT is `check_frontend`'s to check.

    Raises
    ------
    LabeltoolError
        When its input is waveforms or the embeddings of a pretrained model.
    """
    if isinstance(frontend, EmbeddingFrontend):
        raise LabeltoolError(
            "the network needs a pretrained model for its embeddings, which does not fit on an MCU",
            remedy="train a network that fits: `labeltool retrain --arch miniresnet --teacher NAME`",
        )
    if not isinstance(frontend, LogMelFrontend):
        raise LabeltoolError(
            "the C code computes log-mel patches, and the network takes waveforms",
            remedy="choose another architecture, or export --int8 alone",
        )
    return frontend


def check_frontend(frontend: Frontend) -> None:
    """Refuse a frontend that the C code cannot compute.

    Raises
    ------
    LabeltoolError
        As `require_log_mel`, and where `device_problem` has a reason.
    """
    problem = device_problem(require_log_mel(frontend))
    if problem:
        raise LabeltoolError(problem, remedy="choose another frontend, or export --int8 alone")


def front_end_size(frontend: LogMelFrontend) -> FrontEndSize:
    """Count the RAM of `aed_preproc` and the flash of its tables."""
    mel, fft = mel_bands(frontend), fft_tables(frontend.n_fft)
    factors = sum(stage.nbytes for stage in fft.twiddles) + fft.joints.nbytes
    return FrontEndSize(
        patch=(4 if frontend.centred else 1) * frontend.n_mels * frontend.patch_frames,
        beside_the_patch=2 * frontend.n_fft + 4 * (frontend.n_fft + 2) + 8 * frontend.patch_frames + 16,
        tables_in_flash=4 * (frontend.frame_samples // 2 + 1)
        + sum(array.nbytes for array in (mel.coefficients, mel.starts, mel.lengths, fft.places))
        + factors,
    )


def model_macros(model: ModelFiles, network: Network) -> dict[str, str]:
    """Return macros (without their prefix `AED_`) and values of frontend, input, output and clip rule."""
    frontend = require_log_mel(model.frontend)
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
    """Return the texts of `aed_tables.c` and `aed_tables.h`."""
    frontend = require_log_mel(model.frontend)
    check_frontend(frontend)
    mel, fft = mel_bands(frontend), fft_tables(frontend.n_fft)
    header = (
        f"# aed_run {RUN_VERSION} model={sha256[:16]} labels={len(model.labels)} rate={frontend.sample_rate_hz} "
        f"patch_s={frontend.patch_s:g} patch_hop_s={frontend.patch_hop_s:g}"
    ) + (" head=sigmoid" if model.rule.head == "sigmoid" else "")
    values = {
        **model_macros(model, network),
        **_stream_macros(model.card, frontend),
        "SAMPLE_RATE_HZ": f"({frontend.sample_rate_hz}U)",
        "N_FFT": f"({frontend.n_fft}U)",
        "WINDOW": f"({frontend.frame_samples}U)",
        "MAGNITUDE": f"({int(frontend.spectrum == 'magnitude')})",
        "HOP": f"({frontend.hop}U)",
        "N_MELS": f"({frontend.n_mels}U)",
        "DC_BANDS": f"({dc_bands(frontend)}U)",
        "PATCH_FRAMES": f"({frontend.patch_frames}U)",
        "LABELS": f"({len(model.labels)}U)",
        "RUN_HEADER": c_string(header, continued=True),
    }
    width = max(map(len, values))
    text = _HEADER.format(
        defines="\n".join(f"#define AED_{name:<{width}} {value}" for name, value in values.items()),
        coefficients=len(mel.coefficients),
        pairs=int(fft.begins_with_pairs),
        twiddles=len(_twiddles(fft)),
        fixed=fixed_header(frontend, network.input),
        labels="\n".join(
            f"    {name} = {index}," for index, name in enumerate(c_identifiers("AED_LABEL_", model.labels))
        ),
    )
    return _tables_source(frontend, mel, fft, model.card), text


def _stream_macros(card: ModelCard, frontend: LogMelFrontend) -> dict[str, str]:
    """Return the constants of `aed_stream.c`."""
    rule = card.stream_rule
    return {
        "GATE_DB": f"({c_float(gate_db(frontend))})",
        "STREAM_GAIN": f"({c_float(rule.gain)})",
        "STREAM_RELEASE": f"({c_float(rule.release)})",
        "STREAM_HOLD_PATCHES": f"({rule.hold_patches}U)",
        "STREAM_MIN_PATCHES": f"({rule.min_patches}U)",
    }


def _tables_source(frontend: LogMelFrontend, mel: MelTables, fft: FftTables, card: ModelCard) -> str:
    label_lines = "".join(f"    {c_string(label)},\n" for label in card.labels)
    return "\n".join(
        (
            '#include "aed_tables.h"\n',
            c_array("const uint16_t aed_mel_starts", mel.starts.astype(np.uint32)),
            c_array("const uint16_t aed_mel_lengths", mel.lengths.astype(np.uint32)),
            c_array("const uint16_t aed_fft_places", fft.places.astype(np.uint32)),
            "#ifdef AED_FIXED_POINT\n",
            *([] if fixed_point_problem(frontend) else [fixed_source(frontend)]),
            "#else\n",
            c_array("const float aed_window", frontend.window()[: frontend.frame_samples // 2 + 1]),
            c_array("const float aed_mel_coefficients", mel.coefficients),
            c_array("const float aed_fft_twiddles", _twiddles(fft)),
            c_array("const float aed_fft_joints", _interleaved(fft.joints)),
            "#endif\n",
            c_array("const float aed_thresholds", np.array(card.stream_thresholds, np.float32)),
            f"const char *const aed_labels[AED_LABELS] = {{\n{label_lines}}};\n",
        )
    )


def _twiddles(fft: FftTables) -> Float32:
    return _interleaved(np.concatenate([stage.ravel() for stage in fft.twiddles]))


def _interleaved(numbers: npt.NDArray[np.complex64]) -> Float32:
    """Return real and imaginary parts in turn, `(2 * n,)`."""
    return np.ascontiguousarray(numbers).view(np.float32)
