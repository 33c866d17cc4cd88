"""Audacity's label tracks: exported text files and projects (`.aup3`).

Text is read as `LabelTrack.cpp` (`LabelStruct::Import`) of Audacity 3.2.4 reads it, tested against the program. What
Audacity ignores silently is reported line by line; a confidence after the title, which Audacity ignores, is kept.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from labeltool.audio.files import describe
from labeltool.errors import LabeltoolError
from labeltool.importers import aup3
from labeltool.importers.base import clip_of, quoted, read_text, recording_beside, recording_of, whole_clip
from labeltool.records import Checked, Clip, Imported, Recording, Skipped, Verdict
from labeltool.util.time_grid import span_us

POINT_CLIP_S = 1.0
"""Length of the clip around a point label, seconds: a patch of the default frontend."""

_LINE_END = re.compile(r"\r\n|\r|\n")  # unlike str.splitlines, which also splits titles at U+2028 and others
_NUMBER = re.compile(r"[ \v\f]*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[ \v\f]*[+-]?(?:nan(?:\(\w*\))?|inf(?:inity)?)", re.IGNORECASE)
_CONTINUATION = "\\"
_REMEDY = "give a label track exported by Audacity (File > Export > Export Labels) or an .aup3 project"


@dataclass(frozen=True, slots=True)
class LabelRow:
    """One label of a label track.

    Times may be outside the recording (a start may be negative), but `start_s <= end_s`; both are equal for a point
    label. `label` is the unchanged title, "" without one. `line` is None for a project, which has no lines; `track` is
    None for a text file, which has no track names.
    """

    file: str
    line: int | None
    track: str | None
    start_s: float
    end_s: float
    label: str
    low_hz: float | None
    high_hz: float | None
    confidence: float | None


@dataclass(frozen=True, slots=True)
class ParsedTracks:
    """The rows of a label file in Audacity's order (by start, track after track), and what was skipped."""

    rows: list[LabelRow]
    skipped: list[Skipped]


def parse(path: Path) -> ParsedTracks:
    """Read a label file without its recording: text as Audacity reads it, or an `.aup3` project.

    Raises
    ------
    LabeltoolError
        When it is missing, a directory or not a label track, or a time is `nan` or `inf` (which makes Audacity hang).
    """
    try:
        with path.open("rb") as file:
            is_database = file.read(len(aup3.SQLITE_MAGIC)) == aup3.SQLITE_MAGIC
    except OSError:
        is_database = False  # read_text reports the reason
    if is_database:
        return _parse_project(path)
    return _parse_text(path)


def read(files: Sequence[Path], audio: Path | None = None, checked: bool = False) -> Iterator[Imported]:
    """Read label files and their recordings.

    A row becomes a clip (its region, cut to the recording; `POINT_CLIP_S` around a point label) and a verdict with the
    exact bounds. The group of a recording is its content.

    Parameters
    ----------
    files
        Label files as for `parse`.
    audio
        The recording of all files; None finds the recording of each file beside it, with the same stem.
    checked
        Whether the tracks have every sound of their recordings: outside their labels is background.

    Yields
    ------
    Recording, Clip, Verdict, Checked or Skipped
        A row outside the recording is skipped; a row without a title gives a clip without a verdict, and a note.

    Raises
    ------
    LabeltoolError
        As `parse`; and when a file with rows has no recording beside it, more than one, or one that cannot be read.
    """
    recordings: dict[Path, Recording] = {}
    yielded: set[Recording | Clip] = set()
    for file in files:
        parsed = parse(file)
        yield from parsed.skipped
        if not parsed.rows and not checked:
            yield Skipped(str(file), None, "contains no labels")
            continue
        sound = audio if audio is not None else recording_beside(file)
        if sound not in recordings:
            recordings[sound] = recording_of(describe(sound))
        for record in _records(parsed.rows, recordings[sound]):
            # A region with two labels is one clip; two tracks of one recording yield it once.
            if isinstance(record, Recording | Clip):
                if record in yielded:
                    continue
                yielded.add(record)
            yield record
    if checked:
        for whole in map(whole_clip, recordings.values()):
            yield Checked(whole.recording_sha256, whole.start_s, whole.end_s)


def _records(rows: Sequence[LabelRow], recording: Recording) -> Iterator[Imported]:
    yield recording
    for row in rows:
        clip = _clip_for(row, recording)
        if clip is None:
            yield Skipped(
                row.file,
                row.line,
                f"{_described(row)} is outside the recording, which ends at {recording.duration_s:.6f} s",
            )
            continue
        yield clip
        if not row.label.strip():
            yield Skipped(row.file, row.line, f"{_described(row)} has no title: imported as an unlabelled clip")
            continue
        yield Verdict(
            clip,
            row.label,
            start_s=row.start_s,
            end_s=row.end_s,
            low_hz=row.low_hz,
            high_hz=row.high_hz,
            confidence=row.confidence,
            track=row.track,
            file=str(Path(row.file).resolve()),
            line=row.line,
        )


