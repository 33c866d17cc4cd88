"""From a TFLite graph to the layers that `aed_nn.c` runs: geometry, integer multipliers, folded paddings.

Scales become multipliers exactly as in TensorFlow Lite's reference kernels, including single or double precision, so
that the C code computes the same scores bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from labeltool.errors import LabeltoolError
from labeltool.exporters.stm32.tflite.geometry import same_padding, window_lead
from labeltool.exporters.stm32.tflite.graph import Graph, Tensor
from labeltool.networks.fixed_point import factor_arrays, fixed_point, largest_difference
from labeltool.pretrained.runtimes.tflite_file import TFLiteOperator
from labeltool.type_aliases import Int8, Int32

_SAME, _VALID = 0, 1
_ACTIVATIONS = {0: (None, None), 1: (0.0, None), 2: (-1.0, 1.0), 3: (0.0, 6.0)}
# They change the shape only.
_RESHAPES = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer with the fields of `struct aed_nn_layer`.

    Attributes
    ----------
    kind
        Its `enum aed_nn_kind` without the prefix.
    inputs, output
        Numbers of the buffers it reads (one or two) and writes.
    fields
        Integer fields of the struct; absent ones are zero.
    leads
        For each input, bytes by which the output must begin before it in order to overlap it; None: it must not.
    """

    kind: str
    inputs: tuple[int, ...]
    output: int
    fields: Mapping[str, int]
    leads: tuple[int | None, ...]
    weights: Int8 | None = None
    bias: Int32 | None = None
    multipliers: Int32 | None = None
    shifts: Int8 | None = None


@dataclass(frozen=True, slots=True)
class Program:
    """Layers in the order of execution; `sizes` is the size of every buffer, bytes."""

    layers: tuple[Layer, ...]
    sizes: Mapping[int, int]
    input: int
    output: int


def lower(graph: Graph) -> Program:
    """Turn a graph into layers.

    Raises
    ------
    LabeltoolError
        Naming the first operator, or form of an operator, that `aed_nn.c` does not support.
    """
    lowering = _Lowering(graph)
    for operator in graph.operators:
        lowering.add(operator)
    used = {buffer for layer in lowering.layers for buffer in (*layer.inputs, layer.output)}
    sizes = {buffer: math.prod(graph.tensors[buffer].shape) for buffer in sorted(used)}
    return Program(tuple(lowering.layers), sizes, graph.input, lowering.buffer(graph.output))


@dataclass
class _Lowering:
    graph: Graph
    layers: list[Layer] = field(default_factory=list)
    renamed: dict[int, int] = field(default_factory=dict)
    folded: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    """For each padded tensor: the tensor it pads, and the number of rows and columns before it."""

    def buffer(self, index: int) -> int:
        return self.renamed.get(index, index)

    def add(self, operator: TFLiteOperator) -> None:
        if operator.name in _RESHAPES:
            self.renamed[operator.outputs[0]] = self.buffer(operator.inputs[0])
            return
        if operator.name not in _BUILDERS:
            raise _unsupported(operator, "")
        if operator.name == "PAD" and self._fold(operator):
            return
        for index in (operator.inputs[0], operator.outputs[0]):
            tensor = self.graph.tensors[index]
            if tensor.dtype != "INT8" or len(tensor.scales) != 1:
                raise _unsupported(operator, f" of {tensor.dtype}")
        self.layers.append(_BUILDERS[operator.name](self, operator))

    def _fold(self, operator: TFLiteOperator) -> bool:
        """Fold a padding into the layers that read it, where all of them can pad."""
        padded = operator.outputs[0]
        before = self.paddings(operator)[:, 0]
        readers = [reader for reader in self.graph.operators if padded in reader.inputs]
        foldable = (
            len(before) == 4
            and not self.paddings(operator)[[0, 3]].any()
            and padded != self.graph.output
            and all(reader.name in _PADDING and reader.options.get("padding") == _VALID for reader in readers)
        )
        if foldable:
            self.folded[padded] = (operator.inputs[0], int(before[1]), int(before[2]))
        return foldable

    def paddings(self, operator: TFLiteOperator) -> Int32:
        constant = self.graph.tensors[operator.inputs[1]].constant
        if constant is None:
            raise _unsupported(operator, " with computed paddings")
        return constant.reshape(-1, 2).astype(np.int32)

    def window(self, operator: TFLiteOperator, kernel: tuple[int, int]) -> tuple[int, dict[str, int], int]:
        """Return the buffer that a sliding window reads, its geometry, and the lead of its output in bytes."""
        tensors, options = self.graph.tensors, operator.options
        padded = operator.inputs[0]
        source, rows_before, columns_before = self.folded.get(padded, (padded, 0, 0))
        (in_rows, in_columns, in_channels) = _grid(operator, tensors[source])
        (out_rows, out_columns, out_channels) = _grid(operator, tensors[operator.outputs[0]])
        if options.get("dilationHFactor", 1) != 1 or options.get("dilationWFactor", 1) != 1:
            raise _unsupported(operator, " with dilation")
        strides = int(options["strideH"]), int(options["strideW"])
        if options["padding"] == _SAME:
            rows_before = same_padding(in_rows, out_rows, kernel[0], strides[0])
            columns_before = same_padding(in_columns, out_columns, kernel[1], strides[1])
        fields = {
            "in_rows": in_rows,
            "in_columns": in_columns,
            "in_channels": in_channels,
            "out_rows": out_rows,
            "out_columns": out_columns,
            "out_channels": out_channels,
            "kernel_rows": kernel[0],
            "kernel_columns": kernel[1],
            "stride_rows": strides[0],
            "stride_columns": strides[1],
            "pad_rows": rows_before,
            "pad_columns": columns_before,
        }
        return self.buffer(source), fields, window_lead(fields)


