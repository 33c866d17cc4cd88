"""Metadata of a TensorFlow Lite file: its sample rate and its class list.

The list is a file in a zip archive that is appended to the flatbuffer; the rate is in a flatbuffer of its own within
it. Source: tflite-support's `metadata_schema.fbs`, whose field numbers are the constants below.
"""

from __future__ import annotations

import csv
import io
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import Any

from labeltool.errors import LabeltoolError
from labeltool.pretrained import class_list
from labeltool.pretrained.runtimes.tflite_file import TFLiteFile
from labeltool.util.files.bounded_read import MAX_BYTES

_NAME = b"TFLITE_METADATA"
_MODEL_SUBGRAPHS = 3
_SUBGRAPH_INPUTS, _SUBGRAPH_OUTPUTS = 2, 3
_TENSOR_CONTENT, _TENSOR_FILES = 3, 6
_FILE_NAME = 0
_CONTENT_TYPE, _CONTENT = 0, 1
_AUDIO = 4
_AUDIO_RATE = 0

# A table may list one entry many times over, and that one others in turn: no more than this are read.
_MAX_ENTRIES = 32
_MAX_NAME_BYTES = 256


@dataclass(frozen=True, slots=True)
class Metadata:
    """`rate_hz` and `classes` of a file; None and empty where it does not give them."""

    rate_hz: int | None = None
    classes: tuple[str, ...] = ()


def read(content: bytes) -> Metadata:
    """Read what a TensorFlow Lite file gives; what is damaged or absurd counts as absent."""
    try:
        rate_hz, list_names = _read_tables(content)
    except (LabeltoolError, struct.error, IndexError, ValueError, TypeError, AttributeError, OverflowError):
        rate_hz, list_names = None, []
    return Metadata(rate_hz if rate_hz and 0 < rate_hz < 1_000_000 else None, _appended_classes(content, list_names))


def _read_tables(content: bytes) -> tuple[int | None, list[str]]:
    """Return the sample rate and the names of the files that belong to the outputs."""
    buffer = TFLiteFile(content).metadata(_NAME, _MAX_ENTRIES)
    if not buffer:
        return None, []
    (graph, *_) = _children(_root(buffer), _MODEL_SUBGRAPHS)
    rate_hz = None
    for tensor in _children(graph, _SUBGRAPH_INPUTS):
        rate_hz = rate_hz or _rate(tensor)
    files = [file for tensor in _children(graph, _SUBGRAPH_OUTPUTS) for file in _children(tensor, _TENSOR_FILES)]
    return rate_hz, [_text(file, _FILE_NAME) for file in files]


def _appended_classes(content: bytes, list_names: list[str]) -> tuple[str, ...]:
    """Return the class list in the appended archive: one that the tables name, else the only text file."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            files = [file for file in archive.infolist() if file.file_size <= MAX_BYTES]
            named = [file for file in files if file.filename in list_names]
            chosen = named or [file for file in files if file.filename.lower().endswith((".txt", ".csv"))]
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
    """Return a table field's position, 0 where it is absent: offsets are two bytes each, from byte 4."""
    offset = table.Offset(4 + 2 * field)
    return table.Pos + int(offset) if offset else 0


def _children(table: Any, field: int) -> list[Any]:
    offset = table.Offset(4 + 2 * field)
    if not offset:
        return []
    start, count = table.Vector(offset), table.VectorLen(offset)
    if count > _MAX_ENTRIES:
        raise ValueError(count)
    return [_table(table, table.Indirect(start + 4 * i)) for i in range(count)]


def _table(parent: Any, place: int) -> Any:
    from flatbuffers.table import Table

    return Table(parent.Bytes, place)


def _text(table: Any, field: int) -> str:
    offset = table.Offset(4 + 2 * field)
    if not offset:
        return ""
    if table.VectorLen(offset) > _MAX_NAME_BYTES:
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
