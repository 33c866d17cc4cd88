"""The network as an ONNX file in QDQ form, for the STM32N6: `stedgeai generate --st-neural-art` takes it.

Each operator stands between QuantizeLinear and DequantizeLinear with the scales of `model_st.tflite`; weights are int8,
biases int32. The input is float32 in decibels, (1, 1, mels, columns); the output float32 probabilities. Inside, tensors
are NCHW, as ONNX defines its convolutions. Operators are of opset 13, the first with a scale for each channel; ST Edge
AI Core 3.0.0 reads up to opset 20.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from labeltool.errors import LabeltoolError
from labeltool.exporters.stm32.st_model.frontend import Logarithm
from labeltool.exporters.stm32.tflite.geometry import same_padding
from labeltool.exporters.stm32.tflite.graph import Graph, Tensor, read_graph
from labeltool.pretrained.runtimes.tflite_file import TFLiteOperator

ONNX_MODEL = "model_st.onnx"
"""Name of the file in a package."""

_OPSET, _IR = 13, 8
_SAME = 0
# Of the axes of NCHW, those of NHWC.
_NCHW = (0, 3, 1, 2)
_INPUTS, _OUTPUT = {"db": "decibels", "ln": "log_mels"}, "probabilities"


def onnx_model(tflite: bytes, logarithm: Logarithm = "db") -> bytes:
    """Convert `model_st.tflite`.

    Parameters
    ----------
    tflite
        From `graph_edit.st_model`.
    logarithm
        Unit of its input, which gives the ONNX model's input its name.

    Returns
    -------
    bytes
        An ONNX file, checked by ONNX's own checker.

    Raises
    ------
    LabeltoolError
        When the package `onnx` is missing, or the network has an operator in a form that is not supported.
    """
    try:
        import onnx
    except ImportError as error:
        raise LabeltoolError("needs the package onnx", remedy="pip install 'labeltool[stm32n6]'") from error
    graph = read_graph(tflite)
    nodes = _Nodes(graph, onnx.helper, onnx.numpy_helper)
    given = _INPUTS[logarithm]
    nodes.input(graph.input, given)
    for operator in graph.operators:
        if operator.name not in _WRITERS:
            raise _unsupported(operator)
        _WRITERS[operator.name](nodes, operator)
    float32 = onnx.TensorProto.FLOAT
    model = onnx.helper.make_model(
        onnx.helper.make_graph(
            nodes.nodes,
            "labeltool",
            [onnx.helper.make_tensor_value_info(given, float32, _shape(graph.tensors[graph.input]))],
            [onnx.helper.make_tensor_value_info(_OUTPUT, float32, graph.tensors[graph.output].shape)],
            nodes.initializers,
        ),
        producer_name="labeltool",
        opset_imports=[onnx.helper.make_opsetid("", _OPSET)],
        ir_version=_IR,
    )
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


class _Nodes:
    """The nodes of the ONNX graph; a tensor of the TFLite graph has the same number in its name."""

    def __init__(self, graph: Graph, helper: Any, numpy_helper: Any) -> None:
        self.tensors = graph.tensors
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self._output = graph.output
        self._helper, self._numpy_helper = helper, numpy_helper
        self._flattened: dict[int, tuple[int, int, int]] = {}

    def node(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Add a node and return its output."""
        self.nodes.append(self._helper.make_node(kind, list(inputs), [output], name=f"{kind}_{output}", **attributes))
        return output

    def constant(self, name: str, values: npt.ArrayLike) -> str:
        """Add an initializer and return its name."""
        self.initializers.append(self._numpy_helper.from_array(np.array(values, order="C"), name))
        return name

    def input(self, tensor: int, name: str) -> None:
        """Quantise the input of the model, which has that name."""
        self._quantised(tensor, name)

    def result(self, operator: TFLiteOperator, kind: str, inputs: Sequence[str], **attributes: Any) -> None:
        """Add the node of an operator, its fused activation, and both nodes that quantise its output."""
        index = operator.outputs[0]
        name = self.node(kind, inputs, f"t{index}_real", **attributes)
        activation = operator.options.get("fusedActivationFunction", 0)
        if activation == _RELU:
            name = self.node("Relu", [name], f"t{index}_relu")
        elif activation == _RELU6:
            limits = [self.constant(f"t{index}_{of}", np.float32(value)) for of, value in (("low", 0), ("high", 6))]
            name = self.node("Clip", [name, *limits], f"t{index}_relu6")
        elif activation:
            raise _unsupported(operator, " with its fused activation")
        self._quantised(index, name)

    def real(self, operator: TFLiteOperator, index: int) -> str:
        """Return the name of a tensor's real numbers, NCHW; a constant is added."""
        tensor = self.tensors[index]
        if tensor.constant is None:
            if index in self._flattened:
                raise _unsupported(operator, " of a flattened tensor")
            return f"t{index}"
        values = tensor.constant.reshape(tensor.shape)
        if values.ndim == 1:  # one for each channel
            values = values.reshape(1, 1, 1, -1)
        return self.weights(f"t{index}", values.transpose(_NCHW) if values.ndim == 4 else values, tensor, 0)

    def weights(self, name: str, values: npt.NDArray[Any], tensor: Tensor, axis: int) -> str:
        """Add a constant with its scale, or with one for each index of an axis, and return its real numbers."""
        scalar = len(tensor.scales) == 1
        scales = np.array(tensor.scales, np.float32)
        zeros = np.array(tensor.zero_points, values.dtype)
        given = [
            self.constant(f"{name}_codes", values),
            self.constant(f"{name}_scale", scales[0] if scalar else scales),
            self.constant(f"{name}_zero", zeros[0] if scalar else np.resize(zeros, len(scales))),
        ]
        return self.node("DequantizeLinear", given, name, **({} if scalar else {"axis": axis}))

    def bias(self, operator: TFLiteOperator, outputs: int) -> list[str]:
        """Return the name of a layer's bias, int32; none where it has no bias."""
        index = operator.inputs[2] if len(operator.inputs) > 2 else -1
        if index < 0:
            return []
        tensor = self.tensors[index]
        if tensor.constant is None or tensor.dtype != "INT32":
            raise _unsupported(operator, " with biases that are not int32 constants")
        return [self.weights(f"t{index}_of_t{operator.outputs[0]}", tensor.constant.reshape(outputs), tensor, 0)]

    def flatten(self, operator: TFLiteOperator) -> None:
        """Note a RESHAPE to one row; channels come first in ONNX, so the weights of its reader get that order."""
        source, output = self.tensors[operator.inputs[0]], self.tensors[operator.outputs[0]]
        if len(source.shape) not in (2, 4) or output.shape != (1, math.prod(source.shape)):
            raise _unsupported(operator, f" of shapes {source.shape} and {output.shape}")
        name = self.real(operator, operator.inputs[0])
        if len(source.shape) == 4 and math.prod(source.shape[1:3]) > 1 and source.shape[3] > 1:
            self._flattened[operator.outputs[0]] = (source.shape[1], source.shape[2], source.shape[3])
        self.result(operator, "Flatten", [name], axis=1)

    def dense(self, operator: TFLiteOperator) -> None:
        """Add a dense layer, of one row or of one cell."""
        source, weights = operator.inputs[0], self.tensors[operator.inputs[1]]
        shape, given = self.tensors[source].shape, f"t{source}"
        if len(shape) not in (2, 4) or math.prod(shape[:-1]) != 1 or weights.constant is None:
            raise _unsupported(operator, f" of shape {shape}")
        if len(shape) == 4:
            given = self.node("Flatten", [given], f"t{source}_flat_of_t{operator.outputs[0]}", axis=1)
        codes = weights.constant.reshape(weights.shape)
        if source in self._flattened:
            rows, columns, channels = self._flattened[source]
            codes = codes.reshape(-1, rows, columns, channels).transpose(0, 3, 1, 2).reshape(weights.shape)
        inputs = [given, self.weights(f"w{operator.outputs[0]}", codes, weights, 0)]
        self.result(operator, "Gemm", [*inputs, *self.bias(operator, weights.shape[0])], transB=1)

    def _quantised(self, index: int, name: str) -> None:
        tensor = self.tensors[index]
        scale = self.constant(f"t{index}_scale", np.float32(tensor.scales[0]))
        zero = self.constant(f"t{index}_zero", np.int8(tensor.zero_points[0]))
        codes = self.node("QuantizeLinear", [name, scale, zero], f"t{index}_q")
        self.node("DequantizeLinear", [codes, scale, zero], f"t{index}")

    def dequantize(self, operator: TFLiteOperator) -> None:
        """Name the output of the model, whose last node dequantises already."""
        if operator.outputs[0] != self._output:
            raise _unsupported(operator, " inside the network")
        self.nodes[-1].output[0] = _OUTPUT


