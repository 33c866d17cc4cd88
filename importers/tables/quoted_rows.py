"""The rows of separated text with quotation marks, also where some of these are out of place."""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from labeltool.audio.files import AUDIO_SUFFIXES
from labeltool.errors import LabeltoolError
from labeltool.importers.tables.profiles import profile_of
from labeltool.records import Note, Skipped

if TYPE_CHECKING:
    from _csv import Reader as _Reader

# Each may cost the reading of 128 KiB.
_MAX_STRAY = 200
_REMEDY = "close the quotation mark of that line, or take it away; within a quoted field it is written twice"


def reader_of(lines: Iterable[str], delimiter: str) -> _Reader:
    """Return the strict reader of separated text, which reports a quotation mark that is out of place."""
    return csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=True)


def quotes_are_letters(header: list[str], delimiter: str) -> bool:
    """Return whether a table is like those of Raven, in whose labels a quotation mark is a letter as any other."""
    profile = profile_of(header)
    return delimiter == "\t" and profile is not None and "selection" in profile.columns


def fields_of_line(line: str, delimiter: str) -> list[str]:
    """Return the fields of a line that has a row; quoted, as spreadsheets save them, or not."""
    plain = line.rstrip("\r\n").split(delimiter)
    try:
        quoted_fields = next(reader_of([line], delimiter), [])
    except csv.Error:
        return plain
    return quoted_fields if len(quoted_fields) == len(plain) else plain


def quoted_rows(
    path: Path, lines: Iterator[str], number: int, delimiter: str, needed: int, skipped: list[Skipped]
) -> Iterator[tuple[int, list[str]]]:
    """Yield the line on which each row ends, and its fields; of one that cannot be read `skipped` has the reason.

    The lines behind a quotation mark that is out of place are rows again.

    Parameters
    ----------
    number
        That of the line before.
    needed
        Fields that a row has at least.

    Raises
    ------
    LabeltoolError
        When a quotation mark is never closed, or too many are out of place.
    """
    taken: list[str] = []
    again: deque[str] = deque()

    def next_lines() -> Iterator[str]:
        while (line := again.popleft() if again else next(lines, None)) is not None:
            taken.append(line)
            yield line

    reader, failures = reader_of(next_lines(), delimiter), 0
    while True:
        taken.clear()
        try:
            row = next(reader, None)
        except csv.Error as error:
            failures += 1
            if "unexpected end" in str(error) or failures > _MAX_STRAY:
                reason = f"cannot be read as a CSV table: {error}"
                raise LabeltoolError(reason, file=path, line=number + 1, remedy=_REMEDY) from error
            again.extendleft(reversed(taken[1:]))
            del taken[1:]
            row = _without_blanks(taken[0], delimiter)
            if row is None:
                skipped.append(Skipped(str(path), number + 1, f"cannot be read as a row of a CSV table: {error}"))
                number += 1
                continue
        if row is None:
            return
        if any(_is_like_a_row(line, delimiter, needed) for line in taken[1:]):
            reason = f"is one row up to line {number + len(taken)}: is a quotation mark too many in it?"
            skipped.append(Note(str(path), number + 1, reason))
        number += len(taken)
        yield number, row


def _without_blanks(line: str, delimiter: str) -> list[str] | None:
    """Return the fields of a line without the blanks behind closing quotation marks; None where it is damaged."""
    try:
        return next(reader_of([re.sub(f'" +(?={re.escape(delimiter)}|[\r\n]|$)', '"', line)], delimiter), None)
    except csv.Error:
        return None


def _is_like_a_row(line: str, delimiter: str, needed: int) -> bool:
    """Return whether a line within a quoted field is rather a row of its own."""
    first = line.partition(delimiter)[0].strip(" \"'")
    is_sound = Path(first[-300:]).suffix.lower() in AUDIO_SUFFIXES
    return is_sound or (needed > 2 and line.count(delimiter) >= needed - 1)
