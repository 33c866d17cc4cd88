"""The head of an int8 network in integers: dense layers, softmax and sigmoid as TensorFlow Lite Micro computes them.

TensorFlow Lite rounds the sums of a dense layer once, its reference kernels included; TensorFlow Lite Micro, after
gemmlowp's `fixedpoint.h`, rounds them twice, and `c/aed_nn.c` of the STM32 package does the same. So one patch in some
hundreds would get other scores on the laptop than on the MCU. The layers before the head are equal in both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labeltool.networks.fixed_point import fixed_point, largest_difference
from labeltool.type_aliases import Float64, Int8, Int64

# Integer bits of differences of logits, of the sum of powers, and of the logits of a sigmoid.
_DIFFERENCE_BITS, _SUM_BITS, _LOGIT_BITS = 5, 12, 4
_ONE = 2**31 - 1
# exp(-1/4), exp(-1/2), exp(-1) ... exp(-16), in 2^-31.
_POWERS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
_EXP_OF_EIGHTH, _THIRD = 1895147668, 715827883
# Operators that change the shape only.
_SHAPES = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")


@dataclass(frozen=True, slots=True)
class Dense:
    """A dense layer; a fused ReLU needs nothing, for the codes of its output begin at zero.

    Attributes
    ----------
    weights : (outputs, inputs) float64
        Their int8 codes.
    bias : (outputs,) float64
        Its int32 codes.
    """

    weights: Float64
    bias: Float64
    in_zero: int
    out_zero: int
    multiplier: int
    shift: int

    def __call__(self, codes: Int8) -> Int8:
        """Return the output's codes, `(rows, outputs)`, for the input's, `(rows, inputs)`."""
        # float64 is exact: no sum reaches 2^53.
        sums = (codes.astype(np.float64) - self.in_zero) @ self.weights.T + self.bias
        scaled = _scaled(sums.astype(np.int64), self.multiplier, self.shift)
        return np.asarray(np.clip(scaled + self.out_zero, -128, 127), np.int8)


@dataclass(frozen=True, slots=True)
class Softmax:
    """A softmax of logits of a scale."""

    scale: float

    def __call__(self, codes: Int8) -> Int8:
        """Return probabilities of scale 1/256 and zero point -128, `(rows, labels)`."""
        return int8_softmax(codes, self.scale)


@dataclass(frozen=True, slots=True)
class Sigmoid:
    """A sigmoid of logits of a scale and a zero point."""

    scale: float
    zero_point: int

    def __call__(self, codes: Int8) -> Int8:
        """Return probabilities of scale 1/256 and zero point -128, `(rows, labels)`."""
        return int8_sigmoid(codes, self.scale, self.zero_point)


@dataclass(frozen=True, slots=True)
class Int8Head:
    """The layers of a network from its first dense one, which reads the tensor of a number, to its output."""

    tensor: int
    layers: tuple[Dense | Softmax | Sigmoid, ...]

    def __call__(self, codes: Int8) -> Int8:
        """Return the codes of the network's output, `(rows, labels)`, for those of `tensor`, `(rows, features)`."""
        for layer in self.layers:
            codes = layer(codes)
        return codes


def int8_head(interpreter: Any) -> Int8Head | None:
    """Return the head of a network that TensorFlow Lite's interpreter has loaded.

    Returns
    -------
    Int8Head or None
        None where there is no dense layer, one has a scale for each output, something else than dense layers and
        activations comes after one, or the last layer is not a softmax or a sigmoid.
    """
    operators = [one for one in interpreter._get_ops_details() if one["op_name"] not in ("DELEGATE", "DEQUANTIZE")]
    names = [one["op_name"] for one in operators]
    if "FULLY_CONNECTED" not in names:
        return None
    operators = operators[names.index("FULLY_CONNECTED") :]
    tensors = {one["index"]: one for one in interpreter.get_tensor_details()}
    layers: list[Dense | Softmax | Sigmoid] = []
    for operator in operators:
        if operator["op_name"] in _SHAPES:
            continue
        scale, zero = tensors[operator["inputs"][0]]["quantization"]
        if operator["op_name"] == "FULLY_CONNECTED":
            # The interpreter repeats the scale of a whole tensor for each output.
            if len(np.unique(tensors[operator["inputs"][1]]["quantization_parameters"]["scales"])) != 1:
                return None
            layers.append(_dense(interpreter, tensors, operator))
        elif operator["op_name"] == "SOFTMAX":
            layers.append(Softmax(scale))
        elif operator["op_name"] == "LOGISTIC":
            layers.append(Sigmoid(scale, zero))
        else:
            return None
    if isinstance(layers[-1], Dense):
        return None
    return Int8Head(int(operators[0]["inputs"][0]), tuple(layers))


def _dense(interpreter: Any, tensors: Mapping[int, Mapping[str, Any]], operator: Mapping[str, Any]) -> Dense:
    source, weights = (tensors[index] for index in operator["inputs"][:2])
    output = tensors[operator["outputs"][0]]
    biases = [index for index in operator["inputs"][2:] if index >= 0]
    codes = interpreter.get_tensor(weights["index"]).astype(np.float64)
    bias = interpreter.get_tensor(biases[0]).astype(np.float64) if biases else np.zeros(len(codes))
    # The kernel multiplies these two in single precision.
    weight_scale = weights["quantization_parameters"]["scales"][0]
    product = float(np.float32(source["quantization"][0]) * np.float32(weight_scale))
    multiplier, shift = fixed_point(product / output["quantization"][0])
    return Dense(codes, bias, source["quantization"][1], output["quantization"][1], multiplier, shift)


