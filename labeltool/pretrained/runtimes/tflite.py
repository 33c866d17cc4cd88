"""TensorFlow Lite files: a flatbuffer, whose tables are read before the interpreter sees it."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from labeltool.errors import LabeltoolError
from labeltool.networks import quantization
from labeltool.pretrained.runtimes.base import MOST_SIZES, Anatomy, Tensor, is_vector, only_input, read, require_sane
from labeltool.type_aliases import Float32

IDENTIFIER = b"TFL3"
"""What stands at byte 4 of every such file."""

# What flatbuffers' and NumPy's readers raise on offsets that lead nowhere.
_BROKEN = (struct.error, IndexError, ValueError, TypeError, AttributeError, OverflowError)

# Kernels that TensorFlow Lite itself brings under a custom name; "Flex" ones would run any TensorFlow operation, those
# that write files too.
_KNOWN_CUSTOM = frozenset({"AudioSpectrogram", "Mfcc"})
_CUSTOM = 32
_MOST_ENTRIES = 100_000  # of all tables together; YAMNet has some 300


def examine(path: Path) -> Anatomy:
    """Read a file's tables.

    Raises
    ------
    LabeltoolError
        When it is no whole TensorFlow Lite file, needs code of its own, or asks for absurd tensors.
    """
    content = read(path)
    if content[4:8] != IDENTIFIER:
        raise LabeltoolError("not a TensorFlow Lite network", file=path)
    try:
        return _anatomy(content, path)
    except _BROKEN as error:
        raise LabeltoolError("not a whole TensorFlow Lite network: it is cut short or damaged", file=path) from error


def _anatomy(content: bytes, path: Path) -> Anatomy:
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.Model.GetRootAs(content, 0)
    entries = _Entries(content)
    sizes = [_buffer_bytes(model.Buffers(i), len(content)) for i in entries.numbers(model.BuffersLength())]
    for i in entries.numbers(model.OperatorCodesLength()):
        code = model.OperatorCodes(i)
        if max(code.BuiltinCode(), code.DeprecatedBuiltinCode()) == _CUSTOM:
            name = (code.CustomCode() or b"")[:80].decode("utf-8", "replace")
            if name not in _KNOWN_CUSTOM:
                raise LabeltoolError(f"needs an operation of its own, {name!r}: such are not run", file=path)
    if model.SubgraphsLength() < 1:
        raise LabeltoolError("holds no network", file=path)
    graphs = []
    for number in entries.numbers(model.SubgraphsLength()):
        graph = model.Subgraphs(number)
        graphs.append([graph.Tensors(i) for i in entries.numbers(graph.TensorsLength())])
        for tensor in graphs[-1]:
            require_sane(_shape(tensor), path)
    graph, tensors = model.Subgraphs(0), graphs[0]
    inputs, outputs = (
        [Tensor(str(i), _shape(tensors[i])) for i in map(entry, entries.numbers(count))]
        for entry, count in ((graph.Inputs, graph.InputsLength()), (graph.Outputs, graph.OutputsLength()))
    )
    taken = {tensor.name for tensor in (*inputs, *outputs)}
    inner = tuple(
        Tensor(str(i), shape)
        for i, tensor in enumerate(tensors)
        if str(i) not in taken and not sizes[tensor.Buffer()] and is_vector(shape := _shape(tensor))
    )
    return Anatomy(only_input(inputs, path), tuple(outputs), inner)


class _Entries:
    """Counts what a file's tables list: an entry takes four bytes, and tables that share theirs are made up."""

    def __init__(self, content: bytes) -> None:
        self._left = min(len(content) // 4, _MOST_ENTRIES)

    def numbers(self, count: int) -> range:
        """Return the numbers of a table's entries; raises a `ValueError` where the file cannot hold so many."""
        self._left -= count
        if self._left < 0:
            raise ValueError(count)
        return range(count)


def _buffer_bytes(buffer: Any, length: int) -> int:
    """Return how long a buffer is; what claims to reach past the file is cut short."""
    size = int(buffer.DataLength())
    start = int(buffer._tab.Vector(buffer._tab.Offset(4))) if size else 0
    # Large files keep buffers behind the tables: offset and size stand in the tables.
    outside, outside_size = int(buffer.Offset()), int(buffer.Size())
    if start + size > length or (outside > 1 and outside + outside_size > length):
        raise ValueError("buffer")
    return max(size, outside_size if outside > 1 else 0)


def _shape(tensor: Any) -> tuple[int, ...]:
    if max(tensor.ShapeLength(), tensor.ShapeSignatureLength()) > MOST_SIZES:
        raise ValueError("shape")
    signature = tensor.ShapeSignatureAsNumpy() if tensor.ShapeSignatureLength() else tensor.ShapeAsNumpy()
    # Without a shape the reader returns the number 0: a scalar.
    return tuple(int(size) for size in np.atleast_1d(signature)) if tensor.ShapeLength() else ()


def open_network(path: Path, shape: tuple[int, ...], inner: str | None) -> TFLiteNetwork:
    """Load a file that was examined."""
    try:
        return TFLiteNetwork(read(path), shape, inner)
    except LabeltoolError as error:
        raise LabeltoolError(error.reason, file=path) from error


class TFLiteNetwork:
    """TensorFlow Lite's interpreter, float32 in and out also where the network itself counts in int8.

    Raises
    ------
    LabeltoolError
        When the interpreter refuses the file or the shape.
    """

    def __init__(self, content: bytes, shape: tuple[int, ...], inner: str | None) -> None:
        # Inner tensors are there to be read only where nothing overwrites or fuses them, which is slower.
        self._interpreter = quantization.interpreter(
            content, input_shape=shape, experimental_preserve_all_tensors=bool(inner)
        )
        (self._input,) = self._interpreter.get_input_details()
        _require_numbers(self._input)
        self._wanted = {int(one["index"]): one for one in self._interpreter.get_output_details()}
        if inner is not None:
            (details,) = (one for one in self._interpreter.get_tensor_details() if one["index"] == int(inner))
            self._wanted[int(inner)] = details
        for details in self._wanted.values():
            _require_numbers(details)

    def run(self, values: Float32) -> Mapping[str, Float32]:
        """Compute every output, and the inner tensor that was asked for, by name."""
        self._interpreter.set_tensor(self._input["index"], _quantised(values, self._input))
        try:
            self._interpreter.invoke()
        except (RuntimeError, ValueError) as error:
            raise LabeltoolError(f"the network stopped: {str(error).splitlines()[0]}") from error
        return {
            str(index): _dequantised(self._interpreter.get_tensor(index), details)
            for index, details in self._wanted.items()
        }


def _require_numbers(details: dict[str, Any]) -> None:
    quantised = details["dtype"] in (np.int8, np.uint8, np.int16) and details["quantization"][0]
    if details["dtype"] not in (np.float32, np.float16) and not quantised:
        raise LabeltoolError(f"its tensor {details['index']} holds {np.dtype(details['dtype'])}, not float32 or int8")


def _quantised(values: Float32, details: dict[str, Any]) -> Any:
    scale, zero_point = details["quantization"]
    if not scale:
        return values.astype(details["dtype"])
    limits = np.iinfo(details["dtype"])
    return np.clip(np.rint(values / np.float32(scale)) + zero_point, limits.min, limits.max).astype(details["dtype"])


def _dequantised(raw: Any, details: dict[str, Any]) -> Float32:
    scale, zero_point = details["quantization"]
    values = raw.astype(np.float32)
    return np.asarray((values - zero_point) * scale if scale else values, np.float32)