def _grid(operator: TFLiteOperator, tensor: Tensor) -> tuple[int, int, int]:
    if len(tensor.shape) != 4 or tensor.shape[0] != 1:
        raise _unsupported(operator, f" of shape {tensor.shape}")
    return tensor.shape[1], tensor.shape[2], tensor.shape[3]


def _range(operator: TFLiteOperator, output: Tensor) -> dict[str, int]:
    """Return the range of codes to which a fused activation clips the output."""
    scale, zero = np.float32(output.scales[0]), output.zero_points[0]
    low, high = _ACTIVATIONS.get(operator.options.get("fusedActivationFunction", 0), ("other", None))
    if low == "other":
        raise _unsupported(operator, " with its fused activation")
    codes = [None if real is None else zero + math.floor(np.float32(real) / scale + 0.5) for real in (low, high)]
    return {
        "low": -128 if codes[0] is None else max(-128, codes[0]),
        "high": 127 if codes[1] is None else min(127, codes[1]),
    }


def _zeros(source: Tensor, output: Tensor) -> dict[str, int]:
    return {"in_zero": source.zero_points[0], "out_zero": output.zero_points[0]}


def _weighted(build: _Lowering, operator: TFLiteOperator) -> tuple[Tensor, Tensor, Int8, Int32]:
    """Return input, weights, their codes and the biases (zeros where there are none) of a layer that has weights."""
    tensors = build.graph.tensors
    weights = tensors[operator.inputs[1]]
    bias = tensors[operator.inputs[2]] if len(operator.inputs) > 2 and operator.inputs[2] >= 0 else None
    if weights.constant is None or weights.dtype != "INT8" or any(weights.zero_points):
        raise _unsupported(operator, " with weights that are not symmetric int8 constants")
    if bias is not None and (bias.constant is None or bias.dtype != "INT32"):
        raise _unsupported(operator, " with biases that are not int32 constants")
    outputs = tensors[operator.outputs[0]].shape[-1]
    biases = np.zeros(outputs, np.int32) if bias is None or bias.constant is None else bias.constant.astype(np.int32)
    return tensors[operator.inputs[0]], weights, weights.constant.astype(np.int8), biases


def _convolution(build: _Lowering, operator: TFLiteOperator) -> Layer:
    source, weights, codes, bias = _weighted(build, operator)
    output = build.graph.tensors[operator.outputs[0]]
    depthwise = operator.name == "DEPTHWISE_CONV_2D"
    buffer, fields, lead = build.window(operator, (weights.shape[1], weights.shape[2]))
    if not depthwise and weights.shape[3] != fields["in_channels"]:
        raise _unsupported(operator, " in groups")
    scales = weights.scales if len(weights.scales) > 1 else weights.scales * len(bias)
    return Layer(
        kind="CONVOLVE_DEPTH" if depthwise else "CONVOLVE",
        inputs=(buffer,),
        output=operator.outputs[0],
        fields=fields | _zeros(source, output) | _range(operator, output),
        leads=(lead,),
        weights=codes,
        bias=bias,
        **factor_arrays([source.scales[0] * scale / output.scales[0] for scale in scales]),
    )


def _dense(build: _Lowering, operator: TFLiteOperator) -> Layer:
    source, weights, codes, bias = _weighted(build, operator)
    output = build.graph.tensors[operator.outputs[0]]
    outputs, inputs = weights.shape
    rows = math.prod(source.shape) // inputs
    fields = dict.fromkeys(("in_columns", "out_columns", "kernel_rows", "kernel_columns"), 1)
    fields |= {"in_rows": rows, "out_rows": rows, "in_channels": inputs, "out_channels": outputs}
    fields |= {"stride_rows": 1, "stride_columns": 1, "pad_rows": 0, "pad_columns": 0}
    if len(weights.scales) > 1:
        reals = [source.scales[0] * scale / output.scales[0] for scale in weights.scales]
    else:  # the reference kernel multiplies these two in single precision
        reals = [float(np.float32(source.scales[0]) * np.float32(weights.scales[0])) / output.scales[0]] * outputs
    return Layer(
        kind="CONVOLVE",
        inputs=(build.buffer(operator.inputs[0]),),
        output=operator.outputs[0],
        fields=fields | _zeros(source, output) | _range(operator, output),
        leads=(window_lead(fields),),
        weights=codes,
        bias=bias,
        **factor_arrays(reals),
    )


