"""A TFLite file as plain data: operators, tensors and constants read from its flat buffer; nothing is executed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labeltool.errors import LabeltoolError
from labeltool.pretrained.runtimes.tflite_file import TFLiteFile, TFLiteOperator, TFLiteTensor
from labeltool.type_aliases import Int8, Int32


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor; `dtype` as TFLite calls it ("INT8", "FLOAT32").

    Attributes
    ----------
    scales, zero_points
        Quantisation, `real = scale * (code - zero_point)`: one for the tensor, one for each channel, or none for
        real numbers.
    constant : (prod(shape),) int8 or int32
        Its values in the file; None for tensors that are computed, and for other types.
    """

    shape: tuple[int, ...]
    dtype: str
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    constant: Int8 | Int32 | None
    constant_bytes: int


@dataclass(frozen=True, slots=True)
class Graph:
    """A network; operators in the order of execution."""

    tensors: tuple[Tensor, ...]
    operators: tuple[TFLiteOperator, ...]
    input: int
    output: int


def read_graph(model: bytes) -> Graph:
    """Read a TFLite file.

    Raises
    ------
    LabeltoolError
        When it is not a TFLite file, or does not have one input and one output.
    """
    try:
        file = TFLiteFile(model)
        if len(file.graphs) != 1:
            raise LabeltoolError(f"has {len(file.graphs)} graphs")
        graph = file.graphs[0]
        tensors = tuple(_tensor(file, number, tensor) for number, tensor in enumerate(graph.tensors))
        operators = file.operators()
    except (LabeltoolError, IndexError, ValueError) as error:
        raise LabeltoolError(
            f"the int8 model cannot be read as TFLite: {error}", remedy="retrain: the model's folder is damaged"
        ) from error
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise LabeltoolError("the int8 model must have one input and one output")
    return Graph(tensors, operators, graph.inputs[0], graph.outputs[0])


def _tensor(file: TFLiteFile, number: int, tensor: TFLiteTensor) -> Tensor:
    constant, dtype = file.buffer(tensor.buffer), {"INT8": "int8", "INT32": "<i4"}.get(tensor.dtype)
    scales, zero_points = file.quantization(number)
    return Tensor(
        shape=tensor.shape,
        dtype=tensor.dtype,
        scales=scales,
        zero_points=zero_points,
        constant=np.frombuffer(constant, dtype) if constant and dtype is not None else None,
        constant_bytes=len(constant),
    )
