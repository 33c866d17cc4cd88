"""Tables as files: separated text in any encoding, and Parquet.

Plain rows are read by pandas. Those of other lengths than the header, and quoted ones, are read by `csv` in its strict
mode, which gives their lines: pandas fills up a row that is too short without a word.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from labeltool.audio.files import AUDIO_SUFFIXES
from labeltool.errors import LabeltoolError
from labeltool.importers.base import first_skipped, quoted, read_text
from labeltool.importers.tables.profiles import ALIASES, IDENTIFIERS, PROFILES, folded, with_unit
from labeltool.importers.tables.quoted_rows import fields_of_line, quoted_rows, quotes_are_letters, reader_of
from labeltool.records import Note, Skipped

if TYPE_CHECKING:
    from _csv import Reader as _Reader

    import pandas as pd

    from labeltool.type_aliases import Int64, Objects

_DELIMITERS = ",;\t|"
MAX_COLUMNS = 2000
"""Of a table."""

_MAX_ROWS, _MAX_FIELDS = 2_000_000, 40_000_000
# Rows that are brought into columns at once.
_CHUNK = 50_000
_MAX_REPORTED, _MAX_TITLES = 1000, 10
_REMEDY = "give a table with a header: a column of file names, of labels, and of starts and ends in seconds"
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_KNOWN = frozenset(name for names in ALIASES.values() for name in names) | {
    folded(name) for one in PROFILES for name in (*one.header, *sum(one.columns.values(), ()), *one.licence_columns)
} - {""}
_PLACES = frozenset((*ALIASES["recording"], *ALIASES["start_s"]))
_SEPARATOR = re.compile(r"sep=.\s*", re.IGNORECASE)  # the first line of tables for Excel
_NUMBER = re.compile(r"\s*[+-]?[0-9]+(?:[.,][0-9]+)?\s*", re.ASCII)


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A table as its file has it.

    Attributes
    ----------
    path
        Its file.
    frame
        Its columns by the names in the header; of a text every field is a `str`.
    lines
        (rows,) the line that each row ends on; None for Parquet, which has no lines.
    skipped
        Rows whose number of fields differs from the header's, and notes.
    lists
        Columns of lists of which each row has one item.
    """

    path: Path
    frame: pd.DataFrame
    lines: Int64 | None
    skipped: list[Skipped]
    lists: frozenset[str] = frozenset()


def read_table(path: Path, encoding: str | None = None, *, numbered: bool = False) -> Table:
    """Read a table, whatever separates its columns; rows without a text are ignored.

    Parameters
    ----------
    numbered
        Whether a text has no header: its columns are called "1", "2", and so on.

    Raises
    ------
    LabeltoolError
        When it is no table, has no header, or a quotation mark is never closed.
    """
    try:
        with path.open("rb") as file:
            is_parquet = file.read(4) == b"PAR1"
    except OSError:
        is_parquet = False  # `read_text` names the reason
    if is_parquet:
        from labeltool.importers.tables.parquet import read_parquet  # which needs `Table`

        return read_parquet(path)
    return _text(path, encoding, numbered)


def _header_line(text: str) -> tuple[int, list[str]]:
    """Return the number of the line of a header, from 0, and its names: the first that are labels, else the first.

    Lines that begin with # are comments, but for a last one that names known columns (AudioSet's). Titles of people may
    be above it.
    """
    found: list[tuple[int, list[str]]] = []
    for number, line in enumerate(_LINE.findall(text[:100_000])):
        if not line.strip() or _SEPARATOR.fullmatch(line):
            continue
        names = [one.strip() for one in next(csv.reader([line], delimiter=_delimiter(line), skipinitialspace=True), [])]
        if not line.lstrip().startswith("#") or sum(folded(name) in _KNOWN for name in names) > 1:
            found.append((number, names))
            if are_labels(names):
                return found[-1]
        if len(found) > _MAX_TITLES:
            break
    return found[0] if found else (0, [])


def fields_in(text: str) -> list[str]:
    """Return the fields of the first line of a text that has some, where something parts them."""
    line = next((line for line in _LINE.findall(text[:100_000]) if line.strip()), "")
    return next(csv.reader([line], delimiter=_delimiter(line), skipinitialspace=True), [])


def looks_like_labels(text: str) -> bool:
    """Return whether the beginning of a text is the header of a table with labels and the names or times of sounds."""
    return are_labels(_header_line(text)[1])


