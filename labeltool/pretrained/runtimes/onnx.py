"""ONNX files: a protocol buffer, whose graph is checked before onnxruntime sees it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from labeltool.errors import LabeltoolError
from labeltool.pretrained.runtimes import base, protobuf
from labeltool.pretrained.runtimes.base import NetworkLayout, Tensor
from labeltool.type_aliases import Float32

# Fields by number, of onnx.proto (github.com/onnx/onnx).
_MODEL_IR, _MODEL_GRAPH, _MODEL_FUNCTIONS = 1, 7, 25
# Not 20, graphs for training: inference needs none.
_MODEL_FIELDS = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 14, 25, 26})
_NODES, _INITIALIZERS, _INPUTS, _OUTPUTS, _VALUES, _SPARSE = 1, 5, 11, 12, 13, 15
_FUNCTION_NODES, _FUNCTION_DEFAULTS = 7, 11
_OPERATION, _ATTRIBUTES, _DOMAIN = 4, 5, 7
_ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS, _ATTRIBUTE_SPARSE = (5, 10), (6, 11), (22, 23)
_DIMS, _TENSOR_NAME, _EXTERNAL, _LOCATION = 1, 8, 13, 14

_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
_MAX_DEPTH = 16  # of nested graphs: If and Loop have them
_FLOAT_TYPES = frozenset({1, 10, 11})  # TensorProto's numbers for those below
_FLOATS = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}


def network_files(path: Path) -> tuple[Path, ...]:
    """Return the file alone: weights are inside."""
    return (path,)


def read_layout(path: Path) -> NetworkLayout:
    """Read a file's graph.

    Raises
    ------
    LabeltoolError
        When it is no whole ONNX file, keeps its weights elsewhere, needs code of its own, or asks for absurd tensors.
    """
    content = base.read_file(path)
    try:
        checker = _GraphChecker(path, len(content))
        read = checker.reader
        model = read.fields(memoryview(content))
        if not model.get(_MODEL_IR) or not set(model) <= _MODEL_FIELDS:
            raise ValueError("no model")
        (graph,) = read.messages(model.get(_MODEL_GRAPH))
        checker.graph(graph)
        for function in read.messages(model.get(_MODEL_FUNCTIONS)):
            checker.nodes(function.get(_FUNCTION_NODES), 0)
            checker.attributes(function.get(_FUNCTION_DEFAULTS), 0)
        weights = {protobuf.text(one.get(_TENSOR_NAME)) for one in read.messages(graph.get(_INITIALIZERS))}
        # Older files list their weights among the inputs.
        inputs = [one for one, _ in checker.values(graph.get(_INPUTS)) if one.name not in weights]
        # Some have an output with the number of the most likely class too.
        outputs = tuple(one for one, kind in checker.values(graph.get(_OUTPUTS)) if kind in _FLOAT_TYPES)
    except (ValueError, RecursionError) as error:
        raise LabeltoolError("not a whole ONNX network: damaged, or another kind of file", file=path) from error
    return NetworkLayout(base.single_input(inputs, path), outputs, ())


class _GraphChecker:
    """Goes through graphs, nested ones too, and refuses what must not reach the runtime."""

    def __init__(self, path: Path, length: int) -> None:
        self.reader = protobuf.Reader()
        self._path = path
        self._length = length

    def graph(self, graph: dict[int, list[protobuf.Field]], depth: int = 0) -> None:
        if depth > _MAX_DEPTH:
            raise ValueError("graphs nested without end")
        for tensor in self.reader.messages(graph.get(_INITIALIZERS)):
            self._weights(tensor)
        for sparse in self.reader.messages(graph.get(_SPARSE)):
            self._sparse(sparse)
        for number in (_INPUTS, _OUTPUTS, _VALUES):
            for value, _ in self.values(graph.get(number)):
                base.require_bounded_shape(value.shape, self._path)
        self.nodes(graph.get(_NODES), depth)

    def nodes(self, nodes: list[protobuf.Field] | None, depth: int) -> None:
        for node in self.reader.messages(nodes):
            if (domain := protobuf.text(node.get(_DOMAIN))) not in _DOMAINS:
                operation = f"{domain}.{protobuf.text(node.get(_OPERATION))}"[:80]
                raise LabeltoolError(f"needs an operation of its own, {operation!r}: such are not run", file=self._path)
            self.attributes(node.get(_ATTRIBUTES), depth)

    def attributes(self, attributes: list[protobuf.Field] | None, depth: int) -> None:
        read = self.reader
        for attribute in read.messages(attributes):
            for number in _ATTRIBUTE_TENSORS:
                for tensor in read.messages(attribute.get(number)):
                    self._weights(tensor)
            for number in _ATTRIBUTE_SPARSE:
                for sparse in read.messages(attribute.get(number)):
                    self._sparse(sparse)
            for number in _ATTRIBUTE_GRAPHS:
                for graph in read.messages(attribute.get(number)):
                    self.graph(graph, depth + 1)

    def values(self, values: list[protobuf.Field] | None) -> Iterator[tuple[Tensor, int]]:
        """Read each `ValueInfoProto`: a name, a shape whose sizes may be names (-1), and the number of its type."""
        read = self.reader
        for value in read.messages(values):
            shape: list[int] = []
            item = 0
            for kind in read.messages(value.get(2)):
                for tensor in read.messages(kind.get(1)):
                    item = (read.numbers(tensor.get(1)) or [0])[-1]
                    for dims in read.messages(tensor.get(2)):
                        shape += [(read.numbers(dim.get(1)) or [-1])[0] for dim in read.messages(dims.get(1))]
            yield Tensor(protobuf.text(value.get(1)), tuple(shape)), item

    def _weights(self, tensor: dict[int, list[protobuf.Field]]) -> None:
        if tensor.get(_EXTERNAL) or any(self.reader.numbers(tensor.get(_LOCATION))):
            raise LabeltoolError(
                "keeps its weights in another file", file=self._path, remedy="save it with all of them inside"
            )
        dims = self.reader.numbers(tensor.get(_DIMS))
        # The weights are in the file, no more than two per byte.
        too_many = len(dims) > base.MAX_DIMENSIONS
        if too_many or min(dims, default=0) < 0 or math.prod(dims) > 2 * self._length:
            shape = dims[: base.MAX_DIMENSIONS]
            raise LabeltoolError(f"claims weights of shape {shape} that are not in it", file=self._path)

    def _sparse(self, sparse: dict[int, list[protobuf.Field]]) -> None:
        for number in (1, 2):
            for tensor in self.reader.messages(sparse.get(number)):
                self._weights(tensor)
        base.require_bounded_shape(self.reader.numbers(sparse.get(3)), self._path)


def open_network(path: Path, shape: tuple[int, ...], inner: str | None) -> ONNXNetwork:
    """Load a file whose layout was read; onnxruntime returns outputs only, so there is no inner tensor."""
    return ONNXNetwork(path)


class ONNXNetwork:
    """A session of onnxruntime on one thread.

    Raises
    ------
    LabeltoolError
        When onnxruntime is not installed or refuses the file.
    """

    def __init__(self, path: Path) -> None:
        onnxruntime = base.import_runtime("onnxruntime", "onnx", path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            # From bytes, not from a path. Either way onnxruntime would look for weights in other files, for bytes in
            # those below the working directory; `read_layout` has refused every tensor that names one.
            content = base.read_file(path)
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
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
