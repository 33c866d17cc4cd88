"""Field notes: `0:12.5-0:14 robin` on each line, beside the recording of the same name; `robin?` is an unsure one.

An example of a plug-in: this file and `pyproject.toml` are all of it. `pip install .` here, and
`labeltool import fieldnotes dawn.notes` reads them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from labeltool.importers.registry import Format, Option
from labeltool.records import Imported

_LINE = re.compile(r"(?P<start>[\d:.]{1,20})\s*-\s*(?P<end>[\d:.]{1,20})\s+(?P<label>.{1,1000}?)(?P<unsure>\s*\?)?")


def read(sources: Sequence[Path], audio: Path | None = None) -> Iterator[Imported]:
    """Read field notes: a clip and a verdict for each line; a line that is none is skipped, with the reason."""
    # What a reader needs is imported when it reads: `labeltool import --help` imports this module too.
    from labeltool.importers.base import read_each

    yield from read_each(sources, lambda path: _read_one(path, audio))


def _read_one(path: Path, audio: Path | None) -> Iterator[Imported]:
    from labeltool.audio.files import describe
    from labeltool.importers.base import clip_of, read_text, recording_beside, recording_of
    from labeltool.records import Skipped, Value, Verdict
    from labeltool.util.time_grid import span_us

    text, notes = read_text(path, "field notes", "a line is 0:12.5-0:14 robin")
    yield from notes
    recording = recording_of(describe(audio or recording_beside(path)))
    yield recording
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        found = _LINE.fullmatch(line.strip())
        start_s, end_s = (_seconds(found[side]) if found else None for side in ("start", "end"))
        if found is None or start_s is None or end_s is None:
            yield Skipped(str(path), number, "is no line such as 0:12.5-0:14 robin")
            continue
        start_us, end_us = span_us(start_s, end_s, recording.frames, recording.sample_rate_hz)
        if start_us >= end_us:
            yield Skipped(str(path), number, f"is not within the {recording.duration_s:g} s of the recording")
            continue
        clip = clip_of(recording, start_us, end_us)
        yield clip
        value = Value.UNSURE if found["unsure"] else Value.PRESENT
        yield Verdict(clip, found["label"], value, file=str(path), line=number)


def _seconds(text: str) -> float | None:
    """Return `1:02:03.5` as seconds; None where it is no time."""
    try:
        parts = [float(part) for part in text.split(":")]
    except ValueError:
        return None
    return sum(part * 60**place for place, part in enumerate(reversed(parts))) if len(parts) <= 3 else None


FORMAT = Format(
    "fieldnotes",
    "Field notes: a line is 0:12.5-0:14 robin.",
    module=__name__,
    takes="files",
    metavar="NOTES",
    options=(Option("audio", "path", "The recording; without it, the one beside each NOTES with the same name."),),
    carries=("regions", "unsure"),
)
"""What `labeltool import --help`, its options and `labeltool formats` are made of."""
