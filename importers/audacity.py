"""Audacity's labels: exported as text, SubRip or WebVTT, and its projects (`.aup3`, `.aup`).

What a file is, is known by its content, whatever it is called.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from labeltool.audio.files import describe
from labeltool.errors import LabeltoolError
from labeltool.importers import aup, aup3
from labeltool.importers.base import clip_of, quoted, read_each, recording_beside, recording_of, whole_clip
from labeltool.importers.file_kinds import describe_kind, file_kind
from labeltool.importers.label_track import REMEDY, LabelRow, ParsedTracks, parse_label_track, sorted_frequencies
from labeltool.importers.subtitles import parse_subtitles
from labeltool.records import (
    MAX_LABEL_CHARACTERS,
    Checked,
    Clip,
    Imported,
    Note,
    Recording,
    Skipped,
    Verdict,
    label_name,
)
from labeltool.util.time_grid import span_us

POINT_CLIP_S = 1.0
"""Length of the clip around a point label, seconds: a patch of the default frontend."""


def parse(path: Path, encoding: str | None = None) -> ParsedTracks:
    """Read a label file without its recording.

    Parameters
    ----------
    encoding
        Of a text; None to find out (`base.read_text`).

    Raises
    ------
    LabeltoolError
        When it is missing, a directory or another kind of file, or none of its lines is a label.
    """
    kind = file_kind(path)
    name = kind.name if kind is not None else ""
    if name == "aup3":
        return _parse_project(path, aup3.read_project(path))
    if name == "aup":
        return _parse_project(path, aup.read_project(path))
    if name in ("subrip", "webvtt"):
        return parse_subtitles(path, encoding, is_webvtt=name == "webvtt").with_labels()
    if kind is not None:
        remedy = f"`labeltool import {kind.importer}` reads it" if kind.importer else REMEDY
        raise LabeltoolError(describe_kind(path, "a label track"), file=path, remedy=remedy)
    return parse_label_track(path, encoding).with_labels()


def read(
    files: Sequence[Path], audio: Path | None = None, checked: bool = False, encoding: str | None = None
) -> Iterator[Imported]:
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
        Whether the tracks have every sound of their recordings: outside their labels is background. A recording of
        which one track cannot be read is not checked.
    encoding
        Of the files that are text; None to find out.

    Yields
    ------
    Recording, Clip, Verdict, Checked, Skipped or Failed
        A row outside the recording is skipped; a row without a title gives a clip without a verdict, and a note. Of
        several files, one that cannot be read, or gives no clip, is `Failed`.

    Raises
    ------
    LabeltoolError
        Of the only file: as `parse`; when it has rows and no recording beside it, more than one, or one that cannot be
        read; and when all its rows are outside the recording.
    """
    reader = _Reader(audio, checked, encoding)
    yield from read_each(files, reader.records)
    for whole in map(whole_clip, reader.checked_recordings()):
        yield Checked(whole.recording_sha256, whole.start_s, whole.end_s)


class _Reader:
    """Reads label files one after the other; a recording and a clip of several of them are yielded once."""

    def __init__(self, audio: Path | None, checked: bool, encoding: str | None) -> None:
        self._audio = audio
        self._checked = checked
        self._encoding = encoding
        self._recordings: dict[Path, Recording] = {}
        self._incomplete: set[Path] = set()
        self._yielded: set[Recording | Clip] = set()

    def checked_recordings(self) -> list[Recording]:
        """Return the recordings all of whose files were read, where the tracks have every sound."""
        return [one for sound, one in self._recordings.items() if self._checked and sound not in self._incomplete]

    def records(self, file: Path) -> Iterator[Imported]:
        """Yield the records of a file; raises a `LabeltoolError` where it gives none."""
        try:
            yield from self._read(file)
        except LabeltoolError:
            with suppress(LabeltoolError):
                self._incomplete.add(self._sound_of(file))
            raise

    def _sound_of(self, file: Path) -> Path:
        return self._audio if self._audio is not None else recording_beside(file)

    def _read(self, file: Path) -> Iterator[Imported]:
        parsed = parse(file, self._encoding)
        yield from parsed.skipped
        if not parsed.rows and not self._checked:
            yield Skipped(str(file), None, "contains no labels")
            return
        sound = self._sound_of(file)
        if sound not in self._recordings:
            self._recordings[sound] = recording_of(describe(sound))
        recording = self._recordings[sound]
        inside = [row for row in parsed.rows if _clip_for(row, recording) is not None]
        if parsed.rows and not inside:
            raise LabeltoolError(
                f"none of its labels is inside the recording: {_outside(parsed.rows[0], recording)}",
                file=file,
                line=parsed.rows[0].line,
                remedy="does it belong to another recording? --audio names it",
            )
        for record in _records(parsed.rows, recording):
            # A region with two labels is one clip; two tracks of one recording yield it once.
            if isinstance(record, Recording | Clip):
                if record in self._yielded:
                    continue
                self._yielded.add(record)
            yield record


def _records(rows: Sequence[LabelRow], recording: Recording) -> Iterator[Imported]:
    yield recording
    for row in rows:
        clip = _clip_for(row, recording)
        if clip is None:
            yield Skipped(row.file, row.line, _outside(row, recording))
            continue
        label = label_name(row.label)
        if len(label) > MAX_LABEL_CHARACTERS:
            yield Skipped(row.file, row.line, f"{_described(row)} has more than {MAX_LABEL_CHARACTERS} characters")
            continue
        yield clip
        if not label:
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


def _outside(row: LabelRow, recording: Recording) -> str:
    return f"{_described(row)} is outside the recording, which ends at {recording.duration_s:.6f} s"


def _described(row: LabelRow) -> str:
    title = f" {quoted(row.label)}" if row.label.strip() else ""
    start, end = (f"{time_s:.6f}" if abs(time_s) < 1e9 else f"{time_s:g}" for time_s in (row.start_s, row.end_s))
    return f"the label{title} at {start} s" if start == end else f"the label{title} at {start} to {end} s"


def _parse_project(path: Path, project: aup3.Project) -> ParsedTracks:
    rows = []
    for label in project.labels:
        if not (math.isfinite(label.start_s) and math.isfinite(label.end_s)):
            raise LabeltoolError(
                f"the label {quoted(label.title)} in the track {quoted(label.track)} has a time that is not a number",
                file=path,
                remedy="delete the label in Audacity",
            )
        start_s, end_s = sorted((label.start_s, label.end_s))
        low_hz, high_hz = sorted_frequencies(label.low_hz, label.high_hz)
        rows.append(LabelRow(str(path), None, label.track or None, start_s, end_s, label.title, low_hz, high_hz, None))
    skipped: list[Skipped] = []
    if project.unsaved_changes:
        skipped.append(Note(str(path), None, "contains unsaved changes: read as last saved in Audacity"))
    return ParsedTracks(rows, skipped)