def _clip_for(row: LabelRow, recording: Recording) -> Clip | None:
    start_s, end_s = row.start_s, row.end_s
    if start_s == end_s:
        if not 0 <= start_s <= recording.duration_s:
            return None
        start_s, end_s = start_s - POINT_CLIP_S / 2, end_s + POINT_CLIP_S / 2
    start_us, end_us = span_us(start_s, end_s, recording.frames, recording.sample_rate_hz)
    return clip_of(recording, start_us, end_us) if start_us < end_us else None


def _described(row: LabelRow) -> str:
    title = f" {quoted(row.label)}" if row.label.strip() else ""
    span = f"{row.start_s:.6f}" + (f" to {row.end_s:.6f}" if row.end_s != row.start_s else "")
    return f"the label{title} at {span} s"


def _parse_project(path: Path) -> ParsedTracks:
    project = aup3.read_project(path)
    rows = []
    for label in project.labels:
        if not (math.isfinite(label.start_s) and math.isfinite(label.end_s)):
            raise LabeltoolError(
                f"the label {quoted(label.title)} in the track {quoted(label.track)} has a time that is not a number",
                file=path,
                remedy="delete the label in Audacity",
            )
        start_s, end_s = sorted((label.start_s, label.end_s))
        low_hz, high_hz = _frequencies(label.low_hz, label.high_hz)
        rows.append(LabelRow(str(path), None, label.track or None, start_s, end_s, label.title, low_hz, high_hz, None))
    skipped = []
    if project.unsaved_changes:
        skipped.append(Skipped(str(path), None, "contains unsaved changes: read as last saved in Audacity"))
    return ParsedTracks(rows, skipped)


def _parse_text(path: Path) -> ParsedTracks:
    lines = _LINE_END.split(read_text(path, "a label track", _REMEDY))
    rows: list[LabelRow] = []
    skipped: list[Skipped] = []
    index = 0
    while index < len(lines):
        line, text = index + 1, lines[index]
        index += 1
        if not text.strip():
            continue
        try:
            row, ignored = _row(path, line, text)
        except ValueError as error:
            skipped.append(Skipped(str(path), line, str(error)))
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
    skipped.sort(key=lambda one: one.line or 0)
    rows.sort(key=lambda row: row.start_s)  # stable, as in Audacity
    return ParsedTracks(rows, skipped)


def _tokens(text: str) -> list[str]:
    """Split a line at its tabs; as in Audacity, repeated and leading tabs are ignored."""
    return [token for token in text.split("\t") if token]


def _row(path: Path, line: int, text: str) -> tuple[LabelRow, list[str]]:
    """Read the line of a label, and its columns without a meaning; ValueError with the reason if it is not a label."""
    tokens = _tokens(text)
    for token in tokens[:2]:
        if _NOT_FINITE.fullmatch(token):
            raise LabeltoolError(
                f"a time of {quoted(token)} is not possible", file=path, line=line, remedy="correct or delete the line"
            )
    start_s = _number(tokens[0])
    if start_s is None:
        raise ValueError(_reason_not_a_label(tokens[0]))
    end_s = _number(tokens[1]) if len(tokens) > 1 else None
    rest = tokens[1:] if end_s is None else tokens[2:]
    start_s, end_s = sorted((start_s, start_s if end_s is None else end_s))
    confidence = _number(rest[1]) if len(rest) > 1 else None
    ignored = rest[1:] if confidence is None else rest[2:]
    label = rest[0] if rest else ""
    return LabelRow(str(path), line, None, start_s, end_s, label, None, None, confidence), ignored


def _reason_not_a_label(token: str) -> str:
    if token.startswith("#"):
        return "is a comment"
    if token.startswith(_CONTINUATION):
        return "gives frequencies, but does not follow a label"
    fields = token.split()
    if len(fields) > 1 and _number(fields[0]) is not None:
        return f"its columns must be separated by tabs, not by spaces: {quoted(token)}"
    return f"must begin with a time in seconds, not with {quoted(token)}"


def _with_frequencies(row: LabelRow, text: str) -> LabelRow:
    r"""Add the frequencies of a line `\ TAB low TAB high`; ValueError where it cannot be read."""
    tokens = _tokens(text)
    bounds = [_number(token) for token in tokens[1:3]]
    if tokens[0] != _CONTINUATION or len(bounds) < 2 or None in bounds:
        raise ValueError(f"does not give two frequencies: {quoted(text)}")
    low_hz, high_hz = _frequencies(*bounds)
    return replace(row, low_hz=low_hz, high_hz=high_hz)


def _frequencies(low_hz: float | None, high_hz: float | None) -> tuple[float | None, float | None]:
    """Sort two bounds, hertz; Audacity writes a negative number for a bound that is not set."""
    low_hz, high_hz = (None if hz is None or not 0 <= hz < math.inf else hz for hz in (low_hz, high_hz))
    if low_hz is not None and high_hz is not None and high_hz < low_hz:
        return high_hz, low_hz
    return low_hz, high_hz


def _number(token: str) -> float | None:
    """Read a number as Audacity does, with a decimal comma or point; None when it is not a number."""
    token = token.replace(",", ".")
    if not _NUMBER.fullmatch(token):
        return None
    number = float(token)
    return number if math.isfinite(number) else None
