"""Data sets with a CSV table of their sound files: the table, its rows, and their records."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from labeltool.audio.files import describe
from labeltool.errors import LabeltoolError
from labeltool.importers.base import quoted, read_text, reason_of, recording_of, whole_clip
from labeltool.records import Imported, Skipped, Verdict

# Data sets are often converted to another lossless or compressed format.
_INTERCHANGEABLE_SUFFIXES = (".wav", ".flac", ".ogg")


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row of a table: the line it ends on, and its fields by the names in the header."""

    line: int
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TableEntry:
    """A sound file listed in a table.

    Attributes
    ----------
    line
        Its line in the table.
    folder, name
        The file.
    group
        Name of its group; clips of one group stay together in a split.
    fold
        Its official fold.
    label, licence
        As the data set names them.
    """

    line: int
    folder: Path
    name: str
    group: str
    fold: int
    label: str
    licence: str


@dataclass(frozen=True, slots=True)
class DatasetTable:
    """A table to read.

    Attributes
    ----------
    path
        The CSV file.
    columns
        Names of the required columns; the table may have others.
    renamed
        Other names of a column in some copies of the table, and its name in `columns`.
    """

    path: Path
    columns: Collection[str]
    renamed: Mapping[str, str]


def find_table(directory: Path, folder: str, name: str) -> Path:
    """Find the table of a data set at `directory/folder/name`.

    Raises
    ------
    LabeltoolError
        When the directory is missing or is a file, or does not contain the table.
    """
    if not directory.exists():
        raise LabeltoolError("no such directory", file=directory, remedy="check the name")
    if not directory.is_dir():
        raise LabeltoolError(
            "is a file, not a directory", file=directory, remedy=f"give the directory with {folder}/ and audio/"
        )
    table = directory / folder / name
    if not table.exists():
        raise LabeltoolError(
            f"does not contain {folder}/{name}", file=directory, remedy=f"give the directory with {folder}/ and audio/"
        )
    return table


def fold_of(text: str, folds: int) -> int:
    """Read an official fold, 1 to `folds`.

    Raises
    ------
    ValueError
        With the reason, when it is not one.
    """
    if not re.fullmatch(r"\s*[0-9]{1,4}\s*", text):
        raise ValueError(f"fold {quoted(text)} is not a number")
    if not 1 <= int(text) <= folds:
        raise ValueError(f"fold {int(text)} is not one of the {folds} official folds")
    return int(text)


def read_dataset(table: DatasetTable, entry_of: Callable[[TableRow], TableEntry | None]) -> Iterator[Imported]:
    """Read a data set: a recording, a clip of its whole length and a verdict for each row of its table.

    A listed file that is missing or broken is skipped; `.wav`, `.flac` and `.ogg` stand in for one another.

    Parameters
    ----------
    table
        The table to read.
    entry_of
        Reads one row; returns None for a row that is not wanted, and raises ValueError with the reason for a row that
        cannot be right.

    Yields
    ------
    Recording, Clip, Verdict or Skipped

    Raises
    ------
    LabeltoolError
        When the table cannot be read, or nothing could be imported.
    """
    entries = _Entries(table.path)
    first_skipped: Skipped | None = None
    imported = False
    for row in _read_table(table):
        try:
            entry = row if isinstance(row, Skipped) else entry_of(row)
        except ValueError as error:
            entry = Skipped(str(table.path), row.line, str(error))
        if entry is None:
            continue
        for record in (entry,) if isinstance(entry, Skipped) else entries.records(entry):
            if isinstance(record, Skipped):
                first_skipped = first_skipped or record
            else:
                imported = True
            yield record
    if imported:
        return
    if first_skipped is None:
        raise LabeltoolError("lists none of the requested files", file=table.path, remedy="check the options")
    raise LabeltoolError(
        f"nothing could be imported; the first problem: {first_skipped.file}: {first_skipped.reason}",
        file=table.path,
        line=first_skipped.line,
    )


