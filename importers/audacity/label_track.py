"""Label tracks as text: one line a label, as Audacity exports them and other programs write them.

Text is read as `LabelTrack.cpp` (`LabelStruct::Import`) of Audacity 3.2.4 reads it, tested against the program. What
Audacity ignores silently is reported line by line; a confidence after the title, which Audacity ignores, is kept, and
times as h:m:s, which it does not read, are read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from labeltool.errors import LabeltoolError
from labeltool.importers.base import first_skipped, quoted, read_text
from labeltool.importers.label_rows import ParsedLabels, label_frame
from labeltool.records import Skipped

if TYPE_CHECKING:
    import pandas as pd

REMEDY = "give a label track exported by Audacity (Export Labels in its menu File) or its project"

LINE_END = re.compile(r"\r\n|\r|\n")
"""Unlike `str.splitlines`, which also splits titles at U+2028 and others."""

# Lines that are reported one by one; a file with more labels, or more lines that are none, is something else.
_MAX_SKIPPED, _MAX_UNREAD, _MAX_LABELS = 1000, 50_000, 2_000_000
# Longer than any number that a program writes: without a bound, digits take time with the square of their length.
_MAX_NUMBER = 100
_NUMBER = re.compile(r"[ \v\f]*[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
# What nearly every line of nearly every track is; other tracks are read line by line.
_PLAIN = re.compile(
    r"^([0-9]{1,15}(?:\.[0-9]{1,15})?)\t([0-9]{1,15}(?:\.[0-9]{1,15})?)\t([^\t\r\n]+)\r?$", re.MULTILINE
)
_NOT_FINITE = re.compile(r"[ \v\f]*[+-]?(?:nan(?:\(\w*\))?|inf(?:inity)?)", re.IGNORECASE)
_CLOCK = re.compile(r"\s*(?:(\d{1,4}):(?=[0-5]?\d:))?(\d{1,4}):([0-5]?\d(?:[.,]\d{1,9})?)\s*", re.ASCII)
_CONTINUATION = "\\"
_COMMENT = "is a comment"


class LabelRow(NamedTuple):
    """One label of a label track, by names of `LABEL_COLUMNS`.

    Times may be outside the recording (a start may be negative), but `start_s <= end_s`; both are equal for a point
    label. `label` is the unchanged title, "" without one. `line` is None for a project, which has no lines; `track` is
    None for a text file, which has no track names.
    """

    line: int | None
    start_s: float
    end_s: float
    label: str
    low_hz: float | None = None
    high_hz: float | None = None
    confidence: float | None = None
    track: str | None = None


def parsed_labels(rows: Sequence[LabelRow], skipped: Sequence[Skipped]) -> ParsedLabels:
    """Return the rows in Audacity's order (by start), with the first skipped lines and the number of the others.

    Raises
    ------
    LabeltoolError
        Where there are lines, and none of them is a label.
    """
    import pandas as pd

    unread = [one for one in skipped if one.line is not None and one.reason != _COMMENT]
    if unread and not rows:
        first = unread[0]
        reason = f"is not a label track: this line {first.reason}"
        raise LabeltoolError(reason, file=first.file, line=first.line, remedy=REMEDY)
    reported = first_skipped(skipped, _MAX_SKIPPED)
    return ParsedLabels(_in_order(pd.DataFrame.from_records(list(rows), columns=LabelRow._fields)), reported)


def _in_order(table: pd.DataFrame) -> pd.DataFrame:
    return label_frame(table.sort_values("start_s", kind="stable"))


def require_bounded(path: Path, rows: Sequence[LabelRow], skipped: Sequence[Skipped]) -> None:
    """Raise a `LabeltoolError` where a file has more labels, or more lines that are none, than any label track."""
    if len(rows) > _MAX_LABELS or len(skipped) > _MAX_UNREAD:
        reason = f"has more than {_MAX_LABELS} labels, or {_MAX_UNREAD} lines without one"
        raise LabeltoolError(reason, file=path, remedy=REMEDY)


def bound_hz(hz: float | None) -> float | None:
    """Return a bound, hertz; None for a negative number, which Audacity writes for one that is not set."""
    return None if hz is None or not 0 <= hz < math.inf else hz


def parse_label_track(path: Path, encoding: str | None = None) -> ParsedLabels:
    """Read a label track as text.

    Raises
    ------
    LabeltoolError
        When it cannot be read as text, or as many lines have a time of `nan` or `inf` (which makes Audacity hang) as
        there are labels.
    """
    text, skipped = read_text(path, "a label track", REMEDY, encoding)
    if (table := _plain_labels(text)) is not None:
        return ParsedLabels(table, skipped)
    lines = LINE_END.split(text)
    rows: list[LabelRow] = []
    not_finite: list[Skipped] = []
    index = 0
    while index < len(lines):
        line, text = index + 1, lines[index]
        index += 1
        if not text.strip():
            continue
        require_bounded(path, rows, skipped)
        try:
            row, ignored = _row(line, text)
        except ValueError as error:
            skipped.append(Skipped(str(path), line, str(error)))
            not_finite += skipped[-1:] if isinstance(error, _NotFiniteError) else []
            continue
        if ignored:
            columns = ", ".join(map(quoted, ignored))
            skipped.append(
                Skipped(str(path), line, f"the label is imported, columns after its title are not: {columns}")
            )
        first = index
        while index < len(lines) and lines[index].startswith(_CONTINUATION):
            index += 1
        numbers = range(first + 1, index + 1)
        skipped.extend(
            Skipped(str(path), number, "is a second line of frequencies for one label") for number in numbers[1:]
        )
        try:
            rows.append(_with_frequencies(row, lines[first]) if numbers else row)
        except ValueError as error:
            # Audacity ignores the label with that line, so both are reported.
            skipped.append(Skipped(str(path), line, f"is not imported because of the frequencies in line {numbers[0]}"))
            skipped.append(Skipped(str(path), numbers[0], str(error)))
    require_bounded(path, rows, skipped)
    if not_finite and len(rows) <= len(not_finite):
        remedy = "correct or delete the line"
        raise LabeltoolError(not_finite[0].reason, file=path, line=not_finite[0].line, remedy=remedy)
    skipped.sort(key=lambda one: one.line or 0)
    return parsed_labels(rows, skipped)


def _plain_labels(text: str) -> pd.DataFrame | None:
    """Return the labels of a track in which every line is two plain numbers and a title; None for any other."""
    import numpy as np
    import pandas as pd

    lines = text.count("\n") + (not text.endswith("\n"))
    if lines > _MAX_LABELS or text.count("\r") != text.count("\r\n") or not _PLAIN.match(text):
        return None
    found = _PLAIN.findall(text)
    if len(found) != lines:
        return None
    starts, ends, titles = (np.array(column, object) for column in zip(*found, strict=True))
    start_s, end_s = starts.astype(np.float64), ends.astype(np.float64)
    columns = {"line": np.arange(1, lines + 1), "start_s": np.minimum(start_s, end_s)}
    return _in_order(pd.DataFrame({**columns, "end_s": np.maximum(start_s, end_s), "label": titles}))


def _tokens(text: str) -> list[str]:
    """Split a line at its tabs; as in Audacity, repeated and leading tabs are ignored."""
    return [token for token in text.split("\t") if token]


class _NotFiniteError(ValueError):
    """A time of `nan` or `inf`."""


def _row(line: int, text: str) -> tuple[LabelRow, list[str]]:
    """Read the line of a label, and its columns without a meaning; ValueError with the reason if it is not a label."""
    tokens = _tokens(text)
    for token in tokens[:2]:
        if _NOT_FINITE.fullmatch(token):
            raise _NotFiniteError(f"has a time that is not possible: {quoted(token)}")
    start_s = clock_time_s(tokens[0])
    time_of = _number if start_s is None else clock_time_s  # after 5.0, "10:30" is a title
    start_s = _number(tokens[0]) if start_s is None else start_s
    if start_s is None:
        raise ValueError(_reason_not_a_label(tokens[0]))
    end_s = time_of(tokens[1]) if len(tokens) > 1 else None
    rest = tokens[1:] if end_s is None else tokens[2:]
    start_s, end_s = sorted((start_s, start_s if end_s is None else end_s))
    confidence = _number(rest[1]) if len(rest) > 1 else None
    ignored = rest[1:] if confidence is None else rest[2:]
    label = rest[0] if rest else ""
    return LabelRow(line, start_s, end_s, label, confidence=confidence), ignored


def _reason_not_a_label(token: str) -> str:
    if token.startswith("#"):
        return _COMMENT
    if token.startswith(_CONTINUATION):
        return "gives frequencies, but does not follow a label"
    fields = token.split()
    if len(fields) > 1 and _number(fields[0]) is not None:
        return f"must have its columns separated by tabs, not by spaces: {quoted(token)}"
    return f"must begin with a time in seconds, not with {quoted(token)}"


def _with_frequencies(row: LabelRow, text: str) -> LabelRow:
    r"""Add the frequencies of a line `\ TAB low TAB high`; ValueError where it cannot be read."""
    tokens = _tokens(text)
    bounds = [_number(token) for token in tokens[1:3]]
    if tokens[0] != _CONTINUATION or len(bounds) < 2 or None in bounds:
        raise ValueError(f"does not give two frequencies: {quoted(text)}")
    return row._replace(low_hz=bound_hz(bounds[0]), high_hz=bound_hz(bounds[1]))


def _number(token: str) -> float | None:
    """Read a number as Audacity does, with a decimal comma or point; None when it is not a number."""
    if len(token) > _MAX_NUMBER or not _NUMBER.fullmatch(token := token.replace(",", ".")):
        return None
    number = float(token)
    return number if math.isfinite(number) else None


def clock_time_s(text: str) -> float | None:
    """Return the seconds of a time as [h:]m:s with a decimal point or comma; None when it is none."""
    match = _CLOCK.fullmatch(text) if len(text) <= _MAX_NUMBER else None
    if match is None:
        return None
    # In whole microseconds, so that a time reads back as it was written.
    return round(int(match[1] or 0) * 3600 + int(match[2]) * 60 + float(match[3].replace(",", ".")), 9)
