"""Label tracks for Audacity, one for each label of a recording."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd

from labeltool.exporters.annotations import by_recording, exportable, not_exported
from labeltool.exporters.audacity import CARRIES, INDEX, regions
from labeltool.exporters.file_names import OWN_FILES, safe_stems
from labeltool.exporters.source import Source

_README = """\
# Label tracks for Audacity, one for each label

A folder for each recording with labels, in it one `.txt` for each of its labels. Open the recording in Audacity, then
choose File > Import > Labels for each file: its name is the track's. `tracks.csv` lists recording and label of each.

Everything else is as in the tracks of `labeltool export --audacity`: only present labels, regions with their frequency
range, times with six decimals, spaces for tabs and line breaks. `not_exported.csv` lists the annotations that are not
in the tracks, or in part, and why.
"""


def write(source: Source, directory: Path) -> pd.DataFrame:
    """Write a label track for each present label of each recording, an index, and a README."""
    rows = exportable(source.annotations, CARRIES)
    recordings = rows.drop_duplicates("recording_id")
    folders = safe_stems([Path(path).stem for path in recordings["path"]], reserved=OWN_FILES)
    with (directory / INDEX).open("w", encoding="utf-8", newline="") as file:
        index = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
        index.writerow(("track", "label", "path", "recording_sha256", "regions"))
        for name, (_, of_recording) in zip(folders, by_recording(rows), strict=True):
            folder = directory / name
            folder.mkdir()
            labels = sorted(of_recording["label"].unique())
            for stem, label in zip(safe_stems(labels), labels, strict=True):
                track = of_recording[of_recording["label"] == label]
                text = "".join(region.lines for region in regions(track))
                (folder / f"{stem}.txt").write_text(text, encoding="utf-8", newline="\n")
                place = track.iloc[0]
                index.writerow(
                    (f"{folder.name}/{stem}.txt", label, place["path"], place["recording_sha256"], len(track))
                )
    (directory / "README.md").write_text(_README, encoding="utf-8", newline="\n")
    return not_exported(source.annotations, CARRIES)
