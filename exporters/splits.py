"""Training, validation and test manifests, or one with folds; no group is in two parts or folds."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from labeltool.exporters.annotations import Carries, exportable, not_exported, write_csv, write_labels
from labeltool.exporters.source import Source
from labeltool.training.data_split import PARTS

COLUMNS = ["path", "recording_sha256", "start_s", "end_s", "label", "fold", "group", "licence"]

CARRIES = Carries(regions=False, confidence=False)

_README = """\
# Splits

`train.csv`, `validation.csv` and `test.csv`, or with `--folds` one `folds.csv`, and `test.csv` where the test set is
locked: UTF-8, comma-separated, a header line, every field quoted. There is one row for each clip and each present
label: a clip with two labels has two rows, so that `label` is always one name, whatever characters it contains. Where
a clip must have one row, group by recording_sha256, start_s and end_s.

| column | meaning |
| --- | --- |
| path | where the recording was when this was exported |
| recording_sha256 | SHA-256 of the recording's file; it identifies a file that has moved |
| start_s, end_s | the clip, seconds from the start of the recording |
| label | one label that is present in the clip |
| fold | the official fold of the data set, empty without one; in `folds.csv` the fold, official or drawn |
| group | all clips of a group are in the same file and the same fold |
| licence | licence of the recording, empty where it is not known |

Clips without a present label (only absent or unsure, or unlabelled) are not included, nor the bounds and frequencies of
a label inside its clip: `not_exported.csv` lists what is lacking. `summary.json` counts clips and labels, and names
recordings of nearly equal sound, which are on one side too. The files are
for training a new model: a model of this project that was trained without `--test-fold` may have been trained on clips
of `test.csv` (`seen.csv` in its folder lists them).

    import pandas
    train = pandas.read_csv("train.csv", keep_default_na=False)

`keep_default_na=False` keeps labels such as `NA` and `null` as text. Names are written unchanged: pandas and other CSV
readers read a label such as `=SUM(A1)` as text. A spreadsheet would evaluate it as a formula: import that column as
text.
"""


def write(source: Source, directory: Path) -> pd.DataFrame:
    """Write the manifests, a summary with counts, and a README that explains the columns.

    Raises
    ------
    LabeltoolError
        When no clip has a label, or the split would leak.
    """
    rows, split = exportable(source.annotations, CARRIES), source.split
    if split.fold_of:
        rows["fold"] = rows["clip_id"].map(split.fold_of).astype("Int64")
        named = {"folds": rows["fold"].notna(), **({"test": rows["fold"].isna()} if split.is_locked else {})}
    else:
        named = {part: rows["clip_id"].map(split.part_of) == part for part in PARTS}
    for name, is_in in named.items():
        write_csv(rows.loc[is_in, COLUMNS], directory / f"{name}.csv")
    counted = {name: rows[is_in] for name, is_in in named.items()}
    if split.fold_of:
        counted |= {f"fold {fold}": rows[rows["fold"] == fold] for fold in sorted(set(split.fold_of.values()))}
    summary = {
        "test_fold": source.test_fold,
        "official_folds": split.is_official,
        "locked": split.is_locked,
        "near_duplicates": split.near_duplicates,
        "time_blocks": None if split.time_blocks is None else asdict(split.time_blocks),
        "parts": {name: _counts(of_part) for name, of_part in counted.items()},
    }
    text = json.dumps(summary, ensure_ascii=False, indent=2) + "\n"
    (directory / "summary.json").write_text(text, encoding="utf-8", newline="\n")
    (directory / "README.md").write_text(_README, encoding="utf-8", newline="\n")
    write_labels(source.store, directory, as_of=source.as_of)
    return not_exported(source.annotations, CARRIES)


def _counts(rows: pd.DataFrame) -> dict[str, Any]:
    clips = rows.drop_duplicates("clip_id")
    labels = rows["label"].value_counts().sort_index()
    return {
        "clips": len(clips),
        "rows": len(rows),
        "folds": sorted(clips["fold"].dropna().astype(int).unique().tolist()),
        "groups": clips["group"].nunique(),
        "seconds": round(float((clips["end_s"] - clips["start_s"]).sum()), 3),
        "labels": {str(label): int(count) for label, count in labels.items()},
    }
