"""ONNX files: a protocol buffer, whose graph is walked before onnxruntime sees it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from labeltool.ears import network, protobuf
from labeltool.ears.network import Anatomy, Float32, Tensor
from labeltool.errors import LabeltoolError

# Fields by number, of onnx.proto (github.com/onnx/onnx).
_MODEL_IR, _MODEL_GRAPH, _MODEL_TRAINING, _MODEL_FUNCTIONS = 1, 7, 20, 25
_MODEL_FIELDS = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26})
_NODES, _INITIALIZERS, _INPUTS, _OUTPUTS, _VALUES, _SPARSE = 1, 5, 11, 12, 13, 15
_FUNCTION_NODES = 7
_OPERATION, _ATTRIBUTES, _DOMAIN = 4, 5, 7
_ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS, _ATTRIBUTE_SPARSE = (5, 10), (6, 11), (22, 23)
_DIMS, _TENSOR_NAME, _EXTERNAL, _LOCATION = 1, 8, 13, 14

_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
_DEEPEST = 16  # graphs within graphs: If and Loop have them
_FLOATS = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}


def examine(path: Path) -> Anatomy:
    """Walk a file's graph.

    Raises
    ------
    LabeltoolError
        When it is no whole ONNX file, keeps its weights elsewhere, needs code of its own, or asks for absurd tensors.
    """
    content = network.read(path)
    try:
        model = protobuf.fields(memoryview(content))
        if not model.get(_MODEL_IR) or not set(model) <= _MODEL_FIELDS:
            raise ValueError("no model")
        (graph,) = protobuf.messages(model.get(_MODEL_GRAPH))
        walk = _Walk(path, len(content))
        walk.graph(graph)
        for function in protobuf.messages(model.get(_MODEL_FUNCTIONS)):
            walk.nodes(function.get(_FUNCTION_NODES), 0)
        weights = {protobuf.text(one.get(_TENSOR_NAME)) for one in protobuf.messages(graph.get(_INITIALIZERS))}
        # Older files list their weights among the inputs.
        inputs = [one for one in map(_value, protobuf.messages(graph.get(_INPUTS))) if one.name not in weights]
        outputs = tuple(map(_value, protobuf.messages(graph.get(_OUTPUTS))))
    except (ValueError, RecursionError) as error:
        raise LabeltoolError("not a whole ONNX network: damaged, or another kind of file", file=path) from error
    return Anatomy(network.only_input(inputs, path), outputs, ())


class _Walk:
    """Goes through graphs, those within graphs too, and refuses what must not reach the runtime."""

    def __init__(self, path: Path, length: int) -> None:
        self._path = path
        self._length = length

    def graph(self, graph: dict[int, list[protobuf.Field]], depth: int = 0) -> None:
        if depth > _DEEPEST:
            raise ValueError("graphs within graphs without end")
        for tensor in protobuf.messages(graph.get(_INITIALIZERS)):
            self._weights(tensor)
        for sparse in protobuf.messages(graph.get(_SPARSE)):
            self._sparse(sparse)
        for number in (_INPUTS, _OUTPUTS, _VALUES):
            for value in protobuf.messages(graph.get(number)):
                network.require_sane(_value(value).shape, self._path)
        self.nodes(graph.get(_NODES), depth)

    def nodes(self, nodes: list[protobuf.Field] | None, depth: int) -> None:
        for node in protobuf.messages(nodes):
            if (domain := protobuf.text(node.get(_DOMAIN))) not in _DOMAINS:
                operation = f"{domain}.{protobuf.text(node.get(_OPERATION))}"
                raise LabeltoolError(f"needs an operation of its own, {operation!r}: such are not run", file=self._path)
            for attribute in protobuf.messages(node.get(_ATTRIBUTES)):
                for number in _ATTRIBUTE_TENSORS:
                    for tensor in protobuf.messages(attribute.get(number)):
                        self._weights(tensor)
                for number in _ATTRIBUTE_SPARSE:
                    for sparse in protobuf.messages(attribute.get(number)):
                        self._sparse(sparse)
                for number in _ATTRIBUTE_GRAPHS:
                    for graph in protobuf.messages(attribute.get(number)):
                        self.graph(graph, depth + 1)

    def _weights(self, tensor: dict[int, list[protobuf.Field]]) -> None:
        if tensor.get(_EXTERNAL) or any(protobuf.numbers(tensor.get(_LOCATION))):
            raise LabeltoolError(
                "keeps its weights in another file", file=self._path, remedy="save it with all of them inside"
            )
        dims = protobuf.numbers(tensor.get(_DIMS))
        # The weights stand in the file, two to a byte at the least.
        if any(size < 0 for size in dims) or math.prod(dims) > 2 * self._length:
            raise LabeltoolError(f"claims weights of shape {dims} that it does not hold", file=self._path)

    def _sparse(self, sparse: dict[int, list[protobuf.Field]]) -> None:
        for number in (1, 2):
            for tensor in protobuf.messages(sparse.get(number)):
                self._weights(tensor)
        network.require_sane(protobuf.numbers(sparse.get(3)), self._path)


def _value(value: dict[int, list[protobuf.Field]]) -> Tensor:
    """Read a `ValueInfoProto`: a name, and a shape whose sizes may be names (-1)."""
    shape: list[int] = []
    for kind in protobuf.messages(value.get(2)):
        for tensor in protobuf.messages(kind.get(1)):
            for dims in protobuf.messages(tensor.get(2)):
                for dim in protobuf.messages(dims.get(1)):
                    shape.append((protobuf.numbers(dim.get(1)) or [-1])[0])
    return Tensor(protobuf.text(value.get(1)), tuple(shape))


def open_network(path: Path, shape: tuple[int, ...], inner: str | None) -> ONNXNetwork:
    """Load a file that was examined; ONNX hands out nothing that is no output, so there is nothing inner."""
    return ONNXNetwork(path)


class ONNXNetwork:
    """A session of onnxruntime on one thread.

    Raises
    ------
    LabeltoolError
        When onnxruntime is not installed or refuses the file.
    """

    def __init__(self, path: Path) -> None:
        onnxruntime = network.runtime("onnxruntime", "onnx", path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            # From bytes: without a path there is no folder that weights could be looked for in.
            self._session = onnxruntime.InferenceSession(
                network.read(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its exceptions have no base of their own
            raise LabeltoolError(f"onnxruntime refuses it: {_first_line(error)}", file=path) from error
        (given,) = self._session.get_inputs()
        if given.type not in _FLOATS:
            raise LabeltoolError(f"takes {given.type}, not float32", file=path)
        self._input, self._dtype = given.name, _FLOATS[given.type]
        self._outputs = [one.name for one in self._session.get_outputs() if one.type in _FLOATS]

    def run(self, values: Float32) -> Mapping[str, Float32]:
        """Compute every output that holds numbers, by name."""
        try:
            found = self._session.run(self._outputs, {self._input: values.astype(self._dtype)})
        except Exception as error:
            raise LabeltoolError(f"the network stopped: {_first_line(error)}") from error
        return {name: np.asarray(value, np.float32) for name, value in zip(self._outputs, found, strict=True)}


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
