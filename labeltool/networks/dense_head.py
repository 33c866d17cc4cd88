"""A small head of dense layers over int8 features of frozen layers: in float to train, quantised to run on the MCU.

Quantisation is that of Jacob et al. 2018 (see `fixed_point`): int8 weights with one scale a layer, int32 biases, int8
outputs with ranges from training features. Before it, the scale of each hidden unit is divided evenly between the
weights before and after it (Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias
Correction"), and after it the biases take up the mean error.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np

from labeltool.errors import LabeltoolError
from labeltool.networks import heads, int8_head
from labeltool.networks.fixed_point import fixed_point
from labeltool.networks.postprocessing import to_probabilities
from labeltool.type_aliases import Float32, Float64, Int8, Int32
from labeltool.util.files.atomic_write import open_atomic
from labeltool.util.files.npz import UNREADABLE, open_npz

_MAX_LAYERS = 8
# Beyond these log-odds an int8 probability is 0 or 1: it has steps of 1/256.
_MAX_LOG_ODDS = 8.0
# Parts of the largest weight that an int8 weight of 127 may stand for.
_CLIPPED = (1.0, 0.8, 0.6, 0.5, 0.4, 0.3, 0.2)
# Part of the mean variance of inputs that is added to each, so that few rows do not decide on all roundings.
_DAMPING = 0.1
# Rows that ranges, clipping and bias correction are measured on, at most.
_MAX_ROWS = 4096


@dataclass(frozen=True, slots=True)
class DenseHead:
    """Dense layers with ReLU between them.

    Attributes
    ----------
    scale, zero_point
        Of the features: `real = scale * (code - zero_point)`.
    kernels : tuple of (inputs, outputs) float32
    biases : tuple of (outputs,) float32
    """

    activation: heads.Head
    scale: float
    zero_point: int
    kernels: tuple[Float32, ...]
    biases: tuple[Float32, ...]

    def hidden(self, codes: Int8) -> Float32:
        """Return the input of the last layer, `(n, units) float32`, for features `(n, width) int8`."""
        rows = np.float32(self.scale) * (codes.astype(np.float32) - np.float32(self.zero_point))
        for kernel, bias in zip(self.kernels[:-1], self.biases[:-1], strict=True):
            rows = np.maximum(rows @ kernel + bias, 0.0)
        return rows

    def logits(self, codes: Int8) -> Float32:
        """Return the output of the last layer before its activation, `(n, labels) float32`."""
        return np.asarray(self.hidden(codes) @ self.kernels[-1] + self.biases[-1], np.float32)

    def predict(self, codes: Int8) -> Float32:
        """Return probabilities, `(n, labels) float32`, for features `(n, width) int8`."""
        return to_probabilities(self.logits(codes), self.activation)

    def save(self, path: Path) -> None:
        """Write the head to a file, whole or not at all."""
        kernels = {f"kernel{i}": one for i, one in enumerate(self.kernels)}
        biases = {f"bias{i}": one for i, one in enumerate(self.biases)}
        with open_atomic(path) as file:
            np.savez(
                file,
                allow_pickle=False,
                activation=np.array(self.activation),
                scale=np.float64(self.scale),
                zero_point=np.int64(self.zero_point),
                **kernels,
                **biases,
            )

    @classmethod
    def load(cls, path: Path) -> DenseHead:
        """Read a head.

        Raises
        ------
        LabeltoolError
            When the file is missing, damaged or something else.
        """
        try:
            with open_npz(path) as arrays:
                names = [i for i in range(_MAX_LAYERS) if f"kernel{i}" in arrays]
                if names != list(range(len(names))):
                    raise ValueError("a layer is missing")
                head = cls(
                    str(arrays["activation"]),  # type: ignore[arg-type]
                    float(arrays["scale"]),
                    int(arrays["zero_point"]),
                    tuple(arrays[f"kernel{i}"] for i in names),
                    tuple(arrays[f"bias{i}"] for i in names),
                )
            _require_consistent(head)
        except UNREADABLE as error:
            raise LabeltoolError("not a whole head of a network", file=path, remedy="train it again") from error
        return head


def _require_consistent(head: DenseHead) -> None:
    """Raise a `ValueError` where a head cannot be computed."""
    widths = [one.shape[-1] for one in head.biases]
    for kernel, bias, inputs in zip(head.kernels, head.biases, [None, *widths[:-1]], strict=True):
        numbers = kernel.dtype == bias.dtype == np.float32 and np.isfinite(kernel).all() and np.isfinite(bias).all()
        shapes = kernel.ndim == 2 and bias.shape == kernel.shape[1:] and inputs in (None, kernel.shape[0])
        if not (numbers and shapes and kernel.size):
            raise ValueError("layers")
    known = head.activation in get_args(heads.Head) and -128 <= head.zero_point <= 127
    if not (head.kernels and known and np.isfinite(head.scale) and head.scale > 0):
        raise ValueError("quantisation")


@dataclass(frozen=True, slots=True)
class QuantisedDense:
    """An int8 dense layer, as a `FULLY_CONNECTED` of TensorFlow Lite; a ReLU is fused where zero is the lowest code.

    Attributes
    ----------
    weights : (outputs, inputs) int8
        Zero point 0.
    bias : (outputs,) int32
        Their scale is `weight_scale` times that of the input.
    weight_scale, output_scale
        Single-precision numbers.
    """

    weights: Int8
    bias: Int32
    weight_scale: float
    output_scale: float
    output_zero: int


@dataclass(frozen=True, slots=True)
class QuantisedHead:
    """The layers of a `DenseHead` as int8, with a ReLU after all but the last; output: scale 1/256, zero point -128."""

    layers: tuple[QuantisedDense, ...]
    activation: heads.Head
    scale: float
    zero_point: int

    def to_int8_head(self) -> int8_head.Int8Head:
        """Return the head in integers, with the codes of TensorFlow Lite Micro; its first tensor is no file's (-1)."""
        layers: list[int8_head.Dense | int8_head.Softmax | int8_head.Sigmoid] = []
        scale, zero = self.scale, self.zero_point
        for one in self.layers:
            product = float(np.float32(scale) * np.float32(one.weight_scale))
            multiplier, shift = fixed_point(product / one.output_scale)
            weights, bias = one.weights.astype(np.float64), one.bias.astype(np.float64)
            layers.append(int8_head.Dense(weights, bias, zero, one.output_zero, multiplier, shift))
            scale, zero = one.output_scale, one.output_zero
        softmax = self.activation == "softmax"
        layers.append(int8_head.Softmax(scale) if softmax else int8_head.Sigmoid(scale, zero))
        return int8_head.Int8Head(-1, tuple(layers))

    def predict(self, codes: Int8) -> Float32:
        """Return the probabilities that the MCU computes, `(n, labels) float32`, for features `(n, width) int8`."""
        return np.asarray((self.to_int8_head()(codes).astype(np.float32) + 128) / 256, np.float32)

    @property
    def weight_bytes(self) -> int:
        """Size of weights and biases in flash."""
        return sum(one.weights.nbytes + one.bias.nbytes for one in self.layers)


