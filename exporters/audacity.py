"""Label tracks for Audacity, one for each recording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from labeltool.exporters.annotations import Carries, by_recording, exportable, not_exported, one_field
from labeltool.exporters.file_names import write_recording_files

if TYPE_CHECKING:  # a search writes tracks without a table
    import pandas as pd

    from labeltool.exporters.source import Source
    from labeltool.store import Store

INDEX = "tracks.csv"

CARRIES = Carries(frequencies=True, decimals=6, text=one_field)

_README = """\
# Label tracks for Audacity

One `.txt` for each recording with labels. Open the recording in Audacity, then choose File > Import > Labels. Each line
gives start, end (seconds) and label. A second line that begins with a backslash gives the frequency range of the label
(Hz; -1 where a bound is not known). `tracks.csv` lists the recording of each track. Only present labels are written: a
label track cannot express "absent" or "unsure".

Labels in this format cannot contain tabs or line breaks: a space replaces each of them. Times have six decimals, enough
for every sample of a recording. Confidences, annotators, folds, groups and licences have no place in it.
`not_exported.csv` lists the annotations that are not in the tracks, or in part, and why.
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


def write(source: Source, directory: Path) -> pd.DataFrame:
    """Write a label track for each recording with a present label, an index, and a README."""
    rows = exportable(source.annotations, CARRIES)
    tracks = {id_: regions(of_recording) for id_, of_recording in by_recording(rows)}
    write_tracks(source.store, directory, tracks)
    (directory / "README.md").write_text(_README, encoding="utf-8", newline="\n")
    return not_exported(source.annotations, CARRIES)


def write_tracks(store: Store, directory: Path, tracks: Mapping[int, Sequence[Region]]) -> None:
    """Write a label track for each recording, by its id, and the index of tracks and recordings."""
    texts = {
        recording_id: ("".join(region.lines for region in track), len(track)) for recording_id, track in tracks.items()
    }
    write_recording_files(store, directory, texts, ".txt", INDEX)


def regions(rows: pd.DataFrame) -> list[Region]:
    """Return rows of `exportable` as regions, sorted."""
    columns = ["start_s", "end_s", "label", "low_hz", "high_hz"]
    return sorted(
        Region(*row) for row in rows[columns].fillna({"low_hz": -1.0, "high_hz": -1.0}).itertuples(index=False)
    )
