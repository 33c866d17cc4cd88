"""Writes int8 networks as TensorFlow Lite files, operator by operator, or adds some to a file; no number changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from labeltool.networks.quantization import CodeScale

# Alignment of constants in the file: what reads it in place, on a device too, may read 16 bytes at once.
_ALIGNMENT = 16

# Options and first version with int8 of each operator.
_OPERATORS = {
    "CONV_2D": ("Conv2DOptions", 3),
    "DEPTHWISE_CONV_2D": ("DepthwiseConv2DOptions", 3),
    "AVERAGE_POOL_2D": ("Pool2DOptions", 2),
    "MAX_POOL_2D": ("Pool2DOptions", 2),
    "CONCATENATION": ("ConcatenationOptions", 2),
    "RESHAPE": ("ReshapeOptions", 1),
    "FULLY_CONNECTED": ("FullyConnectedOptions", 4),
    "SOFTMAX": ("SoftmaxOptions", 2),
    "LOGISTIC": (None, 2),
    "MEAN": ("ReducerOptions", 2),
    "MUL": ("MulOptions", 2),
    "ADD": ("AddOptions", 2),
    "DEQUANTIZE": ("DequantizeOptions", 2),
}


class TFLiteWriter:
    """A network of one graph under construction; tensors are known by their numbers.

    Attributes
    ----------
    graph
        The graph as TensorFlow's schema has it.

    Parameters
    ----------
    model
        A file whose network is added to; None: there is none yet.
    """

    def __init__(self, model: bytes | None = None) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self._schema: Any = schema
        if model is not None:
            self._model: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
            self.graph: Any = self._model.subgraphs[0]
            return
        self._model = schema.ModelT()
        self._model.version, self._model.description = 3, "labeltool"
        self._model.operatorCodes, self._model.buffers = [], [schema.BufferT()]
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self._model.subgraphs = [self.graph]

    def computed(self, name: str, shape: Sequence[int], codes: CodeScale | None) -> int:
        """Add a tensor that is computed, or given to the network: int8, or float32 without `codes`."""
        if codes is None:
            return self._tensor(name, "FLOAT32", shape, 0, (), ())
        return self._tensor(name, "INT8", shape, 0, [codes.scale], [codes.zero_point])

    def constant(
        self,
        name: str,
        values: npt.NDArray[np.integer[Any]],
        scales: Sequence[float] = (),
        axis: int = 0,
        zero_point: int = 0,
    ) -> int:
        """Add a constant, int8 or int32, with one scale, one for each entry along `axis`, or none for plain numbers."""
        buffer = self._schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
        self._model.buffers.append(buffer)
        dtype = {np.dtype(np.int8): "INT8", np.dtype(np.int32): "INT32"}[values.dtype]
        zeros = [zero_point] * len(scales)
        return self._tensor(name, dtype, values.shape, len(self._model.buffers) - 1, scales, zeros, axis)

    def width(self, tensor: int) -> int:
        """Return the length of a tensor's last axis."""
        return int(self.graph.tensors[tensor].shape[-1])

    def operator(self, kind: str, inputs: Sequence[int], output: int, **options: Any) -> None:
        """Add an operator; options as the schema's Python classes call them."""
        schema = self._schema
        options_type, version = _OPERATORS[kind]
        operator = schema.OperatorT()
        operator.opcodeIndex = self._code(getattr(schema.BuiltinOperator, kind), version)
        operator.inputs, operator.outputs = list(inputs), [output]
        if options_type is not None:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, options_type)
            operator.builtinOptions = getattr(schema, f"{options_type}T")()
            for name, value in options.items():
                setattr(operator.builtinOptions, name, value)
        self.graph.operators.append(operator)

    def packed(self, given: int, result: int) -> bytes:
        """Return the file of the network from one tensor to another."""
        self.graph.inputs, self.graph.outputs = [given], [result]
        builder = _aligned_builder()
        builder.Finish(self._model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def _code(self, builtin: int, version: int) -> int:
        codes = self._model.operatorCodes
        for index, code in enumerate(codes):
            if code.builtinCode == builtin:
                code.version = max(code.version, version)
                return index
        code = self._schema.OperatorCodeT()
        # Files of before 2021, and their readers, have the narrow field only.
        code.builtinCode = code.deprecatedBuiltinCode = builtin
        code.version = version
        codes.append(code)
        return len(codes) - 1

    def _tensor(
        self,
        name: str,
        dtype: str,
        shape: Sequence[int],
        buffer: int,
        scales: Sequence[float],
        zero_points: Sequence[int],
        axis: int = 0,
    ) -> int:
        schema = self._schema
        tensor = schema.TensorT()
        if any(one.name == name for one in self.graph.tensors):
            name = f"{name}_{len(self.graph.tensors)}"  # tools find tensors by their names
        tensor.name, tensor.shape, tensor.buffer, tensor.hasRank = name, list(shape), buffer, True
        tensor.type = getattr(schema.TensorType, dtype)
        if scales:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = np.array(scales, np.float32)
            tensor.quantization.zeroPoint = np.array(zero_points, np.int64)
            tensor.quantization.quantizedDimension = axis
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1


def _aligned_builder() -> Any:
    """Return a builder of flat buffers that aligns the bytes of constants as TensorFlow does.

    The schema demands it, and its Python code leaves it out.
    """
    import flatbuffers

    class Builder(flatbuffers.Builder):  # type: ignore[misc]
        def StartVector(self, elemSize: int, numElems: int, alignment: int) -> Any:
            return super().StartVector(elemSize, numElems, _ALIGNMENT if elemSize == 1 else alignment)

    return Builder(1 << 20)
