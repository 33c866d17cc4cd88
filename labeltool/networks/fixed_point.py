"""Real factors as integers: a multiplier of 31 bits and a shift.

After Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference"
(CVPR 2018), section 2.2, rounded as TensorFlow Lite's reference kernels round.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from labeltool.type_aliases import Int8, Int32


class FactorArrays(TypedDict):
    """Factors as the arrays of a layer, one element for each factor; see `fixed_point`."""

    multipliers: Int32
    shifts: Int8


def fixed_point(real: float) -> tuple[int, int]:
    """Write a factor as `multiplier * 2 ** (shift - 31)`, the multiplier of 31 bits rounded half away from zero."""
    mantissa, shift = math.frexp(real)
    multiplier = math.floor(mantissa * 2.0**31 + 0.5)
    if multiplier == 2**31:
        multiplier, shift = multiplier // 2, shift + 1
    return (multiplier, shift) if multiplier and shift >= -31 else (0, 0)


def factor_arrays(reals: Sequence[float]) -> FactorArrays:
    """Return factors as `fixed_point` writes them, in the arrays `multipliers` and `shifts` of a layer."""
    pairs = [fixed_point(real) for real in reals]
    return {
        "multipliers": np.array([multiplier for multiplier, _ in pairs], np.int32),
        "shifts": np.array([shift for _, shift in pairs], np.int8),
    }


def largest_difference(integer_bits: int, shift: int) -> int:
    """Return the largest difference of codes that still fits into the integer bits after multiplication and shift."""
    return math.floor(math.ldexp(2**integer_bits - 1, 31 - integer_bits - shift))
