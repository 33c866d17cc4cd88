"""The labels in a project of Audacity 3 or 4 (`.aup3`, `.aup4`): an SQLite file with the project as binary XML.

Source: `ProjectSerializer.cpp` and `ProjectFileIO.cpp` of Audacity 3 and 4. The dictionary of names (`dict`) is decoded
first, then the document (`doc`), both as one-byte opcodes with little-endian operands. Audacity 4 has a thumbnail in
its document, as a blob.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from labeltool.errors import LabeltoolError
from labeltool.importers.audacity.label_track import LabelRow, bound_hz

MAX_LABELS = 300_000
"""Of a project."""

_APPLICATION_ID = 1096107097  # "AUDY"
_ENCODINGS = {1: "utf-8", 2: "utf-16-le", 4: "utf-32-le"}

# A project of ten hours and a thousand labels takes 1 MB.
_MAX_BLOB_BYTES = 16 << 20
_MAX_SQLITE_STEPS = 10_000_000
# Names are nested by no program.
_MAX_DEPTH = 100

_CHAR_SIZE, _START_TAG, _END_TAG, _STRING = 0, 1, 2, 3
_DATA, _RAW, _PUSH, _POP, _NAME, _BLOB = 11, 12, 13, 14, 15, 16
# Numeric attributes: Int, Bool, Long, LongLong, SizeT; Float and Double are followed by their number of digits.
_NUMBERS = {4: "<i", 5: "<B", 6: "<i", 7: "<q", 8: "<I", 9: "<fi", 10: "<di"}

Value = str | int | float


def read_project(path: Path) -> tuple[list[LabelRow], bool]:
    """Read a project's labels as last saved, and whether it contains unsaved changes; nothing in or beside it changes.

    Raises
    ------
    LabeltoolError
        When it is not an Audacity 3 project, is damaged, or was never saved.
    """
    dictionary, document, unsaved_changes = _blobs(path)
    try:
        labels = list(islice(_labels(_elements(dictionary + document)), MAX_LABELS + 1))
    except (struct.error, KeyError, ValueError, IndexError, OverflowError) as error:
        raise LabeltoolError(
            "is a damaged Audacity project: its content cannot be decoded",
            file=path,
            remedy="open it in Audacity and save it, or export its labels",
        ) from error
    if len(labels) > MAX_LABELS:
        raise LabeltoolError(f"has more than {MAX_LABELS} labels", file=path)
    return labels, unsaved_changes


def _blobs(path: Path) -> tuple[bytes, bytes, bool]:
    remedy = "give an .aup3 project, or a label track exported as text"
    # Audacity leaves its projects in WAL mode, and SQLite reads those only by writing files beside them. Without a log
    # file, `immutable` avoids that, and works in a read-only directory.
    has_log = path.with_name(path.name + "-wal").exists()
    uri = path.resolve().as_uri() + ("?mode=ro" if has_log else "?mode=ro&immutable=1")
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            connection.text_factory = bytes  # names and messages of a damaged file need not be UTF-8
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_BLOB_BYTES)
            # What a schema from outside makes SQLite do is bounded too: a view may be a query without end.
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.set_progress_handler(lambda: 1, _MAX_SQLITE_STEPS)
            (application_id,) = connection.execute("PRAGMA application_id").fetchone()
            if application_id != _APPLICATION_ID:
                raise LabeltoolError("is another SQLite database, not an Audacity project", file=path, remedy=remedy)
            saved = connection.execute(
                "SELECT CAST(dict AS BLOB), CAST(doc AS BLOB) FROM project ORDER BY id LIMIT 1"
            ).fetchone()
            autosaved = connection.execute("SELECT 1 FROM autosave LIMIT 1").fetchone()
    except (sqlite3.Error, UnicodeError, OSError, OverflowError, MemoryError) as error:
        raise LabeltoolError(f"cannot be read as an Audacity project: {error}", file=path, remedy=remedy) from error
    if saved is None:
        raise LabeltoolError("was never saved as a project", file=path, remedy="save it in Audacity first")
    return saved[0] or b"", saved[1] or b"", autosaved is not None


@dataclass(slots=True)
class _Element:
    name: str
    attributes: dict[str, Value]


def _elements(code: bytes) -> Iterator[_Element]:
    """Decode the opcodes; yield each element with its attributes, in the order in which the elements begin."""
    position = 0
    names: dict[int, str] = {}
    outer_names: list[dict[int, str]] = []
    encoding = _ENCODINGS[1]
    element: _Element | None = None

    def numbers(layout: str) -> tuple[float, ...]:
        nonlocal position
        values: tuple[float, ...] = struct.unpack_from(layout, code, position)
        position += struct.calcsize(layout)
        return values

    def count(layout: str) -> int:
        return int(numbers(layout)[0])

    def content(length: int) -> bytes:
        nonlocal position
        if not 0 <= length <= len(code) - position:
            raise ValueError("text runs past the end")
        position += length
        return code[position - length : position]

    def text(length: int) -> str:
        return content(length).decode(encoding)

    while position < len(code):
        opcode = count("<B")
        if opcode == _CHAR_SIZE:
            encoding = _ENCODINGS[count("<B")]
        elif opcode == _NAME:
            name_id = count("<H")
            names[name_id] = text(count("<H"))
        elif opcode == _PUSH:
            if len(outer_names) == _MAX_DEPTH:
                raise ValueError("names are nested too deeply")
            outer_names.append(names)
            names = {}
        elif opcode == _POP:
            names = outer_names.pop()
        elif opcode in (_START_TAG, _END_TAG):
            name = names[count("<H")]
            if element is not None:
                yield element
            element = _Element(name, {}) if opcode == _START_TAG else None
        elif opcode in (_DATA, _RAW):
            text(count("<i"))
        elif opcode == _BLOB:
            count("<H")  # its name
            content(count("<i"))
        elif opcode == _STRING or opcode in _NUMBERS:
            name = names[count("<H")]
            value: Value = text(count("<i")) if opcode == _STRING else numbers(_NUMBERS[opcode])[0]
            if element is not None:
                element.attributes[name] = value
        else:
            raise ValueError(f"unknown opcode {opcode}")
    if element is not None:
        yield element


def _labels(elements: Iterator[_Element]) -> Iterator[LabelRow]:
    track = ""
    for element in elements:
        attributes = element.attributes
        if element.name == "labeltrack":
            track = str(attributes.get("name", ""))
        elif element.name == "label":
            yield label_of(track, attributes)


def label_of(track: str, attributes: Mapping[str, Value]) -> LabelRow:
    """Return a label by its attributes in a project; raises a `KeyError` or `ValueError` where it has no times."""
    start_s = float(attributes["t"])
    start_s, end_s = sorted((start_s, float(attributes.get("t1", start_s))))
    bounds_hz = (attributes.get(name) for name in ("selLow", "selHigh"))
    low_hz, high_hz = (bound_hz(None if one is None else float(one)) for one in bounds_hz)
    return LabelRow(None, start_s, end_s, str(attributes.get("title", "")), low_hz, high_hz, track=track or None)
