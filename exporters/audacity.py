"""Label tracks as Audacity reads them, one for each recording."""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from labeltool.errors import LabeltoolError
from labeltool.exporters.file_names import safe_stems
from labeltool.exporters.source import Source
from labeltool.records import Value
from labeltool.store import Store, spans

INDEX = "tracks.csv"

_README = """\
# Label tracks for Audacity

One `.txt` for each recording with labels: open the recording in Audacity, then File > Import > Labels. Each line is
start, end (seconds) and label; a second line, beginning with a backslash, gives the label's frequencies (hertz, -1
where one is not known). `tracks.csv` says which track belongs to which recording. Only what was heard is written: a
label track cannot say "absent" or "not sure".

The format has no way to write a tab or a line break inside a label: a space stands in their place.
"""


@dataclass(frozen=True, slots=True, order=True)
class Region:
    """A label on a span of a recording, seconds and hertz."""

    start_s: float
    end_s: float
    title: str
    low_hz: float = -1.0
    high_hz: float = -1.0

    @property
    def lines(self) -> str:
        """The region as Audacity writes it; frequencies only where one is known (-1 is not)."""
        track = f"{self.start_s:.6f}\t{self.end_s:.6f}\t{self.title}\n"
        if self.low_hz < 0 and self.high_hz < 0:
            return track
        return f"{track}\\\t{self.low_hz:.6f}\t{self.high_hz:.6f}\n"


def write(source: Source, directory: Path) -> None:
    """Write a label track for each recording on which a label was heard, an index and a page that explains.

    Raises
    ------
    LabeltoolError
        When nothing was heard on any.
    """
    tracks = regions_by_recording(source.store)
    if not tracks:
        raise LabeltoolError("no clip has a label yet", remedy="`labeltool import` or `labeltool label` give it some")
    write_tracks(source.store, directory, tracks)
    (directory / "README.md").write_text(_README, encoding="utf-8")


def write_tracks(store: Store, directory: Path, tracks: Mapping[int, Sequence[Region]]) -> None:
    """Write a label track for each recording, by its id, and the index that tells which is whose."""
    found = store.connection.execute("SELECT id, path, sha256 FROM recordings")
    recordings = sorted((row["path"], row["sha256"], row["id"]) for row in found if row["id"] in tracks)
    names = [f"{stem}.txt" for stem in safe_stems([Path(path).stem for path, _, _ in recordings])]
    with (directory / INDEX).open("w", encoding="utf-8", newline="") as file:
        index = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
        index.writerow(("track", "path", "recording_sha256", "regions"))
        for name, (path, sha256, recording_id) in zip(names, recordings, strict=True):
            regions = tracks[recording_id]
            text = "".join(region.lines for region in regions)
            (directory / name).write_text(text, encoding="utf-8", newline="\n")
            index.writerow((name, store.absolute_path(path), sha256, len(regions)))


def regions_by_recording(store: Store) -> dict[int, list[Region]]:
    """Return what was heard on each recording, by its id: sorted regions, without repetition."""
    tracks = {}
    for recording_id, said in spans.verdicts(store).items():
        heard = {
            Region(
                span.start_s,
                span.end_s,
                one_field(span.text),
                -1.0 if span.low_hz is None else span.low_hz,
                -1.0 if span.high_hz is None else span.high_hz,
            )
            for span in said
            if span.text is not None and span.value is Value.PRESENT
        }
        if heard:
            tracks[recording_id] = sorted(heard)
    return tracks


def one_field(label: str) -> str:
    """Return a label with a space for each tab, line break and control character: the format cannot hold them."""
    return "".join(" " if unicodedata.category(letter) == "Cc" else letter for letter in label)