_RELU, _RELU6 = 1, 3


def _shape(tensor: Tensor) -> tuple[int, ...]:
    return tuple(tensor.shape[axis] for axis in _NCHW)


def _window(nodes: _Nodes, operator: TFLiteOperator, kernel: tuple[int, int]) -> dict[str, list[int]]:
    """Return kernel, strides and paddings of a convolution or pool as attributes of ONNX."""
    options = operator.options
    if options.get("dilationHFactor", 1) != 1 or options.get("dilationWFactor", 1) != 1:
        raise _unsupported(operator, " with dilation")
    strides = int(options["strideH"]), int(options["strideW"])
    before, after = [0, 0], [0, 0]
    if options["padding"] == _SAME:
        sizes, outs = nodes.tensors[operator.inputs[0]].shape[1:3], nodes.tensors[operator.outputs[0]].shape[1:3]
        for axis, (size, out, width, stride) in enumerate(zip(sizes, outs, kernel, strides, strict=True)):
            before[axis] = same_padding(size, out, width, stride)
            after[axis] = max(0, (out - 1) * stride + width - size) - before[axis]
    return {"kernel_shape": list(kernel), "strides": list(strides), "pads": [*before, *after]}


def _convolution(nodes: _Nodes, operator: TFLiteOperator) -> None:
    weights, depthwise = nodes.tensors[operator.inputs[1]], operator.name == "DEPTHWISE_CONV_2D"
    if weights.constant is None:
        raise _unsupported(operator, " with weights that are not constant")
    codes = weights.constant.reshape(weights.shape)
    codes = codes.transpose(3, 0, 1, 2) if depthwise else codes.transpose(0, 3, 1, 2)
    channels = nodes.tensors[operator.inputs[0]].shape[3]
    given = [
        nodes.real(operator, operator.inputs[0]),
        nodes.weights(f"w{operator.outputs[0]}", codes, weights, 0),
        *nodes.bias(operator, len(codes)),
    ]
    groups = {"group": channels if depthwise else 1}
    nodes.result(operator, "Conv", given, **groups, **_window(nodes, operator, (codes.shape[2], codes.shape[3])))


