"""Summary of a TFLite file: shapes and scales of input and output, operators, multiply-accumulates, weights."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import prod

from labeltool.exporters.stm32.tflite import graph as tflite_graph
from labeltool.exporters.stm32.tflite.graph import Graph, read_graph
from labeltool.pretrained.runtimes.tflite_file import TFLiteOperator

# Operators whose constants are weights; those of others (paddings, shapes) are parameters of the code.
_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "MUL", "ADD", "SUB")


@dataclass(frozen=True, slots=True)
class TensorFormat:
    """Input or output of a network; `dtype` as TFLite calls it ("INT8", "FLOAT32").

    For int8 codes, `real = scale * (code - zero_point)`; both are None for real numbers.
    """

    shape: tuple[int, ...]
    dtype: str
    scale: float | None
    zero_point: int | None


@dataclass(frozen=True, slots=True)
class Network:
    """A network with one input and one output; `macc`: multiply-accumulates of one run (convolutions, dense layers)."""

    input: TensorFormat
    output: TensorFormat
    operators: dict[str, int]
    macc: int
    weight_bytes: int


def read_network(model: bytes) -> Network:
    """Read a TFLite file; count its operators, multiply-accumulates and weights."""
    graph = read_graph(model)
    weighted = {
        index for operator in graph.operators if operator.name in _WEIGHTED for index in operator.inputs if index >= 0
    }
    return Network(
        input=_end(graph.tensors[graph.input]),
        output=_end(graph.tensors[graph.output]),
        operators=dict(sorted(Counter(operator.name for operator in graph.operators).items())),
        macc=sum(_macc(graph, operator) for operator in graph.operators),
        weight_bytes=sum(graph.tensors[index].constant_bytes for index in weighted),
    )


def _end(tensor: tflite_graph.Tensor) -> TensorFormat:
    if len(tensor.scales) != 1:
        return TensorFormat(tensor.shape, tensor.dtype, None, None)
    return TensorFormat(tensor.shape, tensor.dtype, tensor.scales[0], tensor.zero_points[0])


def _macc(graph: Graph, operator: TFLiteOperator) -> int:
    if operator.name == "FULLY_CONNECTED":
        rows = prod(graph.tensors[operator.outputs[0]].shape[:-1])
        return rows * prod(graph.tensors[operator.inputs[1]].shape)
    if operator.name not in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        return 0
    # Weights are (filters, rows, columns, channels), of a depthwise convolution (1, rows, columns, channels).
    _, rows, columns, channels = graph.tensors[operator.inputs[1]].shape
    outputs = prod(graph.tensors[operator.outputs[0]].shape)
    return outputs * rows * columns * (channels if operator.name == "CONV_2D" else 1)
