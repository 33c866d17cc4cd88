"""The float32 functions of the package's `c/aed_math.h` in NumPy, bit for bit: each operation rounds once."""

from __future__ import annotations

import numpy as np

from labeltool.type_aliases import Float32

# The polynomials of `aed_log2` and `aed_exp2`, highest power first.
_LOG2 = (
    0.125696123,
    -0.210060373,
    0.217133328,
    -0.238550633,
    0.287693858,
    -0.360720158,
    0.480920643,
    -0.721347153,
    1.4426949,
)
_EXP2 = (0.00015345811, 0.00133999309, 0.00961848907, 0.0555032864, 0.240226462, 0.693147182, 1.0)
_ROUND = np.float32(12582912.0)


def log2(x: Float32) -> Float32:
    """Return the logarithms of an array of positive, normal numbers, as `aed_log2`."""
    bits = np.ascontiguousarray(x).view(np.uint32) + np.uint32(0x3F800000 - 0x3F3504F3)
    exponent = ((bits >> np.uint32(23)).astype(np.int32) - 127).astype(np.float32)
    fraction = ((bits & np.uint32(0x007FFFFF)) + np.uint32(0x3F3504F3)).view(np.float32) - np.float32(1)
    return np.asarray(exponent + fraction * _polynomial(_LOG2, fraction), np.float32)


def exp2(x: Float32) -> Float32:
    """Return the powers of two of an array, as `aed_exp2`; exponents are clipped to -125 to 127."""
    clipped = np.clip(x, np.float32(-125), np.float32(127))
    whole = clipped + _ROUND - _ROUND
    power = ((whole.astype(np.int32) + 127).astype(np.uint32) << np.uint32(23)).view(np.float32)
    return np.asarray(_polynomial(_EXP2, clipped - whole) * power, np.float32)


def sequential_sum(numbers: Float32) -> Float32:
    """Sum over the last axis from its first element to its last: `np.sum` adds pairwise."""
    total = np.zeros(numbers.shape[:-1], np.float32)
    for place in range(numbers.shape[-1]):
        total = total + numbers[..., place]
    return total


def _polynomial(coefficients: tuple[float, ...], x: Float32) -> Float32:
    total = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        total = total * x + np.float32(coefficient)
    return total
