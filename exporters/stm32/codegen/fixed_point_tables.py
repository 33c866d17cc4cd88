"""Integer tables of the C frontend in fixed point (`AED_FIXED_POINT`), for MCUs without a floating point unit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import log2, log10
from typing import Any

import numpy as np
import numpy.typing as npt

from labeltool.audio.device.device_tables import fft_tables, mel_bands
from labeltool.audio.frontend import LogMelFrontend
from labeltool.exporters.stm32.codegen.c_text import c_array, c_float
from labeltool.exporters.stm32.tflite.summary import TensorFormat

LOG2_SEGMENTS = 32
MEL_SCALE = 2.0**32
"""The scale of the float version's mel coefficients, undone here."""
DECIBELS_PER_OCTAVE = 10 * log2(10) ** -1
"""10 log10(x) = 3.01 log2(x)."""

# The factors of the FFT have 16 bits, so a full-scale tone leaves traces in other bands, 100 dB and more below it. With
# a floor near these, features would differ by more than one step.
_LOWEST_FLOOR_DB = -87.0
# The squares of the spectrum have 15 bits less, and the windowed samples 28 bits.
_POWER_BITS = 2 * 28 - 15
# Each frame is scaled up by at most 2^15, which fills the 16 bits of a sample; the sums have 62 bits.
_MAX_SHIFT, _SUM_BITS = 15, 62


@dataclass(frozen=True, slots=True)
class FixedTables:
    """Tables and constants of the frontend in fixed point.

    Attributes
    ----------
    window : (n_fft // 2 + 1,) uint16
        First half of the window, with its middle, in 2^-15.
    mel_coefficients : (n,) uint16
        Band after band, in 2^-`mel_bits`.
    twiddles, joints
        Factors of the FFT in 2^-15, real and imaginary in turn, int16; the first butterfly of each stage has none.
    log2 : (LOG2_SEGMENTS + 1,) uint16
        log2 of 1 to 2, in 2^-15.
    bits
        A mel power of a frame that is not scaled up is a sum times 2^-`bits`.
    floor
        The floor as such a sum.
    max_shift
        Frames are scaled up by at most this power of two, so that their sums and the floor fit into 63 bits.
    """

    window: npt.NDArray[np.uint16]
    mel_coefficients: npt.NDArray[np.uint16]
    twiddles: npt.NDArray[np.int16]
    joints: npt.NDArray[np.int16]
    log2: npt.NDArray[np.uint16]
    bits: int
    floor: int
    max_shift: int