def are_labels(columns: Iterable[str], *, needs_label: bool = False) -> bool:
    """Return whether columns of these names are labels with the names or times of sounds, or sounds with others."""
    names = {one for name in columns for one in (folded(name), with_unit(name)[0])}
    has_place, has_label = (bool(names & {*known}) for known in (_PLACES, ALIASES["label"]))
    is_whole = has_label and bool(names & {*IDENTIFIERS})
    has_any = has_label or (not needs_label and bool(names & {*ALIASES["recording"]}))
    return len(names) > 1 and ((has_place and has_any) or (is_whole and not needs_label))


def _text(path: Path, encoding: str | None, numbered: bool) -> Table:
    import pandas as pd

    text, skipped = read_text(path, "a CSV table", _REMEDY, encoding)
    lines_of_text = _LINE.findall(text[:100_000])
    above = 0 if numbered else _header_line(text)[0]
    first = next((line for line in lines_of_text[above:] if numbered or _is_header(line)), "")
    titles = [line for line in lines_of_text[:above] if _is_header(line)]
    if titles:
        reason = f"what is above its header is not read: {quoted(titles[0].strip())}"
        skipped.append(Note(str(path), above + 1, reason))
    delimiter = _delimiter(first)
    if numbered:
        width = len(next(csv.reader([first], delimiter=delimiter), []))
        text = delimiter.join(map(str, range(1, width + 1))) + "\n" + text
    content = text.encode()
    del text
    lines = io.TextIOWrapper(io.BytesIO(content), "utf-8", newline="")
    reader = reader_of(lines, delimiter)
    try:
        header = next(reader) if numbered else _header(path, reader, delimiter, above)
    except csv.Error as error:
        reason = f"cannot be read as a CSV table: {error}"
        raise LabeltoolError(reason, file=path, line=reader.line_num, remedy=_REMEDY) from error
    plain = _plain_rows(content, reader.line_num, delimiter, len(header))
    if plain is not None:
        columns, numbers = plain
        numbers -= numbered
    else:
        last = reader.line_num - numbered
        rows: Iterator[tuple[int, list[str]]]
        if quotes_are_letters(header, delimiter):
            rows = ((number, fields_of_line(line, delimiter)) for number, line in enumerate(lines, last + 1))
        else:
            rows = quoted_rows(path, lines, last, delimiter, _needed(header), skipped)
        columns, numbers = _any_rows(path, rows, header, skipped)
    require_bounded(path, len(numbers), len(header))
    return Table(
        path, pd.DataFrame(dict(zip(header, columns, strict=True))), numbers, first_skipped(skipped, _MAX_REPORTED)
    )


def _header(path: Path, reader: _Reader, delimiter: str, above: int) -> list[str]:
    for row in reader:
        has_text = reader.line_num > above and any(field.strip() for field in row)
        if (
            has_text
            and not _SEPARATOR.fullmatch(delimiter.join(row))
            and (not row[0].startswith("#") or _is_header(delimiter.join(row)))
        ):
            return _checked_header(path, reader.line_num, row)
    raise LabeltoolError("is empty: it has no header", file=path, remedy=_REMEDY)


def _plain_rows(content: bytes, line: int, delimiter: str, width: int) -> tuple[list[Objects], Int64] | None:
    """Read the rows after a line with pandas, many times as fast; None where they are not all of the header's width.

    Rows with quotation marks are not plain either. pandas would fill up those that are too short.
    """
    import numpy as np
    import pandas as pd

    start = 0
    for _ in range(line):
        start = content.find(b"\n", start) + 1
    body = content[start:].rstrip(b"\r\n") + b"\n"
    # A line that ends with \r alone, also before the header, is one for `csv` and none here.
    if not start or b'"' in body or content.count(b"\r") != content.count(b"\r\n") or len(body) == 1:
        return None
    codes = np.frombuffer(body, np.uint8)
    ends = np.flatnonzero(codes == ord("\n"))
    separators = np.flatnonzero(codes == ord(delimiter))
    per_row = np.diff(np.searchsorted(separators, ends), prepend=0)
    if len(ends) > _MAX_ROWS or (per_row != width - 1).any():
        return None
    frame = pd.read_csv(
        io.BytesIO(body),
        sep=delimiter,
        header=None,
        names=list(range(width)),
        index_col=False,
        dtype=object,
        na_filter=False,
        skip_blank_lines=False,
        quoting=csv.QUOTE_NONE,
        encoding="utf-8",
    )
    columns = [frame[at].to_numpy() for at in range(width)]
    numbers = np.arange(line + 1, line + 1 + len(ends), dtype=np.int64)
    if not (columns[0] == "").any():
        return columns, numbers
    has_text = np.any([column != "" for column in columns], axis=0)
    return [column[has_text] for column in columns], numbers[has_text]


