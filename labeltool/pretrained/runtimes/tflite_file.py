"""TensorFlow Lite files as plain data, read within bounds from their flatbuffer; nothing is run.

The runtime, the metadata reader and the STM32 exporter all read files through this module. A file may come from
anybody: what its tables list is counted, and what claims to reach past the file is refused.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any

from labeltool.errors import LabeltoolError
from labeltool.pretrained.runtimes.base import MAX_DIMENSIONS

_IDENTIFIER = b"TFL3"  # at byte 4 of every such file
_CUSTOM = 32
_MAX_ENTRIES = 100_000  # of all tables together; YAMNet has some 300

# What flatbuffers' and NumPy's readers raise on offsets that lead nowhere.
_DAMAGE = (struct.error, IndexError, ValueError, TypeError, AttributeError, OverflowError, KeyError)


@dataclass(frozen=True, slots=True)
class TFLiteTensor:
    """A tensor of a graph.

    Attributes
    ----------
    shape
        As it is allocated first.
    signature
        The same with -1 for a size that is not fixed.
    dtype
        As TFLite names it: "INT8", "FLOAT32".
    buffer
        Number of the buffer with its constant; an empty buffer where it is computed.
    """

    shape: tuple[int, ...]
    signature: tuple[int, ...]
    dtype: str
    buffer: int


@dataclass(frozen=True, slots=True)
class TFLiteOperator:
    """An operator by its built-in name; `inputs` and `outputs` index the graph's tensors, -1 is an omitted input."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TFLiteGraph:
    """A graph's tensors, and which of them are its inputs and outputs."""

    tensors: tuple[TFLiteTensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class TFLiteFile:
    """A TensorFlow Lite file.

    Attributes
    ----------
    graphs
        In the file's order; the first is the network.
    buffer_sizes
        Bytes of each buffer; all of them are in the file.
    custom_operations
        Names of the operations that TensorFlow Lite does not define.

    Raises
    ------
    LabeltoolError
        When it is no TensorFlow Lite file, or damaged.
    """

    def __init__(self, content: bytes) -> None:
        if content[4:8] != _IDENTIFIER:
            raise LabeltoolError("not a TensorFlow Lite network")
        self._content = content
        with _damage_as_error():
            self._model = self._schema.Model.GetRootAs(content, 0)
            entries = _EntryCounter(content)
            self._buffers = [
                self._buffer_place(self._model.Buffers(i)) for i in entries.numbers(self._model.BuffersLength())
            ]
            self.buffer_sizes = tuple(size for _, size in self._buffers)
            codes = [self._model.OperatorCodes(i) for i in entries.numbers(self._model.OperatorCodesLength())]
            # Files of before 2021 keep the code in the narrow field only.
            self._codes = [max(code.BuiltinCode(), code.DeprecatedBuiltinCode()) for code in codes]
            self.custom_operations = tuple(
                (code.CustomCode() or b"")[:80].decode("utf-8", "replace")
                for code, number in zip(codes, self._codes, strict=True)
                if number == _CUSTOM
            )
            self.graphs = tuple(
                self._graph(self._model.Subgraphs(i), entries) for i in entries.numbers(self._model.SubgraphsLength())
            )

    @cached_property
    def _schema(self) -> ModuleType:
        from ai_edge_litert import schema_py_generated

        module: ModuleType = schema_py_generated
        return module

    @cached_property
    def _dtypes(self) -> dict[int, str]:
        return _names_of(self._schema.TensorType)

    def buffer(self, number: int) -> bytes:
        """Return a buffer's bytes, empty where it has none."""
        start, size = self._buffers[number]
        return self._content[start : start + size]

    def quantization(self, tensor: int) -> tuple[tuple[float, ...], tuple[int, ...]]:
        """Return scales and zero points of a tensor of the first graph: `real = scale * (code - zero_point)`.

        One for all, one per channel, or none where numbers are real.

        Raises
        ------
        LabeltoolError
            When they are damaged.
        """
        with _damage_as_error():
            found = self._model.Subgraphs(0).Tensors(tensor).Quantization()
            scales = found.ScaleAsNumpy() if found is not None and found.ScaleLength() else ()
            zero_points = found.ZeroPointAsNumpy() if found is not None and found.ZeroPointLength() else ()
            return tuple(map(float, scales)), tuple(map(int, zero_points))

    def operators(self) -> tuple[TFLiteOperator, ...]:
        """Return the operators of the first graph in the order they run, with their options.

        Raises
        ------
        LabeltoolError
            When they are damaged.
        """
        with _damage_as_error():
            names, graph = _names_of(self._schema.BuiltinOperator), self._model.Subgraphs(0)
            entries = _EntryCounter(self._content)
            operators = []
            for i in entries.numbers(graph.OperatorsLength()):
                operator = self._schema.OperatorT.InitFromObj(graph.Operators(i))
                inputs, outputs = (tuple(map(int, indices)) for indices in (operator.inputs, operator.outputs))
                options = dict(vars(operator.builtinOptions)) if operator.builtinOptions else {}
                operators.append(TFLiteOperator(names[self._codes[operator.opcodeIndex]], inputs, outputs, options))
            return tuple(operators)

    def metadata(self, name: bytes, max_entries: int) -> bytes | None:
        """Return the metadata of a name among the first entries; None where there is none.

        Raises
        ------
        LabeltoolError
            When the entries are damaged.
        """
        with _damage_as_error():
            entries = (self._model.Metadata(i) for i in range(min(self._model.MetadataLength(), max_entries)))
            number = next((entry.Buffer() for entry in entries if entry.Name() == name), None)
            return None if number is None else self.buffer(number)

    def _buffer_place(self, buffer: Any) -> tuple[int, int]:
        """Return where a buffer's bytes are and how many; raises a `ValueError` where they reach past the file."""
        size = int(buffer.DataLength())
        start = int(buffer._tab.Vector(buffer._tab.Offset(4))) if size else 0
        # Large files keep buffers behind the tables: offset and size stand in the tables.
        outside, outside_size = int(buffer.Offset()), int(buffer.Size())
        length = len(self._content)
        if start + size > length or (outside > 1 and outside + outside_size > length):
            raise ValueError("buffer")
        return (outside, outside_size) if outside > 1 and outside_size > size else (start, size)

    def _graph(self, graph: Any, entries: _EntryCounter) -> TFLiteGraph:
        tensors = tuple(self._tensor(graph.Tensors(i)) for i in entries.numbers(graph.TensorsLength()))
        inputs, outputs = (
            tuple(int(entry(i)) for i in entries.numbers(count))
            for entry, count in ((graph.Inputs, graph.InputsLength()), (graph.Outputs, graph.OutputsLength()))
        )
        return TFLiteGraph(tensors, inputs, outputs)

    def _tensor(self, tensor: Any) -> TFLiteTensor:
        if max(tensor.ShapeLength(), tensor.ShapeSignatureLength()) > MAX_DIMENSIONS:
            raise ValueError("shape")
        shape = tuple(tensor.Shape(i) for i in range(tensor.ShapeLength()))
        signature = tuple(tensor.ShapeSignature(i) for i in range(tensor.ShapeSignatureLength()))
        dtype = self._dtypes[tensor.Type()]
        return TFLiteTensor(shape, (signature or shape) if shape else (), dtype, tensor.Buffer())


class _EntryCounter:
    """Counts what a file's tables list: an entry takes four bytes, so more of them are made up."""

    def __init__(self, content: bytes) -> None:
        self._left = min(len(content) // 4, _MAX_ENTRIES)

    def numbers(self, count: int) -> range:
        """Return the numbers of a table's entries; raises a `ValueError` where the file cannot have that many."""
        self._left -= count
        if self._left < 0:
            raise ValueError(count)
        return range(count)


@contextmanager
def _damage_as_error() -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise LabeltoolError("not a whole TensorFlow Lite network: it is cut short or damaged") from error


def _names_of(enumeration: Any) -> dict[int, str]:
    return {code: name for name, code in vars(enumeration).items() if not name.startswith("_")}
