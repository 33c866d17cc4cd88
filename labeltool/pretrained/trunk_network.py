"""Int8 networks with a trunk: its features alone, or with a head on them, as TensorFlow Lite files.

Features are means and maxima of each channel, which ST's list of operators has as AVERAGE_POOL_2D and MAX_POOL_2D;
neither changes the scale of the codes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from labeltool.audio.log_mel_frontend import YAMNET_FRONTEND
from labeltool.audio.trunk_frontend import Pools
from labeltool.networks.quantization import CodeScale
from labeltool.networks.tflite_writer import TFLiteWriter
from labeltool.pretrained.trunk import DEFAULT_DEPTH, Trunk, TrunkLayer

if TYPE_CHECKING:
    from labeltool.networks.dense_head import QuantisedHead

_RELU, _RELU6, _SAME, _VALID = 1, 3, 0, 1
_Pool = Literal["mean", "maximum", "halves"]
_PROBABILITIES = CodeScale(1 / 256, -128)
_POOLS: Mapping[Pools, tuple[tuple[bool, _Pool], ...]] = {
    "whole": ((False, "mean"), (False, "maximum")),
    "halves": ((False, "halves"), (False, "maximum")),
    "layers": ((True, "mean"), (True, "maximum"), (False, "mean")),
}
"""Pools that a head reads: whether of the middle layer, and which."""


def feature_network(trunk: Trunk, *, middle: bool) -> bytes:
    """Return the network from the codes of a patch of log-mels to those of its features, as a TensorFlow Lite file.

    (1, mels, frames, 1) int8 in, (1, features) int8 out: the codes of a `TrunkFrontend`.
    """
    writer = TFLiteWriter()
    given, maps = _write_layers(writer, trunk)
    of_last: list[tuple[bool, _Pool]] = [(False, kind) for kind in get_args(_Pool)]
    of_middle: list[tuple[bool, _Pool]] = [(True, "mean"), (True, "maximum")] if middle else []
    features = _write_pools(writer, trunk, maps, [*of_last, *of_middle])
    return writer.packed(given, _reshaped(writer, trunk, features, (1, writer.width(features))))


def network_with_head(trunk: Trunk, head: QuantisedHead, pools: Pools) -> bytes:
    """Return the network from the codes of a patch of log-mels to those of the labels' probabilities.

    Parameters
    ----------
    pools
        What the head reads, as `TrunkFrontend.places` orders it.

    Returns
    -------
    bytes
        A TensorFlow Lite file: (1, mels, frames, 1) int8 in, (1, labels) int8 out.
    """
    writer = TFLiteWriter()
    given, maps = _write_layers(writer, trunk)
    tensor, scale = _write_pools(writer, trunk, maps, _POOLS[pools]), trunk.output.scale
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


def _write_layers(writer: TFLiteWriter, trunk: Trunk) -> tuple[int, list[int]]:
    """Write the layers; return the tensors of the input and of each layer's map."""
    given = writer.computed("patch", (1, YAMNET_FRONTEND.n_mels, YAMNET_FRONTEND.patch_frames, 1), trunk.input)
    tensor, scale, maps = given, trunk.input.scale, []
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
        maps.append(output)
    return given, maps


def _write_pools(writer: TFLiteWriter, trunk: Trunk, maps: Sequence[int], kinds: Sequence[tuple[bool, _Pool]]) -> int:
    """Write pools of the last or the middle map; return their joined output, (1, 1, 1, width)."""
    pools = [_write_pool(writer, trunk, maps, kind, middle=middle) for middle, kind in kinds]
    return _joined(writer, trunk, pools)


def _write_pool(writer: TFLiteWriter, trunk: Trunk, maps: Sequence[int], kind: _Pool, *, middle: bool) -> int:
    """Write a pool of a map; return its output, (1, 1, 1, channels), of the halves (1, 1, 1, 2 * channels)."""
    number = DEFAULT_DEPTH - 1 if middle else len(maps) - 1
    rows, columns, channels = trunk.layers[number].shape
    parts = 2 if kind == "halves" else 1
    pool = writer.computed(kind, (1, parts, 1, channels), trunk.output)
    writer.operator(
        "MAX_POOL_2D" if kind == "maximum" else "AVERAGE_POOL_2D",
        [maps[number]],
        pool,
        padding=_VALID,
        strideH=rows // parts,
        strideW=columns,
        filterHeight=rows // parts,
        filterWidth=columns,
    )
    return pool if parts == 1 else _reshaped(writer, trunk, pool, (1, 1, 1, parts * channels))


def _reshaped(writer: TFLiteWriter, trunk: Trunk, tensor: int, shape: tuple[int, ...]) -> int:
    output = writer.computed("reshaped", shape, trunk.output)
    writer.operator("RESHAPE", [tensor, writer.constant("shape", np.array(shape, np.int32))], output, newShape=shape)
    return output


def _joined(writer: TFLiteWriter, trunk: Trunk, tensors: Sequence[int]) -> int:
    """Join tensors of (1, 1, 1, ...), two at a time, as the C code takes them."""
    joined = tensors[0]
    for tensor in tensors[1:]:
        width = writer.width(joined) + writer.width(tensor)
        output = writer.computed("pooled", (1, 1, 1, width), trunk.output)
        writer.operator("CONCATENATION", [joined, tensor], output, axis=3)
        joined = output
    return joined