def int8_softmax(logits: Int8, scale: float) -> Int8:
    """Compute the softmax of rows of logits.

    Parameters
    ----------
    logits : (rows, labels) int8
        At most 4,095 labels.
    scale
        What one code stands for.

    Returns
    -------
    (rows, labels) int8
        Probabilities of scale 1/256 and zero point -128.
    """
    multiplier, shift = fixed_point(min(scale * 2.0 ** (31 - _DIFFERENCE_BITS), 2.0**31 - 1))
    differences = logits.astype(np.int64) - logits.max(axis=1, keepdims=True)
    counted = differences >= -largest_difference(_DIFFERENCE_BITS, shift)
    powers = _exp_of_negative(_scaled(np.where(counted, differences, 0), multiplier, shift), _DIFFERENCE_BITS)
    sums = np.where(counted, _halve(powers, _SUM_BITS), 0).sum(axis=1, keepdims=True)
    # sums = (1 + rest) * 2^bits, rest in 2^-31.
    zeros = 32 - np.frexp(sums.astype(np.float64))[1].astype(np.int64)
    inverse = _reciprocal_of_one_plus((sums << zeros) - 2**31)
    codes = _halve(_high_product(inverse, powers), _SUM_BITS - zeros + 31 - 8) - 128
    return np.asarray(np.where(counted, np.clip(codes, -128, 127), -128), np.int8)


def int8_sigmoid(logits: Int8, scale: float, zero_point: int) -> Int8:
    """Compute the sigmoid of logits of any shape; returns probabilities of scale 1/256 and zero point -128."""
    multiplier, shift = fixed_point(scale * 2.0 ** (31 - _LOGIT_BITS))
    largest = largest_difference(_LOGIT_BITS, shift)
    differences = logits.astype(np.int64) - zero_point
    inside = np.abs(differences) < largest
    x = _scaled(np.where(inside, differences, 0), multiplier, shift)
    of_size = _reciprocal_of_one_plus(_exp_of_negative(-np.abs(x), _LOGIT_BITS))
    probabilities = np.where(x > 0, of_size, _ONE - of_size)
    probabilities = np.where(x == 0, 2**30, probabilities)
    codes = np.clip(_halve(probabilities, 31 - 8) - 128, -128, 127)
    return np.asarray(np.where(inside, codes, np.where(differences < 0, -128, 127)), np.int8)


def _high_product(a: Int64, b: Int64 | int) -> Int64:
    """Return `a * b / 2**31`, rounded to the nearest, halves up."""
    return (a * b + 2**30) >> 31


def _halve(x: Int64, power: npt.NDArray[np.int64] | int) -> Int64:
    """Return `x / 2**power`, rounded to the nearest, halves away from zero; `power` is at least 1."""
    half = np.left_shift(np.int64(1), np.asarray(power, np.int64) - 1)
    return np.asarray(np.sign(x) * ((np.abs(x) + half) >> power), np.int64)


def _doubled(x: Int64, power: int) -> Int64:
    return np.asarray(np.clip(x << power, -(2**31), _ONE), np.int64)


def _scaled(x: Int64, multiplier: int, shift: int) -> Int64:
    """Return `x * multiplier * 2**(shift - 31)`; differences within `largest_difference` do not overflow."""
    if shift > 0:
        return _high_product(x << shift, multiplier)
    product = _high_product(x, multiplier)
    return _halve(product, -shift) if shift else product


def _exp_of_negative(x: Int64, integer_bits: int) -> Int64:
    """Return exp(x) in 2^-31 for `x <= 0` with four or five integer bits.

    The part of x below a quarter by a Taylor series around -1/8; each higher bit multiplies by its own power.
    """
    quarter = 1 << (29 - integer_bits)
    rest = (x & (quarter - 1)) - quarter
    t = _doubled(rest, integer_bits) + (1 << 28)
    t2 = _high_product(t, t)
    t3, t4 = _high_product(t2, t), _high_product(t2, t2)
    tail = _halve(_high_product(_halve(t4, 2) + t3, _THIRD) + t2, 1)
    result = _EXP_OF_EIGHTH + _high_product(t + tail, _EXP_OF_EIGHTH)
    quarters = rest - x
    for bit, power in enumerate(_POWERS[: integer_bits + 2]):
        result = np.where(quarters & (quarter << bit), _high_product(result, power), result)
    return np.where(x == 0, _ONE, result)


def _reciprocal_of_one_plus(x: Int64) -> Int64:
    """Return 1 / (1 + x) for `0 <= x < 1`, both in 2^-31: three steps of Newton's method on half the denominator."""
    half_denominator = (x + 2**31) // 2
    y = 1515870810 + _high_product(half_denominator, -1010580540)
    for _ in range(3):
        y = y + _doubled(_high_product(y, (1 << 29) - _high_product(half_denominator, y)), 2)
    return _doubled(y, 1)
