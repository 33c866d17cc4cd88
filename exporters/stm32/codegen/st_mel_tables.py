"""`user_mel_tables.c` and `.h`: window and mel filters of the model's frontend under the names of ST's application."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from labeltool.audio.device.device_tables import without_zeros
from labeltool.audio.frontend import LogMelFrontend
from labeltool.errors import LabeltoolError
from labeltool.exporters.stm32.codegen.c_text import c_array
from labeltool.type_aliases import Float32

_RATES_HZ = (16_000, 48_000)

_HEADER = """\
/* Window and mel filters of labeltool frontend {fingerprint}; generated, do not edit. */
#ifndef USER_MEL_TABLES_H
#define USER_MEL_TABLES_H

#include <stdint.h>
{half}
#ifdef __cplusplus
extern "C" {{
#endif

/* The window, periodic Hann. */
extern const {number} user_win[{window}];

/* Filter coefficients, band after band: band i has the bins of the spectrum from user_melFiltersStartIndices[i] to
   user_melFiltersStopIndices[i], both included. */
extern const {number} user_melFiltersLut[{coefficients}];
extern const uint32_t user_melFiltersStartIndices[{bands}];
extern const uint32_t user_melFiltersStopIndices[{bands}];

#ifdef __cplusplus
}}
#endif

#endif
"""

# The type is the application's own; it is `float16_t` where the features are computed in half precision.
_HALF = """\
#include "preproc_dpu.h"
#ifndef PREPROC_FLOAT_T
#error "the application's preproc_dpu.h does not define PREPROC_FLOAT_T"
#endif
"""


@dataclass(frozen=True, slots=True)
class SparseFilters:
    """Mel filters without their zeros.

    Attributes
    ----------
    coefficients : (n,) float32
        Band after band.
    starts, stops : (n_mels,) uint32
        First and last bin of each band, both included.
    """

    coefficients: Float32
    starts: npt.NDArray[np.uint32]
    stops: npt.NDArray[np.uint32]


def sparse_filters(frontend: LogMelFrontend) -> SparseFilters:
    """Return the mel filters of a frontend as ST's code uses them.

    Raises
    ------
    LabeltoolError
        When ST's application cannot compute this frontend: its sample rate, its FFT length, or an empty mel band.
    """
    if frontend.sample_rate_hz not in _RATES_HZ:
        raise LabeltoolError(f"ST's application records at 16 or 48 kHz, the model needs {frontend.sample_rate_hz} Hz")
    if frontend.n_fft & (frontend.n_fft - 1):
        raise LabeltoolError(f"ST's application needs an FFT length that is a power of two, not {frontend.n_fft}")
    coefficients, starts, lengths = without_zeros(without_spoilt_bin(frontend.mel_filters()))
    empty = np.flatnonzero(lengths == 0)
    if len(empty):
        raise LabeltoolError(
            f"mel band {empty[0]} of the frontend is empty: it has no bin of a {frontend.n_fft}-sample FFT",
            remedy="use fewer bands or a longer FFT",
        )
    return SparseFilters(coefficients, starts.astype(np.uint32), (starts + lengths - 1).astype(np.uint32))


def without_spoilt_bin(filters: Float32) -> Float32:
    """Return filters, `(bands, n_fft // 2 + 1)`, that do not read bin `n_fft / 4`: its neighbours stand for it.

    Versions of ST's library that compute the powers in place write the last bin's over the real part of this one before
    they read it (found by running its C: one band was off by up to 15 steps).
    """
    spoilt = (filters.shape[1] - 1) // 2
    changed = filters.copy()
    changed[:, spoilt] = 0
    changed[:, [spoilt - 1, spoilt + 1]] += filters[:, [spoilt]] / 2
    return changed


def mel_tables(frontend: LogMelFrontend, numbers: Literal["float32", "float16"] = "float32") -> tuple[str, str]:
    """Return the texts of `user_mel_tables.c` and `user_mel_tables.h`.

    Parameters
    ----------
    numbers
        Type of window and coefficients; those in half precision are rounded to it, so that the C constants are exact.
    """
    sparse = sparse_filters(frontend)
    number = "float" if numbers == "float32" else "PREPROC_FLOAT_T"
    header = _HEADER.format(
        number=number,
        half="" if numbers == "float32" else _HALF,
        fingerprint=frontend.fingerprint,
        window=frontend.frame_samples,
        coefficients=len(sparse.coefficients),
        bands=frontend.n_mels,
    )
    arrays = (
        c_array(f"const {number} user_win", _rounded(frontend.window(), numbers)),
        c_array(f"const {number} user_melFiltersLut", _rounded(sparse.coefficients, numbers)),
        c_array("const uint32_t user_melFiltersStartIndices", sparse.starts),
        c_array("const uint32_t user_melFiltersStopIndices", sparse.stops),
    )
    return '#include "user_mel_tables.h"\n\n' + "\n".join(arrays), header


def _rounded(values: Float32, numbers: Literal["float32", "float16"]) -> Float32:
    return values if numbers == "float32" else values.astype(np.float16).astype(np.float32)
