"""The firmware's microphone filters (`decimate.c`, `pdm.c`) in NumPy, with the same result to the bit."""

from __future__ import annotations

import numpy as np

from labeltool.exporters.stm32.codegen.microphone_filters import (
    CIC_FACTOR,
    CIC_ORDER,
    PDM_FACTOR,
    TAP_BITS,
    TRIPLE_FACTOR,
    pdm_taps,
    triple_rate_taps,
)
from labeltool.type_aliases import Int16, Int64

_CIC_BITS = 4 * CIC_ORDER  # its gain is CIC_FACTOR ** CIC_ORDER, 2^20
_SAMPLE = np.iinfo(np.int16)


def from_triple_rate(samples: Int16) -> Int16:
    """Reduce samples at three times the model's rate to the model's rate, `(n // 3,) int16`."""
    return _decimated(samples, triple_rate_taps(), TRIPLE_FACTOR)


def from_pdm(bits: np.ndarray, gain_bits: int = 0) -> Int16:
    """Convert bits (0 or 1) of a PDM microphone to samples, `(n // 64,) int16`.

    Parameters
    ----------
    gain_bits
        Samples are multiplied by 2 to this power, 0 to 5.
    """
    return _decimated(_cic(bits, gain_bits), pdm_taps(), PDM_FACTOR)


def _cic(bits: np.ndarray, gain_bits: int) -> Int16:
    """Return a sample for each `CIC_FACTOR` bits; the filter's impulse response is a box, `CIC_ORDER` times."""
    box = np.ones(CIC_FACTOR, np.int64)
    kernel = box
    for _ in range(CIC_ORDER - 1):
        kernel = np.convolve(kernel, box)
    signs = 2 * np.asarray(bits, np.int64) - 1
    sums = np.convolve(signs, kernel)[CIC_FACTOR - 1 : len(signs) : CIC_FACTOR]
    return _rounded(sums, _CIC_BITS - 15 - gain_bits)


def _decimated(samples: Int16, taps: Int16, factor: int) -> Int16:
    sums = np.convolve(samples.astype(np.int64), taps.astype(np.int64))[factor - 1 : len(samples) : factor]
    return _rounded(sums, TAP_BITS)


def _rounded(sums: Int64, bits: int) -> Int16:
    """Divide by 2^bits, to the nearest integer, halves upwards; clip to 16 bits."""
    rounded = (sums + (1 << bits >> 1)) >> bits
    return np.asarray(np.clip(rounded, _SAMPLE.min, _SAMPLE.max), np.int16)
