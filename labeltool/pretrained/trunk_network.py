"""Int8 networks with a trunk: its features alone, or with a head on them, as TensorFlow Lite files.

Features are the mean and the maximum of each channel over the whole map, which ST's list of operators has as
AVERAGE_POOL_2D and MAX_POOL_2D; neither changes the scale of the codes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from labeltool.audio.log_mel_frontend import YAMNET_FRONTEND
from labeltool.networks.quantization import CodeScale
from labeltool.networks.tflite_writer import TFLiteWriter
from labeltool.pretrained.trunk import Trunk, TrunkLayer

if TYPE_CHECKING:
    from labeltool.networks.dense_head import QuantisedHead

_RELU, _RELU6, _SAME, _VALID = 1, 3, 0, 1
_PROBABILITIES = CodeScale(1 / 256, -128)


def feature_network(trunk: Trunk) -> bytes:
    """Return the network from the codes of a patch of log-mels to those of its features.

    Returns
    -------
    bytes
        A TensorFlow Lite file: (1, mels, frames, 1) int8 in, (1, width) int8 out.
    """
    writer = TFLiteWriter()
    given, pooled = _write_trunk(writer, trunk)
    features = writer.computed("features", (1, trunk.width), trunk.output)
    writer.operator("RESHAPE", [pooled, writer.constant("shape", np.array([1, trunk.width], np.int32))], features)
    return writer.packed(given, features)


def network_with_head(trunk: Trunk, head: QuantisedHead) -> bytes:
    """Return the network from the codes of a patch of log-mels to those of the labels' probabilities.

    Returns
    -------
    bytes
        A TensorFlow Lite file: (1, mels, frames, 1) int8 in, (1, labels) int8 out.
    """
    writer = TFLiteWriter()
    given, tensor = _write_trunk(writer, trunk)
    scale = trunk.output.scale
    for number, layer in enumerate(head.layers, 1):
        name, last = f"head{number}", number == len(head.layers)
        weights = writer.constant(f"{name}_weights", layer.weights, [layer.weight_scale])
        # As the kernels multiply them: in single precision.
        unit = float(np.float32(scale) * np.float32(layer.weight_scale))
        bias = writer.constant(f"{name}_bias", layer.bias, [unit])
        output = writer.computed(name, (1, len(layer.bias)), CodeScale(layer.output_scale, layer.output_zero))
        writer.operator(
            "FULLY_CONNECTED", [tensor, weights, bias], output, fusedActivationFunction=0 if last else _RELU
        )
        tensor, scale = output, layer.output_scale
    probabilities = writer.computed("probabilities", (1, len(head.layers[-1].bias)), _PROBABILITIES)
    if head.activation == "softmax":
        writer.operator("SOFTMAX", [tensor], probabilities, beta=1.0)
    else:
        writer.operator("LOGISTIC", [tensor], probabilities)
    return writer.packed(given, probabilities)


def macc(trunk: Trunk, head: QuantisedHead) -> int:
    """Count the multiply-accumulates of one patch."""
    layers = sum(_macc(layer) for layer in trunk.layers)
    return layers + sum(int(layer.weights.size) for layer in head.layers)


def _macc(layer: TrunkLayer) -> int:
    rows, columns, channels = layer.shape
    kernel = layer.weights[0].size if not layer.depthwise else layer.weights.shape[1] * layer.weights.shape[2]
    return rows * columns * channels * int(kernel)


def _write_trunk(writer: TFLiteWriter, trunk: Trunk) -> tuple[int, int]:
    """Write the layers and both pools; return the tensors of the input and of the features, (1, 1, 1, width)."""
    given = writer.computed("patch", (1, YAMNET_FRONTEND.n_mels, YAMNET_FRONTEND.patch_frames, 1), trunk.input)
    tensor, scale = given, trunk.input.scale
    for number, layer in enumerate(trunk.layers, 1):
        name = f"layer{number}"
        weights = writer.constant(f"{name}_weights", layer.weights, layer.scales, axis=3 if layer.depthwise else 0)
        units = [scale * one for one in layer.scales]
        bias = writer.constant(f"{name}_bias", layer.bias, units)
        output = writer.computed(name, (1, *layer.shape), layer.output)
        options = {"depthMultiplier": 1} if layer.depthwise else {}
        writer.operator(
            "DEPTHWISE_CONV_2D" if layer.depthwise else "CONV_2D",
            [tensor, weights, bias],
            output,
            padding=_SAME,
            strideH=layer.stride,
            strideW=layer.stride,
            fusedActivationFunction=_RELU6,
            **options,
        )
        tensor, scale = output, layer.output.scale
    rows, columns, channels = trunk.layers[-1].shape
    pools = []
    for kind, name in (("AVERAGE_POOL_2D", "mean"), ("MAX_POOL_2D", "maximum")):
        pool = writer.computed(name, (1, 1, 1, channels), trunk.output)
        writer.operator(
            kind, [tensor], pool, padding=_VALID, strideH=rows, strideW=columns, filterHeight=rows, filterWidth=columns
        )
        pools.append(pool)
    both = writer.computed("pooled", (1, 1, 1, 2 * channels), trunk.output)
    writer.operator("CONCATENATION", pools, both, axis=3)
    return given, both