def quantise(head: DenseHead, codes: Int8) -> QuantisedHead:
    """Quantise a head.

    Parameters
    ----------
    head
    codes : (n, width) int8
        Features of training clips; ranges are theirs. Of many rows some are taken, spread evenly.
    """
    from threadpoolctl import threadpool_limits

    # The order of sums depends on the number of threads, and the rounding of a weight on the last bit.
    with threadpool_limits(limits=1, user_api="blas"):
        return _quantised(head, codes)


def _quantised(head: DenseHead, codes: Int8) -> QuantisedHead:
    codes = codes[:: max(1, -(-len(codes) // _MAX_ROWS))]
    kernels, biases = _equalised(head)
    scale, zero = float(np.float32(head.scale)), head.zero_point
    real = scale * (codes.astype(np.float64) - zero)
    quantised, layers = real, []
    for number, (kernel, bias) in enumerate(zip(kernels, biases, strict=True), 1):
        real = real @ kernel + bias
        last = number == len(kernels)
        layer = _quantised_layer(kernel, quantised, real, scale, _range(real, head.activation if last else None))
        layers.append(layer)
        quantised = _outputs(layer, quantised, scale)
        scale = layer.output_scale
        real = real if last else np.maximum(real, 0.0)
    return QuantisedHead(tuple(layers), head.activation, float(np.float32(head.scale)), zero)


def _equalised(head: DenseHead) -> tuple[list[Float64], list[Float64]]:
    """Return kernels and biases of the same function, with every hidden unit as large before a layer as after it."""
    kernels = [one.astype(np.float64) for one in head.kernels]
    biases = [one.astype(np.float64) for one in head.biases]
    for i in range(len(kernels) - 1):
        before, after = np.abs(kernels[i]).max(axis=0), np.abs(kernels[i + 1]).max(axis=1)
        ratio = np.sqrt(np.maximum(before, 1e-9) / np.maximum(after, 1e-9))
        kernels[i], biases[i] = kernels[i] / ratio, biases[i] / ratio
        kernels[i + 1] = kernels[i + 1] * ratio[:, None]
    if head.activation == "softmax":
        # A softmax does not change where all logits do: about zero they take the narrowest range.
        kernels[-1] = kernels[-1] - kernels[-1].mean(axis=1, keepdims=True)
        biases[-1] = biases[-1] - biases[-1].mean()
    return kernels, biases


def _range(real: Float64, activation: heads.Head | None) -> tuple[float, float]:
    """Return the range of a layer's outputs; of a hidden layer, None, from zero."""
    low, high = float(real.min(initial=0.0)), float(real.max(initial=0.0))
    if activation is None:
        return 0.0, max(high, 1e-6)
    if activation == "sigmoid":
        low, high = max(low, -_MAX_LOG_ODDS), min(high, _MAX_LOG_ODDS)
    return low, max(high, low + 1e-3)


def _quantised_layer(
    kernel: Float64, inputs: Float64, real: Float64, scale: float, limits: tuple[float, float]
) -> QuantisedDense:
    """Quantise a layer: of some clippings of its weights the one whose outputs, within limits, are nearest."""
    low, high = limits
    output_scale = float(np.float32((high - low) / 255.0))
    output_zero = int(np.clip(np.round(-128 - low / output_scale), -128, 127))
    largest = max(float(np.abs(kernel).max(initial=0.0)), 1e-6)
    best: tuple[float, QuantisedDense] | None = None
    compensation = _compensation(inputs)
    for part in _CLIPPED:
        weight_scale = float(np.float32(part * largest / 127.0))
        weights = _rounded(kernel / weight_scale, compensation)
        # The bias takes up the mean error of weights and inputs.
        sums = inputs @ (weights * weight_scale)
        bias = (real - sums).mean(axis=0)
        error = float(np.square(np.clip(sums + bias, low, high) - np.clip(real, low, high)).mean())
        if best is None or error < best[0]:
            steps = np.clip(np.round(bias / (scale * weight_scale)), -(2**31), 2**31 - 1).astype(np.int32)
            layer = QuantisedDense(weights.T.astype(np.int8), steps, weight_scale, output_scale, output_zero)
            best = error, layer
    assert best is not None
    return best[1]


def _compensation(inputs: Float64) -> Float64:
    """Return how far each following input makes up for an error of the weight of an input, `(inputs, inputs)`.

    Frantar et al. 2022, "GPTQ": rows of the Cholesky factor of the inverse covariance, divided by its diagonal.
    """
    centred = inputs - inputs.mean(axis=0)
    covariance = centred.T @ centred
    covariance[np.diag_indices_from(covariance)] += max(_DAMPING * float(np.diag(covariance).mean()), 1e-12)
    factor = np.linalg.cholesky(np.linalg.inv(covariance)).T
    return np.asarray(factor / np.diag(factor)[:, None], np.float64)


def _rounded(weights: Float64, compensation: Float64) -> Float64:
    """Round weights to codes, one input after the other."""
    rest = weights.copy()
    for place, row in enumerate(compensation):
        code = np.clip(np.round(rest[place]), -127, 127)
        rest[place + 1 :] -= row[place + 1 :, None] * (rest[place] - code)
        rest[place] = code
    return rest


def _outputs(layer: QuantisedDense, inputs: Float64, scale: float) -> Float64:
    """Return what a quantised layer's output codes stand for, for inputs of a scale."""
    sums = inputs @ (layer.weights.T * layer.weight_scale) + layer.bias * (scale * layer.weight_scale)
    codes = np.clip(np.round(sums / layer.output_scale) + layer.output_zero, -128, 127)
    return np.asarray((codes - layer.output_zero) * layer.output_scale, np.float64)
