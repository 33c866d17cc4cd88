"""Data sets with a CSV table of their sound files: the table, its rows, and their records."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from labeltool.audio.files import describe, walk
from labeltool.errors import LabeltoolError
from labeltool.importers.base import quoted, read_text, reason_of, recording_of, whole_clip
from labeltool.records import MAX_LABEL_CHARACTERS, Failed, Imported, Note, Skipped, Verdict, label_name

# Data sets are often converted to another lossless or compressed format.
_INTERCHANGEABLE_SUFFIXES = (".wav", ".flac", ".ogg")
_DELIMITERS = ",;\t|"
# A table is searched this many folders down: archives are often unpacked into a folder of their own.
_MAX_DEPTH = 3
_MAX_ROWS, _MAX_COLUMNS = 200_000, 1000
_REMEDY = "use the data set as published"
_FOLD = re.compile(r"\s*(?:fold[ _-]?)?([0-9]{1,4})(?:[.,]0*)?\s*", re.IGNORECASE)
_FOLD_FOLDER = re.compile(r"fold[ _-]?0*([0-9]{1,4})", re.IGNORECASE)


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
        The file: the folder that it is in as published, and its name, which may have folders before it.
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
    encoding
        Of the text; None to find out.
    """

    path: Path
    columns: Collection[str]
    renamed: Mapping[str, str]
    encoding: str | None = None

    def column(self, name: str) -> str:
        """Return the column that a name in a header means, whatever its letter case, blanks and underlines."""
        known = {_folded(one): one for one in self.columns}
        return known.get(_folded(self.renamed.get(name.strip(), name)), name.strip())


def find_table(directory: Path, folder: str, name: str) -> Path:
    """Find the table of a data set: at `directory/folder/name` as published, else the least deep one of that name.

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
    published = directory / folder / name
    found = [published] if published.is_file() else _files_named(directory, name)
    if not found:
        raise LabeltoolError(
            f"does not contain {folder}/{name}", file=directory, remedy=f"give the directory with {folder}/ and audio/"
        )
    return found[0]


def _files_named(directory: Path, name: str) -> list[Path]:
    """Return the files of a name in any letter case, the least deep ones first; links are not followed."""
    found = []
    for here, folders, names in os.walk(directory):
        if len(Path(here).relative_to(directory).parts) == _MAX_DEPTH:
            folders.clear()
        folders[:] = sorted(one for one in folders if not one.startswith("."))
        found += [Path(here, one) for one in sorted(names) if one.casefold() == name.casefold()]
    return sorted(found, key=lambda path: len(path.parts))


def fold_of(text: str, folds: int) -> int:
    """Read an official fold, 1 to `folds`.

    Raises
    ------
    ValueError
        With the reason, when it is not one.
    """
    match = _FOLD.fullmatch(text)
    if match is None:
        raise ValueError(f"fold {quoted(text)} is not a number")
    if not 1 <= int(match[1]) <= folds:
        raise ValueError(f"fold {int(match[1])} is not one of the {folds} official folds")
    return int(match[1])


def source_of(text: str) -> str:
    """Return the name of a source recording; a number as spreadsheets write it, 100.0, is one without decimals."""
    return re.sub(r"^(\d{1,18})[.,]0+$", r"\1", text.strip())


def _folded(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name).casefold()


def read_dataset(
    directory: Path, table: DatasetTable, entry_of: Callable[[TableRow], TableEntry | None]
) -> Iterator[Imported]:
    """Read a data set: a recording, a clip of its whole length and a verdict for each row of its table.

    A listed file that is missing is skipped, one that is broken has failed. Files are found wherever they are below
    the directory, for copies of a data set have other layouts; `.wav`, `.flac` and `.ogg` stand in for one another.

    Parameters
    ----------
    directory
        Where the sound files are.
    table
        The table to read.
    entry_of
        Reads one row; returns None for a row that is not wanted, and raises ValueError with the reason for a row that
        cannot be right.

    Yields
    ------
    Recording, Clip, Verdict, Skipped or Failed

    Raises
    ------
    LabeltoolError
        When the table cannot be read, or nothing could be imported.
    """
    entries = _Entries(table.path, directory)
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
            if not isinstance(record, Skipped):
                imported = True
            elif not isinstance(record, Note):
                first_skipped = first_skipped or record
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
    """Read a table with a header, whatever separates its columns; every field stays text, empty rows are ignored.

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
    text, notes = read_text(path, "a CSV table", _REMEDY, table.encoding)
    yield from notes
    # Strict: a stray quotation mark must not swallow the rest.
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(table, text), strict=True)
    header: list[str] = []
    try:
        for row in rows:
            if not any(field.strip() for field in row):
                continue
            if not header:
                if len(row) > _MAX_COLUMNS:
                    raise LabeltoolError(f"has more than {_MAX_COLUMNS} columns", file=path, remedy=_REMEDY)
                header = [table.column(name) for name in row]
                _require_columns(table, header)
                continue
            while len(row) > len(header) and not row[-1].strip():
                row.pop()  # separators at the end, as spreadsheets write them
            if rows.line_num > _MAX_ROWS:
                raise LabeltoolError(f"has more than {_MAX_ROWS} lines", file=path, remedy=_REMEDY)
            if len(row) != len(header):
                yield Skipped(str(path), rows.line_num, f"has {len(row)} fields, but the header has {len(header)}")
            else:
                yield TableRow(rows.line_num, dict(zip(header, row, strict=True)))
    except csv.Error as error:
        raise LabeltoolError(
            f"cannot be read as a CSV table: {error}", file=path, line=rows.line_num, remedy=_REMEDY
        ) from error
    if not header:
        _require_columns(table, header)


