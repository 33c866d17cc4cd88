"""Label tracks for Audacity, one for each recording."""

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

One `.txt` for each recording with labels. Open the recording in Audacity, then choose File > Import > Labels. Each line
gives start, end (seconds) and label. A second line that begins with a backslash gives the frequency range of the label
(Hz; -1 where a bound is not known). `tracks.csv` lists the recording of each track. Only present labels are written: a
label track cannot express "absent" or "unsure".

Labels in this format cannot contain tabs or line breaks: a space replaces each of them.
"""


@dataclass(frozen=True, slots=True, order=True)
class Region:
    """A label on a region of a recording, seconds and hertz; a frequency of -1 is not known."""

    start_s: float
    end_s: float
    title: str
    low_hz: float = -1.0
    high_hz: float = -1.0

    @property
    def lines(self) -> str:
        """The region as Audacity writes it, with a line of frequencies only where one is known."""
        track = f"{self.start_s:.6f}\t{self.end_s:.6f}\t{self.title}\n"
        if self.low_hz < 0 and self.high_hz < 0:
            return track
        return f"{track}\\\t{self.low_hz:.6f}\t{self.high_hz:.6f}\n"


def write(source: Source, directory: Path) -> None:
    """Write a label track for each recording with a present label, an index, and a README.

    Raises
    ------
    LabeltoolError
        When no recording has a present label.
    """
    tracks = regions_by_recording(source.store)
    if not tracks:
        raise LabeltoolError(
            "no clip has a label yet", remedy="add labels with `labeltool import` or `labeltool label`"
        )
    write_tracks(source.store, directory, tracks)
    (directory / "README.md").write_text(_README, encoding="utf-8")


def write_tracks(store: Store, directory: Path, tracks: Mapping[int, Sequence[Region]]) -> None:
    """Write a label track for each recording, by its id, and the index of tracks and recordings."""
    rows = store.connection.execute("SELECT id, path, sha256 FROM recordings")
    recordings = sorted((row["path"], row["sha256"], row["id"]) for row in rows if row["id"] in tracks)
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
    """Return the present labels of each recording, by its id: sorted regions, without duplicates."""
    tracks = {}
    for recording_id, verdicts in spans.verdicts(store).items():
        regions = {
            Region(
                verdict.start_s,
                verdict.end_s,
                one_field(verdict.text),
                -1.0 if verdict.low_hz is None else verdict.low_hz,
                -1.0 if verdict.high_hz is None else verdict.high_hz,
            )
            for verdict in verdicts
            if verdict.text is not None and verdict.value is Value.PRESENT
        }
        if regions:
            tracks[recording_id] = sorted(regions)
    return tracks


def one_field(label: str) -> str:
    """Return a label with a space for each tab, line break and control character, which the format cannot contain."""
    return "".join(" " if unicodedata.category(letter) == "Cc" else letter for letter in label)