def _pool(build: _Lowering, operator: TFLiteOperator) -> Layer:
    output = build.graph.tensors[operator.outputs[0]]
    kernel = int(operator.options["filterHeight"]), int(operator.options["filterWidth"])
    buffer, fields, lead = build.window(operator, kernel)
    # Cells of a folded padding count; other cells outside the input do not.
    edge = output.zero_points[0] if operator.inputs[0] in build.folded else -128
    return Layer(
        kind="MAX_POOL" if operator.name == "MAX_POOL_2D" else "AVERAGE_POOL",
        inputs=(buffer,),
        output=operator.outputs[0],
        fields=fields | {"pad_value": edge} | _range(operator, output),
        leads=(lead,),
    )


def _pad(build: _Lowering, operator: TFLiteOperator) -> Layer:
    tensors = build.graph.tensors
    in_rows, in_columns, in_channels = _grid(operator, tensors[operator.inputs[0]])
    out_rows, out_columns, out_channels = _grid(operator, tensors[operator.outputs[0]])
    _, rows, columns, channels = map(int, build.paddings(operator)[:, 0])
    fields = {"in_rows": in_rows, "in_columns": in_columns, "in_channels": in_channels}
    fields |= {"out_rows": out_rows, "out_columns": out_columns, "out_channels": out_channels}
    fields |= {"pad_rows": rows, "pad_columns": columns, "pad_channels": channels}
    fields |= {"pad_value": tensors[operator.outputs[0]].zero_points[0]}
    return Layer("PAD", (build.buffer(operator.inputs[0]),), operator.outputs[0], fields, (None,))


def _transpose(build: _Lowering, operator: TFLiteOperator) -> Layer:
    tensors = build.graph.tensors
    source, output = tensors[operator.inputs[0]], tensors[operator.outputs[0]]
    order = tensors[operator.inputs[1]].constant
    _grid(operator, source)
    if order is None or order[0] != 0:
        raise _unsupported(operator, " of the batch")
    steps = (0, source.shape[2] * source.shape[3], source.shape[3], 1)
    rows, columns, channels = _grid(operator, output)
    fields = {"out_rows": rows, "out_columns": columns, "out_channels": channels}
    fields |= {"stride_rows": steps[order[1]], "stride_columns": steps[order[2]], "stride_channels": steps[order[3]]}
    return Layer("TRANSPOSE", (build.buffer(operator.inputs[0]),), operator.outputs[0], fields, (None,))


def _concatenation(build: _Lowering, operator: TFLiteOperator) -> Layer:
    output, *parts = (build.graph.tensors[index] for index in (operator.outputs[0], *operator.inputs))
    # The reference kernel copies codes, whatever their scales.
    quantised = {(one.dtype, one.scales, one.zero_points) for one in (output, *parts)}
    if len(parts) != 2 or any(one.constant is not None for one in parts) or len(quantised) != 1:
        raise _unsupported(operator, " of other than two tensors of the scale of its output")
    axis = int(operator.options["axis"]) % len(output.shape)
    first, second = (math.prod(one.shape[axis:]) for one in parts)
    fields = {"in_rows": math.prod(output.shape[:axis]), "in_channels": first, "second_size": second}
    return Layer("CONCATENATE", tuple(map(build.buffer, operator.inputs)), operator.outputs[0], fields, (None, None))


