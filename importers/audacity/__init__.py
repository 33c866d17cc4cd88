"""Audacity's labels: exported as text, SubRip or WebVTT, and its projects (`.aup3`, `.aup4`, `.aup`).

What a file is, is recognised by its content, whatever its name.
"""

from __future__ import annotations

import math
from pathlib import Path

from labeltool.errors import LabeltoolError
from labeltool.importers.audacity import aup, aup3
from labeltool.importers.audacity.label_track import (
    REMEDY,
    LabelRow,
    parse_label_track,
    parsed_labels,
)
from labeltool.importers.audacity.subtitles import parse_subtitles
from labeltool.importers.base import quoted
from labeltool.importers.file_kinds import describe_kind, file_kind
from labeltool.importers.label_rows import ParsedLabels
from labeltool.records import Note


def parse(path: Path, *, encoding: str | None = None) -> ParsedLabels:
    """Read a label file, whatever it is called."""
    kind = file_kind(path)
    name = kind.name if kind is not None else ""
    if name == "aup3":
        return _parse_project(path, *aup3.read_project(path))
    if name == "aup":
        return _parse_project(path, aup.read_project(path), unsaved_changes=False)
    if name in ("subrip", "webvtt"):
        return parse_subtitles(path, encoding, is_webvtt=name == "webvtt")
    if kind is not None:
        remedy = f"`labeltool import {kind.importer}` reads it" if kind.importer else REMEDY
        raise LabeltoolError(describe_kind(path, "a label track"), file=path, remedy=remedy)
    return parse_label_track(path, encoding)


def _parse_project(path: Path, rows: list[LabelRow], unsaved_changes: bool) -> ParsedLabels:
    for row in rows:
        if not (math.isfinite(row.start_s) and math.isfinite(row.end_s)):
            raise LabeltoolError(
                f"the label {quoted(row.label)} in the track {quoted(row.track or '')} has a time that is not a number",
                file=path,
                remedy="delete the label in Audacity",
            )
    unsaved = Note(str(path), None, "contains unsaved changes: read as last saved in Audacity")
    return parsed_labels(rows, [unsaved] if unsaved_changes else [])
