"""What a TensorFlow Lite file says of itself beside the network: its sample rate, its class list.

The list is a file in a zip archive that is appended to the flatbuffer; the rate stands in a flatbuffer of its own
within it. Source: tflite-support's `metadata_schema.fbs`, whose field numbers are the constants below.
"""

from __future__ import annotations

import csv
import io
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import Any

from labeltool.pretrained import class_list

_NAME = b"TFLITE_METADATA"
_MODEL_SUBGRAPHS = 3
_SUBGRAPH_INPUTS, _SUBGRAPH_OUTPUTS = 2, 3
_TENSOR_CONTENT, _TENSOR_FILES = 3, 6
_FILE_NAME = 0
_CONTENT_TYPE, _CONTENT = 0, 1
_AUDIO = 4
_AUDIO_RATE = 0

# A table may list one entry many times over, and that one the like: so much at the most is looked at.
_MOST_ENTRIES = 32
_LONGEST_NAME = 256


@dataclass(frozen=True, slots=True)
class Metadata:
    """`rate_hz` and `classes` as a file tells them; None and empty where it does not."""

    rate_hz: int | None = None
    classes: tuple[str, ...] = ()


def read(content: bytes) -> Metadata:
    """Read what there is; what is damaged or absurd counts as not said.

    Parameters
    ----------
    content
        Of a TensorFlow Lite file whose tables were examined.
    """
    try:
        rate_hz, listed = _tables(content)
    except (struct.error, IndexError, ValueError, TypeError, AttributeError, OverflowError):
        rate_hz, listed = None, []
    return Metadata(rate_hz if rate_hz and 0 < rate_hz < 1_000_000 else None, _appended(content, listed))


def _tables(content: bytes) -> tuple[int | None, list[str]]:
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.Model.GetRootAs(content, 0)
    entries = (model.Metadata(i) for i in range(min(model.MetadataLength(), _MOST_ENTRIES)))
    place = next((one.Buffer() for one in entries if one.Name() == _NAME), None)
    if place is None:
        return None, []
    buffer = model.Buffers(place).DataAsNumpy().tobytes()
    (graph, *_) = _children(_root(buffer), _MODEL_SUBGRAPHS)
    rate_hz = None
    for tensor in _children(graph, _SUBGRAPH_INPUTS):
        rate_hz = rate_hz or _rate(tensor)
    files = [file for tensor in _children(graph, _SUBGRAPH_OUTPUTS) for file in _children(tensor, _TENSOR_FILES)]
    return rate_hz, [_text(file, _FILE_NAME) for file in files]


def _appended(content: bytes, listed: list[str]) -> tuple[str, ...]:
    """Return the class list in the appended archive: one that the tables name, else the only text there is."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            held = [one for one in archive.infolist() if one.file_size <= class_list.MOST_BYTES]
            named = [one for one in held if one.filename in listed]
            chosen = named or [one for one in held if one.filename.lower().endswith((".txt", ".csv"))]
            return class_list.parse(archive.read(chosen[0]).decode("utf-8-sig")) if len(chosen) == 1 or named else ()
    except (
        zipfile.BadZipFile,
        zlib.error,
        csv.Error,
        NotImplementedError,
        RuntimeError,
        ValueError,
        OSError,
        EOFError,
    ):
        return ()


def _root(buffer: bytes) -> Any:
    from flatbuffers import encode, packer
    from flatbuffers.table import Table

    return Table(buffer, encode.Get(packer.uoffset, buffer, 0))


def _slot(table: Any, field: int) -> int:
    """Return where a table's field stands, 0 where it is left out: offsets are two bytes each, from byte 4."""
    offset = table.Offset(4 + 2 * field)
    return table.Pos + int(offset) if offset else 0


def _children(table: Any, field: int) -> list[Any]:
    offset = table.Offset(4 + 2 * field)
    if not offset:
        return []
    start, count = table.Vector(offset), table.VectorLen(offset)
    if count > _MOST_ENTRIES:
        raise ValueError(count)
    return [_table(table, table.Indirect(start + 4 * i)) for i in range(count)]


def _table(parent: Any, place: int) -> Any:
    from flatbuffers.table import Table

    return Table(parent.Bytes, place)


def _text(table: Any, field: int) -> str:
    offset = table.Offset(4 + 2 * field)
    if not offset:
        return ""
    if table.VectorLen(offset) > _LONGEST_NAME:
        raise ValueError("name")
    return str(table.String(table.Pos + offset).decode("utf-8", "replace"))


def _rate(tensor: Any) -> int | None:
    from flatbuffers import number_types

    if not (content := _slot(tensor, _TENSOR_CONTENT)):
        return None
    described = _table(tensor, tensor.Indirect(content))
    kind, properties = _slot(described, _CONTENT_TYPE), _slot(described, _CONTENT)
    if not kind or not properties or described.Get(number_types.Uint8Flags, kind) != _AUDIO:
        return None
    audio = _table(described, described.Indirect(properties))
    rate = _slot(audio, _AUDIO_RATE)
    return int(audio.Get(number_types.Uint32Flags, rate)) if rate else None