def _elementwise(build: _Lowering, operator: TFLiteOperator) -> Layer:
    tensors = build.graph.tensors
    indices = list(operator.inputs)
    # Both are commutative: a constant or repeated operand comes second.
    if tensors[indices[0]].constant is not None or math.prod(tensors[indices[0]].shape) < math.prod(
        tensors[indices[1]].shape
    ):
        indices.reverse()
    first, second = (tensors[index] for index in indices)
    output = tensors[operator.outputs[0]]
    size, second_size = math.prod(output.shape), math.prod(second.shape)
    repeated = tuple(length for length in second.shape if length != 1)
    if (
        first.shape != output.shape
        or len(second.scales) != 1
        or repeated != output.shape[len(output.shape) - len(repeated) :]
    ):
        raise _unsupported(operator, f" of shapes {first.shape} and {second.shape}")
    scales = first.scales[0], second.scales[0], output.scales[0]
    if operator.name == "ADD":
        twice = 2.0 * max(scales[:2])
        reals = [scales[0] / twice, scales[1] / twice, twice / (2.0**20 * scales[2])]
    else:
        reals = [scales[0] * scales[1] / scales[2]]
    fields = {"out_rows": 1, "out_columns": 1, "out_channels": size, "second_size": second_size}
    fields |= _zeros(first, output) | {"second_zero": second.zero_points[0]} | _range(operator, output)
    computed = [build.buffer(index) for index in indices if tensors[index].constant is None]
    return Layer(
        kind="ADD" if operator.name == "ADD" else "MULTIPLY",
        inputs=tuple(computed),
        output=operator.outputs[0],
        fields=fields,
        leads=(0, 0 if second_size == size else None)[: len(computed)],
        weights=None if second.constant is None else second.constant.astype(np.int8),
        **factor_arrays(reals),
    )


def _mean(build: _Lowering, operator: TFLiteOperator) -> Layer:
    tensors = build.graph.tensors
    source, output = tensors[operator.inputs[0]], tensors[operator.outputs[0]]
    constant = tensors[operator.inputs[1]].constant
    axes = sorted({int(axis) % len(source.shape) for axis in constant}) if constant is not None else []
    if not axes or axes != list(range(axes[0], axes[-1] + 1)):
        raise _unsupported(operator, " over axes that are not adjacent")
    rows, channels = math.prod(source.shape[: axes[0]]), math.prod(source.shape[axes[-1] + 1 :])
    columns = math.prod(source.shape[axes[0] : axes[-1] + 1])
    multiplier, shift = fixed_point(source.scales[0] / output.scales[0])
    # The reference kernel folds 1 / columns into the multiplier, in integers.
    extra_shift = min(columns.bit_length() - 1, 31 + shift)
    fields = {"in_rows": rows, "in_columns": columns, "in_channels": channels, "low": -128, "high": 127}
    return Layer(
        kind="MEAN",
        inputs=(build.buffer(operator.inputs[0]),),
        output=operator.outputs[0],
        fields=fields | _zeros(source, output),
        leads=(None,),
        multipliers=np.array([(multiplier << extra_shift) // columns], np.int32),
        shifts=np.array([shift - extra_shift], np.int8),
    )


def _softmax(build: _Lowering, operator: TFLiteOperator) -> Layer:
    source, output = (build.graph.tensors[index] for index in (operator.inputs[0], operator.outputs[0]))
    if output.scales[0] != 1 / 256 or output.zero_points[0] != -128:
        raise _unsupported(operator, " with another output scale than 1/256")
    real = min(float(operator.options["beta"]) * source.scales[0] * 2.0**26, 2.0**31 - 1)
    rows = math.prod(source.shape[:-1])
    fields = {"in_channels": source.shape[-1], "out_channels": source.shape[-1], "out_rows": rows, "out_columns": 1}
    fields["low"] = -largest_difference(5, fixed_point(real)[1])
    buffer = build.buffer(operator.inputs[0])
    return Layer("SOFTMAX", (buffer,), operator.outputs[0], fields, (0,), **factor_arrays([real]))


def _sigmoid(build: _Lowering, operator: TFLiteOperator) -> Layer:
    source, output = (build.graph.tensors[index] for index in (operator.inputs[0], operator.outputs[0]))
    if output.scales[0] != 1 / 256 or output.zero_points[0] != -128:
        raise _unsupported(operator, " with another output scale than 1/256")
    real = source.scales[0] * 2.0**27
    fields = {"out_rows": 1, "out_columns": 1, "out_channels": math.prod(output.shape)}
    fields |= {"in_zero": source.zero_points[0], "high": largest_difference(4, fixed_point(real)[1])}
    buffer = build.buffer(operator.inputs[0])
    return Layer("SIGMOID", (buffer,), operator.outputs[0], fields, (0,), **factor_arrays([real]))


def _unsupported(operator: TFLiteOperator, form: str) -> LabeltoolError:
    return LabeltoolError(
        f"the C code does not support {operator.name}{form}, which the int8 model uses",
        remedy="choose another architecture, or export --int8 alone",
    )


_PADDING = ("CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D")

_BUILDERS: Mapping[str, Callable[[_Lowering, TFLiteOperator], Layer]] = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _convolution,
    "FULLY_CONNECTED": _dense,
    "MAX_POOL_2D": _pool,
    "AVERAGE_POOL_2D": _pool,
    "PAD": _pad,
    "TRANSPOSE": _transpose,
    "CONCATENATION": _concatenation,
    "ADD": _elementwise,
    "MUL": _elementwise,
    "MEAN": _mean,
    "SOFTMAX": _softmax,
    "LOGISTIC": _sigmoid,
}
