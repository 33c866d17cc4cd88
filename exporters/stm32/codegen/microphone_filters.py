"""Filters of the firmware's microphone: taps in 16 bits, and `microphone_taps.h` with them.

Both reduce the rate of the microphone to that of the model: from three times the rate (48 to 16 kHz), and from PDM with
64 bits for a sample. PDM goes through a CIC filter first (Hogenauer 1981), which takes `CIC_FACTOR` bits for a sample;
the filter after it makes up for the droop of the CIC.

Frequencies are in units of the model's rate: the pass band ends at 0.45 (7.2 kHz of 16 kHz), and the stop band begins
where aliases would reach it, at 0.55. The resampler of the training data, soxr's "HQ", ends its pass band at 0.456.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labeltool.exporters.stm32.codegen.c_text import c_array
from labeltool.type_aliases import Float64, Int16

PASS_BAND, STOP_BAND = 0.45, 0.55
"""Ends of the bands, in units of the model's rate."""

TAP_BITS = 16
"""Taps are integers; 2^16 stands for 1."""

CIC_FACTOR, CIC_ORDER = 16, 5
"""Bits for each sample of the CIC filter, and its number of integrators."""

TRIPLE_FACTOR, PDM_FACTOR = 3, 4
"""Decimation of the two filters: of PCM with three times the rate, and of the CIC's samples."""

_TRIPLE_TAPS, _PDM_TAPS = 144, 192
_BETA = 7.5  # Kaiser window: side lobes of -78 dB, below the rounding of the taps
_GRID = 1 << 14

_HEADER = """\
/* Taps of the microphone's filters, 2^16 for 1; generated, do not edit. Pass band to 0.45 of the model's rate, stop
   band from 0.55 on; from three times the rate: within {triple_ripple:.3f} dB and {triple_stop:.1f} dB; from PDM, with
   the CIC filter before it: {pdm_ripple:.3f} dB and {pdm_stop:.1f} dB. */
#ifndef MICROPHONE_TAPS_H
#define MICROPHONE_TAPS_H

#include <stdint.h>

#define TRIPLE_FACTOR {triple_factor}U
#define TRIPLE_TAPS {triple_taps}U
#define PDM_FACTOR {pdm_factor}U
#define PDM_TAPS {pdm_taps}U

{triple}
{pdm}
#endif
"""


def triple_rate_taps() -> Int16:
    """Return the taps of the filter from three times the model's rate, `(144,) int16`."""
    return _taps(_TRIPLE_TAPS, TRIPLE_FACTOR, np.ones(_GRID))


def pdm_taps() -> Int16:
    """Return the taps of the filter after the CIC, `(192,) int16`; they amplify what the CIC attenuates."""
    droop = cic_response(np.arange(_GRID) / _GRID / 2 * PDM_FACTOR)
    return _taps(_PDM_TAPS, PDM_FACTOR, 1.0 / droop)


def cic_response(frequency: Float64) -> Float64:
    """Return the gain of the CIC filter at frequencies in units of the model's rate."""
    turns = frequency / (PDM_FACTOR * CIC_FACTOR)
    return np.asarray((np.sinc(CIC_FACTOR * turns) / np.sinc(turns)) ** CIC_ORDER)


def response(taps: Int16, factor: int, frequency: Float64) -> Float64:
    """Return the gain of a filter at frequencies in units of the rate after it."""
    phases = np.exp(-2j * np.pi * np.outer(frequency / factor, np.arange(len(taps))))
    return np.asarray(np.abs(phases @ taps) / 2**TAP_BITS)


def microphone_taps_h() -> str:
    """Return the text of `microphone_taps.h`."""
    triple, pdm = triple_rate_taps(), pdm_taps()
    triple_ripple, triple_stop = bands(triple, TRIPLE_FACTOR)
    pdm_ripple, pdm_stop = bands(pdm, PDM_FACTOR, cic=True)
    return _HEADER.format(
        triple_ripple=triple_ripple,
        triple_stop=triple_stop,
        pdm_ripple=pdm_ripple,
        pdm_stop=pdm_stop,
        triple_factor=TRIPLE_FACTOR,
        triple_taps=len(triple),
        pdm_factor=PDM_FACTOR,
        pdm_taps=len(pdm),
        triple=c_array("static const int16_t triple_taps", triple),
        pdm=c_array("static const int16_t pdm_taps", pdm),
    )


def bands(taps: Int16, factor: int, *, cic: bool = False) -> tuple[float, float]:
    """Return the largest deviation from 0 dB in the pass band, and the largest gain in the stop band, both dB."""
    frequency = np.linspace(0.0, factor / 2, 4001)
    gain = response(taps, factor, frequency) * (cic_response(frequency) if cic else 1.0)
    decibels = 20 * np.log10(np.maximum(gain, 1e-9))
    return float(np.abs(decibels[frequency <= PASS_BAND]).max()), float(decibels[frequency >= STOP_BAND].max())


def _taps(count: int, factor: int, wanted: npt.NDArray[np.float64]) -> Int16:
    """Design a linear-phase low-pass by the window method; `wanted` is the gain from 0 to half the rate before it."""
    edge = (PASS_BAND + STOP_BAND) / 2 / (factor / 2)
    grid = np.arange(_GRID) / _GRID
    gain = np.where(grid < edge, wanted, 0.0)
    times = np.arange(count) - (count - 1) / 2
    ideal = np.cos(np.pi * np.outer(times, grid)) @ (gain * np.where(grid == 0, 0.5, 1.0)) / _GRID
    taps = ideal * np.kaiser(count, _BETA)
    return np.asarray(np.round(taps / taps.sum() * 2**TAP_BITS), np.int16)