def _pool(nodes: _Nodes, operator: TFLiteOperator) -> None:
    kernel = int(operator.options["filterHeight"]), int(operator.options["filterWidth"])
    kind = "MaxPool" if operator.name == "MAX_POOL_2D" else "AveragePool"
    nodes.result(operator, kind, [nodes.real(operator, operator.inputs[0])], **_window(nodes, operator, kernel))


def _reshape(nodes: _Nodes, operator: TFLiteOperator) -> None:
    source, output = (nodes.tensors[index] for index in (operator.inputs[0], operator.outputs[0]))
    size, name = math.prod(source.shape), f"t{operator.outputs[0]}"
    if len(source.shape) != 4 or output.shape != (1, 1, 1, size):
        nodes.flatten(operator)
        return
    # To one cell: its channels are in the order of a tensor whose channels come last.
    given = nodes.node("Transpose", [nodes.real(operator, operator.inputs[0])], f"{name}_nhwc", perm=[0, 2, 3, 1])
    shape = nodes.constant(f"{name}_shape", np.array([1, size, 1, 1], np.int64))
    nodes.result(operator, "Reshape", [given, shape])


def _concatenation(nodes: _Nodes, operator: TFLiteOperator) -> None:
    given = [nodes.real(operator, index) for index in operator.inputs]
    rank = len(nodes.tensors[operator.outputs[0]].shape)
    axis = int(operator.options["axis"]) % rank
    nodes.result(operator, "Concat", given, axis=_NCHW.index(axis) if rank == 4 else axis)