def _delimiter(table: DatasetTable, text: str) -> str:
    """Return what separates the columns: that by which the header has most of those that are wanted."""
    header = next((line for line in text.splitlines() if line.strip()), "")[:10_000]

    def found(delimiter: str) -> int:
        return sum(table.column(name.strip(" \"'")) in table.columns for name in header.split(delimiter))

    return max(_DELIMITERS, key=found)


def _require_columns(table: DatasetTable, header: Sequence[str]) -> None:
    missing = [name for name in table.columns if name not in header]
    if not missing:
        return
    reason = f"has no column {', '.join(missing)}" if header else "is empty: it has no header"
    if len(missing) == len(table.columns) and any(name.lower().endswith(_INTERCHANGEABLE_SUFFIXES) for name in header):
        reason = f"has no header: its first line is {quoted(', '.join(header))}"
    raise LabeltoolError(
        reason,
        file=table.path,
        line=1 if header else None,
        remedy=f"its columns must include {', '.join(table.columns)}",
    )


class _Entries:
    """Turns entries of one table into records; the directory is searched once, so that missing files cost little."""

    def __init__(self, table: Path, directory: Path) -> None:
        self._table = table
        self._directory = directory
        self._files: dict[str, list[Path]] = {}
        self._first_lines: dict[tuple[Path, str, int, str], int] = {}

    def records(self, entry: TableEntry) -> Iterator[Imported]:
        """Yield the records of an entry, or the reason why it is skipped."""
        problem = self._problem(entry)
        if problem:
            yield Skipped(str(self._table), entry.line, problem)
            return
        path = self._file(entry)
        if path is None:
            yield Skipped(str(entry.folder / _name_of(entry)), entry.line, "is listed in the table, but missing")
            return
        try:
            recording = recording_of(describe(path), entry.group, entry.licence)
        except LabeltoolError as error:
            yield Failed(str(path), entry.line, reason_of(error))
            return
        clip = whole_clip(recording, entry.fold)
        yield recording
        yield clip
        yield Verdict(clip, entry.label, file=str(self._table.resolve()), line=entry.line)

    def _problem(self, entry: TableEntry) -> str:
        """Return why an entry cannot be used; empty when it can."""
        if _name_of(entry) in ("", ".", "..") or ".." in _parts(entry) or "\0" in entry.name:
            return f"{quoted(entry.name)} is not the name of a file in {entry.folder.name}/"
        if not label_name(entry.label):
            return f"has no label for {quoted(entry.name)}"
        if len(label_name(entry.label)) > MAX_LABEL_CHARACTERS:
            return f"has a label of more than {MAX_LABEL_CHARACTERS} characters for {quoted(entry.name)}"
        first_line = self._first_lines.setdefault((entry.folder, entry.name, entry.fold, entry.label), entry.line)
        return "" if first_line == entry.line else f"is a duplicate of line {first_line}"

    def _file(self, entry: TableEntry) -> Path | None:
        """Return the entry's file, or the same in another format; None when there is none."""
        if not self._files:
            for path in walk(self._directory):
                if path.suffix.lower() in _INTERCHANGEABLE_SUFFIXES:
                    self._files.setdefault(path.stem.casefold(), []).append(path)
        name, parts = _name_of(entry), _parts(entry)

        def preference(path: Path) -> tuple[bool, bool, bool, int, int]:
            """Sort what is named with its folders first, then as published, in the same format, and the original."""
            named = len(parts) > 1 and [one.casefold() for one in path.parts[-len(parts) : -1]] == [
                one.casefold() for one in parts[:-1]
            ]
            same_format = path.name.casefold() == name.casefold()
            return not named, path.parent != entry.folder, not same_format, len(path.parts), -path.stat().st_size

        stem = name.rpartition(".")[0] or name
        files = [path for path in self._files.get(stem.casefold(), []) if _fold_of_folder(path) in (None, entry.fold)]
        return min(files, key=preference) if len(files) > 1 else next(iter(files), None)


def _parts(entry: TableEntry) -> list[str]:
    """Return the folders and the name of an entry, which may be a path of another machine."""
    return re.split(r"[\\/]+", entry.name.strip())


def _name_of(entry: TableEntry) -> str:
    return _parts(entry)[-1]


def _fold_of_folder(path: Path) -> int | None:
    """Return the fold that a file's folder is called after; None where it is called otherwise."""
    match = _FOLD_FOLDER.fullmatch(path.parent.name)
    return int(match[1]) if match else None
