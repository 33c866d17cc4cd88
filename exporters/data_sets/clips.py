"""Labelled sound cut to files, a folder for each label."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from labeltool.exporters.annotations import DTYPES, Carries, exportable, not_exported, write_csv
from labeltool.exporters.data_sets import attribution
from labeltool.exporters.data_sets.cut import HOW, cut, file_stems, with_failed
from labeltool.exporters.file_names import OWN_FILES, safe_stems
from labeltool.exporters.source import Source

METADATA = "metadata.csv"

CARRIES = Carries(points=False, frequencies=True, confidence=True)

_README = f"""\
# Labelled sound

A folder for each label, in it a file for each region, or each clip without regions, where the label is present. Sound
with two labels is in both folders. `metadata.csv` has a row for each file:

| column | meaning |
| --- | --- |
| file_name | the file |
| label | the label as it is; a folder's name has `_` for what file systems do not take |
| path, recording_sha256 | the recording, where it was when this was exported |
| start_s, end_s | what was cut, seconds from the start of the recording |
| all others | as in `labeltool export --table` |

{HOW}

A file cannot express that a label is absent or unsure. `not_exported.csv` lists the annotations without a file, and
why. `ATTRIBUTION.md` and `attributions.csv` name each recording, its licence and what is known of its author.
"""


def write(source: Source, directory: Path) -> pd.DataFrame:
    """Cut a file for each present annotation, and write a table of the files and a README."""
    rows = exportable(source.annotations, CARRIES)
    names = sorted(rows["label"].unique())
    folder_of = dict(zip(names, safe_stems(names, reserved=OWN_FILES), strict=True))
    folders = rows["label"].map(folder_of)
    stems = pd.Series(file_stems(rows), index=rows.index)
    for folder in folder_of.values():
        (directory / folder).mkdir()
        in_folder = stems[folders == folder]
        stems.update(pd.Series(safe_stems(in_folder.tolist()), index=in_folder.index))
    rows.insert(0, "file_name", folders + "/" + stems + ".wav")
    reasons = cut(source, rows, directory)
    columns = [name for name in DTYPES if name not in ("value", "region_start_s", "region_end_s")]
    columns.insert(0, columns.pop(columns.index("label")))
    write_csv(rows.loc[reasons == "", ["file_name", *columns]], directory / METADATA)
    for folder in set(folder_of.values()) - set(folders[reasons == ""]):
        (directory / folder).rmdir()
    attribution.write(source, rows[reasons == ""], directory)
    (directory / "README.md").write_text(_README, encoding="utf-8", newline="\n")
    return with_failed(not_exported(source.annotations, CARRIES), rows, reasons)