def _pad(nodes: _Nodes, operator: TFLiteOperator) -> None:
    widths = nodes.tensors[operator.inputs[1]].constant
    if widths is None or len(widths) != 8:
        raise _unsupported(operator, " with paddings that are not constant")
    pads = widths.reshape(4, 2)[list(_NCHW)].T.ravel().astype(np.int64)
    name = f"t{operator.outputs[0]}_pads"
    nodes.result(operator, "Pad", [nodes.real(operator, operator.inputs[0]), nodes.constant(name, pads)])


def _mean(nodes: _Nodes, operator: TFLiteOperator) -> None:
    axes = nodes.tensors[operator.inputs[1]].constant
    if axes is None or len(nodes.tensors[operator.inputs[0]].shape) != 4:
        raise _unsupported(operator, " over axes that are not constant")
    ours = sorted(_NCHW.index(int(axis) % 4) for axis in axes)
    keep = int(bool(operator.options["keepDims"]))
    if not keep and len(nodes.tensors[operator.outputs[0]].shape) > 2:
        raise _unsupported(operator, " that leaves more than one axis")
    nodes.result(operator, "ReduceMean", [nodes.real(operator, operator.inputs[0])], axes=ours, keepdims=keep)


def _elementwise(nodes: _Nodes, operator: TFLiteOperator) -> None:
    given = [nodes.real(operator, index) for index in operator.inputs]
    nodes.result(operator, "Add" if operator.name == "ADD" else "Mul", given)


def _transpose(nodes: _Nodes, operator: TFLiteOperator) -> None:
    order = nodes.tensors[operator.inputs[1]].constant
    if order is None or len(order) != 4:
        raise _unsupported(operator, " of other than four axes")
    ours = [_NCHW.index(int(order[axis])) for axis in _NCHW]
    nodes.result(operator, "Transpose", [nodes.real(operator, operator.inputs[0])], perm=ours)


def _softmax(nodes: _Nodes, operator: TFLiteOperator) -> None:
    if operator.options["beta"] != 1.0 or len(nodes.tensors[operator.inputs[0]].shape) != 2:
        raise _unsupported(operator, " of another form")
    nodes.result(operator, "Softmax", [nodes.real(operator, operator.inputs[0])], axis=1)


def _sigmoid(nodes: _Nodes, operator: TFLiteOperator) -> None:
    nodes.result(operator, "Sigmoid", [nodes.real(operator, operator.inputs[0])])


def _unsupported(operator: TFLiteOperator, form: str = "") -> LabeltoolError:
    return LabeltoolError(f"{operator.name}{form} is not supported")


_WRITERS: Mapping[str, Callable[[_Nodes, TFLiteOperator], None]] = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _convolution,
    "FULLY_CONNECTED": _Nodes.dense,
    "MAX_POOL_2D": _pool,
    "AVERAGE_POOL_2D": _pool,
    "CONCATENATION": _concatenation,
    "PAD": _pad,
    "MEAN": _mean,
    "ADD": _elementwise,
    "MUL": _elementwise,
    "RESHAPE": _reshape,
    "TRANSPOSE": _transpose,
    "SOFTMAX": _softmax,
    "LOGISTIC": _sigmoid,
    "DEQUANTIZE": _Nodes.dequantize,
}
