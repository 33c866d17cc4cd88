"""Transcripts as label tracks for Audacity, one for each recording."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from labeltool.errors import LabeltoolError
from labeltool.exporters.annotations import one_field
from labeltool.exporters.audacity import Region, write_tracks
from labeltool.exporters.source import Source
from labeltool.records import Segment, Word
from labeltool.store import transcripts

WORDS = "words"

_README = """\
# Transcripts as label tracks for Audacity

One `.txt` for each recording with speech. Open the recording in Audacity, then choose File > Import > Labels. Each line
gives start, end (seconds) and the words. `tracks.csv` lists the recording of each track. With the times of single words
(`labeltool transcribe --words`), `words/` contains tracks of words.

A speech model made these transcripts: they contain errors, and where clips overlap the same speech appears twice.
"""


def write(source: Source, directory: Path) -> None:
    """Write a track of segments for each recording with speech, and a track of words where their times are known."""
    segments = transcripts.of_recordings(source.store)
    if not segments:
        raise LabeltoolError("no transcript contains text yet", remedy="make transcripts with `labeltool transcribe`")
    write_tracks(source.store, directory, {recording: _regions(parts) for recording, parts in segments.items()})
    words = {recording: [word for part in parts for word in part.words] for recording, parts in segments.items()}
    word_tracks = {recording: _regions(parts) for recording, parts in words.items() if parts}
    if word_tracks:
        (directory / WORDS).mkdir()
        write_tracks(source.store, directory / WORDS, word_tracks)
    (directory / "README.md").write_text(_README, encoding="utf-8", newline="\n")


def _regions(parts: Iterable[Segment | Word]) -> list[Region]:
    return sorted({Region(part.start_s, part.end_s, one_field(part.text)) for part in parts})