def _read_table(table: DatasetTable) -> Iterator[TableRow | Skipped]:
    """Read a CSV with a header; every field stays text, empty rows are ignored.

    Yields
    ------
    TableRow or Skipped
        Skipped is a row whose number of fields differs from the header.

    Raises
    ------
    LabeltoolError
        When it is not text, lacks columns, or a quotation mark is never closed.
    """
    path = table.path
    text = read_text(path, "a CSV table", "use the data set as published")
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)  # strict: a stray quote must not swallow the rest
    header: list[str] = []
    try:
        for row in rows:
            if not any(field.strip() for field in row):
                continue
            if not header:
                header = [table.renamed.get(name.strip(), name.strip()) for name in row]
                _require_columns(table, header)
            elif len(row) != len(header):
                yield Skipped(str(path), rows.line_num, f"has {len(row)} fields, but the header has {len(header)}")
            else:
                yield TableRow(rows.line_num, dict(zip(header, row, strict=True)))
    except csv.Error as error:
        raise LabeltoolError(
            f"cannot be read as a CSV table: {error}",
            file=path,
            line=rows.line_num,
            remedy="use the data set as published",
        ) from error
    if not header:
        _require_columns(table, header)


def _require_columns(table: DatasetTable, header: Collection[str]) -> None:
    missing = [name for name in table.columns if name not in header]
    if missing:
        raise LabeltoolError(
            f"has no column {', '.join(missing)}" if header else "is empty: it has no header",
            file=table.path,
            line=1 if header else None,
            remedy=f"its columns must include {', '.join(table.columns)}",
        )


class _Entries:
    """Turns entries of one table into records; each folder is listed only once, so that missing files cost little."""

    def __init__(self, table: Path) -> None:
        self._table = table
        self._names: dict[Path, frozenset[str]] = {}
        self._first_lines: dict[tuple[Path, str, int, str], int] = {}

    def records(self, entry: TableEntry) -> Iterator[Imported]:
        """Yield the records of an entry, or the reason why it is skipped."""
        problem = self._problem(entry)
        if problem:
            yield Skipped(str(self._table), entry.line, problem)
            return
        name = self._file_name(entry)
        if name is None:
            yield Skipped(str(entry.folder / entry.name), entry.line, "is listed in the table, but missing")
            return
        try:
            recording = recording_of(describe(entry.folder / name), entry.group, entry.licence)
        except LabeltoolError as error:
            yield Skipped(str(entry.folder / name), entry.line, reason_of(error))
            return
        clip = whole_clip(recording, entry.fold)
        yield recording
        yield clip
        yield Verdict(clip, entry.label, file=str(self._table.resolve()), line=entry.line)

    def _problem(self, entry: TableEntry) -> str:
        """Return why an entry cannot be used; empty when it can."""
        if not _is_file_name(entry.name):
            return f"{quoted(entry.name)} is not the name of a file in {entry.folder.name}/"
        if not entry.label.strip():
            return f"has no label for {quoted(entry.name)}"
        first_line = self._first_lines.setdefault((entry.folder, entry.name, entry.fold, entry.label), entry.line)
        return "" if first_line == entry.line else f"is a duplicate of line {first_line}"

    def _file_name(self, entry: TableEntry) -> str | None:
        """Return the name of the entry's file, or of the same file in another format; None when there is none."""
        if entry.folder not in self._names:
            self._names[entry.folder] = _names_in(entry.folder)
        stem = entry.name.rpartition(".")[0] or entry.name
        candidates = (entry.name, *(stem + suffix for suffix in _INTERCHANGEABLE_SUFFIXES))
        return next((name for name in candidates if name in self._names[entry.folder]), None)


def _is_file_name(name: str) -> bool:
    """Return whether a name is not a path: a table must not lead out of its data set."""
    return name not in ("", ".", "..") and not any(character in name for character in "/\\\0")


def _names_in(folder: Path) -> frozenset[str]:
    try:
        return frozenset(entry.name for entry in folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()
