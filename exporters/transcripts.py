"""What was said, as label tracks that Audacity reads, one for each recording."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from labeltool.errors import LabeltoolError
from labeltool.exporters.audacity import Region, one_field, write_tracks
from labeltool.exporters.source import Source
from labeltool.records import Segment, Word
from labeltool.store import transcripts

WORDS = "words"

_README = """\
# What was said, as label tracks for Audacity

One `.txt` for each recording in which something was said: open the recording in Audacity, then File > Import > Labels.
Each line is start, end (seconds) and what was said there. `tracks.csv` says which track belongs to which recording.
Where the words' own times were asked for (`labeltool transcribe --words`), `words/` has tracks of them.

A speech model wrote this down: it mishears, and where clips lie over each other it tells the same twice.
"""


def write(source: Source, directory: Path) -> None:
    """Write a track of segments for each recording in which something was said, and one of words where they are timed.

    Raises
    ------
    LabeltoolError
        When nothing was.
    """
    said = transcripts.of_recordings(source.store)
    if not said:
        raise LabeltoolError("no transcript says anything yet", remedy="`labeltool transcribe` makes them")
    write_tracks(source.store, directory, {recording: _regions(segments) for recording, segments in said.items()})
    words = {recording: [word for one in segments for word in one.words] for recording, segments in said.items()}
    timed = {recording: _regions(those) for recording, those in words.items() if those}
    if timed:
        (directory / WORDS).mkdir()
        write_tracks(source.store, directory / WORDS, timed)
    (directory / "README.md").write_text(_README, encoding="utf-8")


def _regions(spoken: Iterable[Segment | Word]) -> list[Region]:
    return sorted({Region(one.start_s, one.end_s, one_field(one.text)) for one in spoken})
