"""A TFLite file as plain data, read from its flat buffer: operators, tensors, constants. Nothing is run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from labeltool.errors import LabeltoolError
from labeltool.type_aliases import Int8, Int32

_IDENTIFIER = b"TFL3"


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor; `dtype` as TFLite calls it ("INT8", "FLOAT32").

    Attributes
    ----------
    scales, zero_points
        Of codes, `real = scale * (code - zero_point)`: one for all, one a channel, or none where real numbers pass.
    constant : (prod(shape),) int8 or int32
        What the file holds for it; None for what is computed, and for types that are not read.
    constant_bytes
        How much the file holds for it.
    """

    shape: tuple[int, ...]
    dtype: str
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    constant: Int8 | Int32 | None
    constant_bytes: int


@dataclass(frozen=True, slots=True)
class Operator:
    """A step of the network; `inputs` and `outputs` index the graph's tensors, -1 stands for an input left out."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Graph:
    """A network in the order of its steps."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    input: int
    output: int


def read_graph(model: bytes) -> Graph:
    """Read a TFLite file.

    Raises
    ------
    LabeltoolError
        When it is no TFLite file, or does not have one input and one output.
    """
    if model[4:8] != _IDENTIFIER:
        raise LabeltoolError("the int8 model is not a TFLite file", remedy="retrain: the model's folder is damaged")
    from tensorflow.lite.python import schema_py_generated as schema

    try:
        return _read(schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0)), schema)
    except LabeltoolError:
        raise
    except Exception as error:  # a damaged flat buffer fails in many ways, struct.error and TypeError among them
        raise LabeltoolError(f"the int8 model cannot be read as TFLite: {error!r}") from error


def _read(model: Any, schema: Any) -> Graph:
    (graph,) = model.subgraphs
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise LabeltoolError("the int8 model must have one input and one output")
    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    dtypes = {code: name for name, code in vars(schema.TensorType).items() if not name.startswith("_")}
    operators = []
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        # Files of before 2021 keep the code in the narrow field only.
        name = names[max(code.builtinCode, code.deprecatedBuiltinCode)]
        options = dict(vars(operator.builtinOptions)) if operator.builtinOptions else {}
        inputs, outputs = (tuple(map(int, indices)) for indices in (operator.inputs, operator.outputs))
        operators.append(Operator(name, inputs, outputs, options))
    tensors = tuple(_tensor(tensor, model.buffers[tensor.buffer].data, dtypes) for tensor in graph.tensors)
    return Graph(tensors, tuple(operators), int(graph.inputs[0]), int(graph.outputs[0]))


def _tensor(tensor: Any, data: Any, dtypes: Mapping[int, str]) -> Tensor:
    shape = tuple(map(int, tensor.shape)) if tensor.shape is not None else ()
    dtype, quantization = dtypes[tensor.type], tensor.quantization
    held = b"" if data is None else bytes(data)
    readable = {"INT8": "int8", "INT32": "<i4"}.get(dtype)
    scales = () if quantization is None or quantization.scale is None else quantization.scale
    zero_points = () if quantization is None or quantization.zeroPoint is None else quantization.zeroPoint
    return Tensor(
        shape=shape,
        dtype=dtype,
        scales=tuple(map(float, scales)),
        zero_points=tuple(map(int, zero_points)),
        constant=np.frombuffer(held, readable) if held and readable is not None else None,
        constant_bytes=len(held),
    )
