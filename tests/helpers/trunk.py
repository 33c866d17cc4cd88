"""A trunk of random layers in the shape of YAMNet's, for tests without its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from labeltool.networks.quantization import CodeScale
from labeltool.pretrained.trunk import Trunk, TrunkLayer

_CODES = CodeScale(float(np.float32(6 / 255)), -128)


def random_trunk(seed: int = 0, channels: tuple[int, ...] = (8, 12, 16), strides: tuple[int, ...] = (2, 1, 2)) -> Trunk:
    """Return a convolution and pairs of depthwise and pointwise ones whose activations are spread over their range."""
    rng = np.random.default_rng(seed)
    rows, columns, layers = 64, 96, []
    for number, (n, stride) in enumerate(zip(channels, strides, strict=True)):
        before = channels[number - 1] if number else 1
        rows, columns = -(-rows // stride), -(-columns // stride)
        kinds = (
            [(False, n, before, 3, stride)] if not number else [(True, before, 1, 3, stride), (False, n, before, 1, 1)]
        )
        for depthwise, outputs, inputs, size, step in kinds:
            shape = (1, size, size, outputs) if depthwise else (outputs, size, size, inputs)
            weights = rng.integers(-127, 128, shape).astype(np.int8)
            fan_in = size * size * inputs
            scales = tuple((rng.uniform(1, 3, outputs) / (127 * np.sqrt(fan_in))).astype(np.float32).tolist())
            bias = rng.integers(-2000, 4000, outputs).astype(np.int32)
            layers.append(TrunkLayer(depthwise, weights, scales, bias, step, _CODES, (rows, columns, outputs)))
    return Trunk(
        "random", Path("random.tflite"), f"{seed:064x}", CodeScale(float(np.float32(0.048)), 16), tuple(layers)
    )
