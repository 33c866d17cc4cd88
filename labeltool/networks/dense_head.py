"""stub"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labeltool.networks.fixed_point import fixed_point
from labeltool.networks.heads import Head
from labeltool.networks.int8_head import Dense, Int8Head, Sigmoid, Softmax
from labeltool.networks.postprocessing import to_probabilities


@dataclass(frozen=True)
class DenseHead:
    activation: Head
    scale: float
    zero_point: int
    kernels: tuple
    biases: tuple

    def hidden(self, codes):
        x = self.scale * (codes.astype(np.float32) - self.zero_point)
        for k, b in zip(self.kernels[:-1], self.biases[:-1]):
            x = np.maximum(x @ k + b, 0)
        return x

    def predict(self, codes):
        return to_probabilities(self.hidden(codes) @ self.kernels[-1] + self.biases[-1], self.activation)

    def save(self, path):
        np.savez(
            path,
            act=self.activation,
            s=self.scale,
            z=self.zero_point,
            **{f"k{i}": k for i, k in enumerate(self.kernels)},
            **{f"b{i}": k for i, k in enumerate(self.biases)},
        )

    @staticmethod
    def load(path):
        d = np.load(path)
        n = sum(k.startswith("k") for k in d)
        return DenseHead(
            str(d["act"]),
            float(d["s"]),
            int(d["z"]),
            tuple(d[f"k{i}"] for i in range(n)),
            tuple(d[f"b{i}"] for i in range(n)),
        )


@dataclass(frozen=True)
class QuantisedDense:
    weights: np.ndarray
    bias: np.ndarray
    weight_scale: float
    output_scale: float
    output_zero: int


@dataclass(frozen=True)
class QuantisedHead:
    layers: tuple
    activation: Head
    scale: float
    zero_point: int

    def integer(self):
        layers = []
        s, z = self.scale, self.zero_point
        for l in self.layers:
            p = float(np.float32(s) * np.float32(l.weight_scale))
            m, sh = fixed_point(p / float(np.float32(l.output_scale)))
            layers.append(Dense(l.weights.astype(np.float64), l.bias.astype(np.float64), z, l.output_zero, m, sh))
            s, z = l.output_scale, l.output_zero
        layers.append(Softmax(s) if self.activation == "softmax" else Sigmoid(s, z))
        return Int8Head(0, tuple(layers))


def quantise(head, codes):
    x = head.scale * (codes.astype(np.float32) - head.zero_point)
    s = head.scale
    out = []
    for i, (k, b) in enumerate(zip(head.kernels, head.biases)):
        last = i == len(head.kernels) - 1
        y = x @ k + b
        if not last:
            y = np.maximum(y, 0)
            so, zo = float(np.float32(max(y.max(), 1e-3) / 255)), -128
        else:
            lo, hi = min(y.min(), 0), max(y.max(), 0)
            so = float(np.float32(max(hi - lo, 1e-3) / 255))
            zo = int(np.clip(round(-128 - lo / so), -128, 127))
        ws = float(np.float32(np.abs(k).max() / 127))
        w = np.clip(np.rint(k.T / ws), -127, 127).astype(np.int8)
        out.append(QuantisedDense(w, np.rint(b / (s * ws)).astype(np.int32), ws, so, zo))
        x, s = y, so
    return QuantisedHead(tuple(out), head.activation, head.scale, head.zero_point)