def _needed(header: Sequence[str]) -> int:
    """Return how many fields a row has at least: those up to the last column that is known, or all."""
    return max((at for at, name in enumerate(header, 1) if folded(name) in _KNOWN), default=len(header))


def _any_rows(
    path: Path, rows: Iterable[tuple[int, list[str]]], header: Sequence[str], skipped: list[Skipped]
) -> tuple[list[Objects], Int64]:
    """Read rows, each with its line, one by one; those whose number of fields differs from the header's are skipped."""
    import numpy as np

    needed = _needed(header)
    columns: list[list[str]] = [[] for _ in header]
    numbers: list[int] = []
    chunk: list[list[str]] = []
    for line, row in rows:
        if not row or not (row[0] or any(row)):
            continue
        while len(row) > len(header) and not row[-1].strip():
            row.pop()  # separators at the end, as spreadsheets write them
        if needed <= len(row) < len(header):
            row += [""] * (len(header) - len(row))  # separators at the end, as text editors remove them
        if len(row) != len(header):
            reason = f"has {len(row)} fields, but the header has {len(header)}"
            skipped.append(Skipped(str(path), line, reason))
            continue
        numbers.append(line)
        chunk.append(row)
        if len(chunk) == _CHUNK:
            require_bounded(path, len(numbers), len(header))
            _extend(columns, chunk)
    _extend(columns, chunk)
    return [np.array(column, object) for column in columns], np.array(numbers, np.int64)


def _extend(columns: Sequence[list[str]], chunk: list[list[str]]) -> None:
    for column, fields in zip(columns, zip(*chunk, strict=True), strict=False):
        known: dict[str, str] = {}  # one text for all fields that are alike
        column.extend(map(known.setdefault, fields, fields))
    chunk.clear()


def _is_header(line: str) -> bool:
    return (
        bool(line.strip())
        and not _SEPARATOR.fullmatch(line)
        and (not line.lstrip().startswith("#") or bool(_header_line(line)[1]))
    )


def _delimiter(line: str) -> str:
    """Return what separates the columns of a header: that which parts most of the known names, else most names."""

    def found(delimiter: str) -> tuple[int, int]:
        names = line[:10_000].split(delimiter)
        return sum(folded(name.strip("\r\n \"'")) in _KNOWN for name in names), len(names)

    # Blanks part names only where nothing else does, and all are known.
    words = line.split()
    if (
        len(words) > 1
        and not set(line) & {*_DELIMITERS}
        and all({folded(word), with_unit(word)[0]} & _KNOWN for word in words)
    ):
        return " "
    return max(_DELIMITERS, key=found)


def _checked_header(path: Path, line: int, row: Sequence[str]) -> list[str]:
    if len(row) > MAX_COLUMNS:
        raise LabeltoolError(f"has more than {MAX_COLUMNS} columns", file=path, remedy=_REMEDY)
    names = [name.strip() for name in row]
    has_data = any(Path(name[-300:]).suffix.lower() in AUDIO_SUFFIXES or _NUMBER.fullmatch(name) for name in names)
    if has_data and not any(folded(name) in _KNOWN for name in names):
        reason = f"has no header: its first line is {quoted(', '.join(names))}"
        remedy = (
            "write the names of its columns above, or `import table --column file=1 --column label=2` for the first"
        )
        raise LabeltoolError(reason, file=path, line=line, remedy=remedy)
    seen: dict[str, int] = {}
    unique = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        unique.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return unique


def require_bounded(path: Path, rows: int, columns: int) -> None:
    """Raise a `LabeltoolError` where a table is larger than any that a person has."""
    if rows > _MAX_ROWS or rows * columns > _MAX_FIELDS:
        raise LabeltoolError(f"has more than {_MAX_ROWS} rows, or {_MAX_FIELDS} fields", file=path, remedy=_REMEDY)
