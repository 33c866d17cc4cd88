"""RTTM, the format of speaker diarisation: a line for each segment, with the sound, a start, a duration and a name.

`SPEAKER` has the name of who speaks, `NON-SPEECH` and `NON-LEX` a kind; other lines are not taken. Source: NIST, "The
Rich Transcription 2009 evaluation plan", appendix A.
"""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

from labeltool.errors import LabeltoolError
from labeltool.importers.audacity.label_track import LINE_END
from labeltool.importers.base import first_skipped, quoted, read_text
from labeltool.importers.label_rows import ParsedLabels, label_rows
from labeltool.records import Note, Skipped
from labeltool.util.counted import counted

_KIND, _REMEDY = "an RTTM file", "give a file with lines `SPEAKER NAME 1 START DURATION <NA> <NA> WHO <NA> <NA>`"
_LABEL_AT = {"SPEAKER": 7, "NON-SPEECH": 6, "NON-LEX": 6}
_NONE = "<NA>"
# A row takes 1.3 KB.
_MAX_LINES, _MAX_SKIPPED = 500_000, 1000


def parse(path: Path, *, encoding: str | None = None) -> ParsedLabels:
    """Read the segments of a file; the kind of a line is the track."""
    text, skipped = read_text(path, _KIND, _REMEDY, encoding)
    lines = LINE_END.split(text)
    if len(lines) > _MAX_LINES:
        raise LabeltoolError(f"has more than {_MAX_LINES} lines", file=path, remedy="give it in parts")
    rows: list[dict[str, object]] = []
    unread: list[Skipped] = []
    others: Counter[str] = Counter()
    for number, line in enumerate(lines, start=1):
        fields = line.split()
        if not fields or line.startswith(";;"):
            continue
        if fields[0] not in _LABEL_AT:
            others[fields[0][:20]] += 1
            continue
        try:
            rows.append({"line": number, **_row(fields)})
        except (ValueError, IndexError):
            unread.append(Skipped(str(path), number, f"has no sound, start, duration and name: {quoted(line)}"))
    if not rows:
        raise LabeltoolError(f"is not {_KIND}: no line is a segment", file=path, remedy=_REMEDY)
    if others:
        kinds = ", ".join(quoted(kind) for kind, _ in others.most_common(5))
        skipped.append(Note(str(path), None, f"{counted(others.total(), 'line')} of other kinds not taken: {kinds}"))
    return ParsedLabels(label_rows(rows), skipped + (first_skipped(unread, _MAX_SKIPPED) if unread else []))


def _row(fields: list[str]) -> dict[str, object]:
    """Return a segment; ValueError or IndexError where the line is none."""
    if "_" in fields[3] + fields[4]:  # a separator of Python's numbers
        raise ValueError("no times")
    start_s, duration_s, label = float(fields[3]), float(fields[4]), fields[_LABEL_AT[fields[0]]]
    if not (math.isfinite(start_s) and math.isfinite(duration_s) and duration_s >= 0):
        raise ValueError("no times")
    return {
        "recording": fields[1],
        "start_s": start_s,
        "end_s": round(start_s + duration_s, 9),
        "label": "" if label == _NONE else label,
        "track": fields[0],
    }