@lru_cache(maxsize=8)
def fixed_tables(frontend: LogMelFrontend) -> FixedTables:
    """Return the tables of a frontend without a `fixed_point_problem`."""
    half = frontend.n_fft // 2
    mels = mel_bands(frontend)
    coefficients = mels.coefficients.astype(np.float64) * MEL_SCALE
    largest = max(float(band.sum(dtype=np.float64)) for _, band in mels.bands()) * MEL_SCALE
    mel_bits = 14 - int(np.floor(log2(largest)))  # the sum of a band stays below 2^15
    bits = mel_bits + _POWER_BITS + 2 - 2 * int(log2(half))
    floor = max(1, round(frontend.floor * 2.0**bits))
    fft = fft_tables(frontend.n_fft)
    return FixedTables(
        window=np.rint(frontend.window()[: half + 1].astype(np.float64) * 2**15).astype(np.uint16),
        mel_coefficients=np.rint(coefficients * 2.0**mel_bits).astype(np.uint16),
        twiddles=np.concatenate([_q15(stage[1:].ravel()) for stage in fft.twiddles]),
        joints=_q15(fft.joints),
        log2=np.rint(np.log2(1 + np.arange(LOG2_SEGMENTS + 1) / LOG2_SEGMENTS) * 2**15).astype(np.uint16),
        bits=bits,
        floor=floor,
        max_shift=max(0, min(_MAX_SHIFT, (_SUM_BITS - floor.bit_length()) // 2)),
    )


def fixed_point_problem(frontend: LogMelFrontend) -> str:
    """Return why features in fixed point would not be within one int8 step; empty where they are.

    The floor must not be too far below full scale. Magnitudes of a band add up the traces that a loud tone leaves in
    each of its bins: 1e-5 of full scale, while floors of magnitudes are lower still.
    """
    if frontend.spectrum != "power" or frontend.frame_samples != frontend.n_fft:
        return "AED_FIXED_POINT is for powers of frames as long as the FFT alone"
    full_scale = (frontend.n_fft / 4) ** 2 * float(frontend.mel_filters().max())
    if 10 * log10(frontend.floor / full_scale) < _LOWEST_FLOOR_DB:
        return "the floor of this frontend is too low for AED_FIXED_POINT"
    return ""


def fixed_scale(frontend: LogMelFrontend, network_input: TensorFormat) -> int:
    """Return the codes of the network's input per octave, in 2^-16."""
    return round(DECIBELS_PER_OCTAVE / (frontend.scale_db * (network_input.scale or 1.0)) * 2**16)


def fixed_offset(frontend: LogMelFrontend) -> int:
    """Return the frontend's offset as log2, in 2^-16."""
    return round(frontend.offset_db / DECIBELS_PER_OCTAVE * 2**16)


def fixed_header(frontend: LogMelFrontend, network_input: TensorFormat) -> str:
    """Return the macros and declarations of the tables, for `aed_tables.h`."""
    if problem := fixed_point_problem(frontend):
        return f'#error "aed: {problem}"'
    tables = fixed_tables(frontend)
    macros = {
        "BITS": f"({tables.bits})",
        "FLOOR": f"(UINT64_C({tables.floor}))",
        "MAX_SHIFT": f"({tables.max_shift}U)",
        "SCALE": f"({fixed_scale(frontend, network_input)})",
        "OFFSET": f"({fixed_offset(frontend)})",
        "DB": f"({c_float(DECIBELS_PER_OCTAVE / 2**16)})",
    }
    return "\n".join(
        (
            "/* A mel power is a sum in the C code times 2^-BITS; FLOOR is such a sum. Frames are scaled up by",
            "   MAX_SHIFT bits at most. SCALE: codes per octave of power; OFFSET: octaves; both in 2^-16. DB: decibels",
            "   of 2^-16 octaves. */",
            *(f"#define AED_FIXED_{name:<9} {value}" for name, value in macros.items()),
            "",
            "/* As for the float version, in 2^-15, without the factors 1 of each stage; log2 of 1 to 2. */",
            "extern const uint16_t aed_fixed_window[AED_N_FFT / 2 + 1];",
            f"extern const uint16_t aed_fixed_mel_coefficients[{len(tables.mel_coefficients)}];",
            f"extern const int16_t aed_fixed_twiddles[{len(tables.twiddles)}];",
            "extern const int16_t aed_fixed_joints[AED_N_FFT / 2];",
            f"extern const uint16_t aed_fixed_log2[{LOG2_SEGMENTS + 1}];",
        )
    )


def fixed_source(frontend: LogMelFrontend) -> str:
    """Return the definitions of the tables, for `aed_tables.c`."""
    tables = fixed_tables(frontend)
    arrays: dict[str, npt.NDArray[np.integer[Any]]] = {
        "uint16_t aed_fixed_window": tables.window.astype(np.uint32),
        "uint16_t aed_fixed_mel_coefficients": tables.mel_coefficients.astype(np.uint32),
        "int16_t aed_fixed_twiddles": tables.twiddles,
        "int16_t aed_fixed_joints": tables.joints,
        "uint16_t aed_fixed_log2": tables.log2.astype(np.uint32),
    }
    return "\n".join(c_array(f"const {name}", values) for name, values in arrays.items())


def _q15(numbers: npt.NDArray[np.complex64]) -> npt.NDArray[np.int16]:
    values = np.ascontiguousarray(numbers).view(np.float32).astype(np.float64)
    return np.clip(np.rint(values * 2**15), -(2**15), 2**15 - 1).astype(np.int16)
