"""Training, validation and test manifests; no group is in two of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pandas as pd

from labeltool.exporters.annotations import Carries, exportable, not_exported, write_csv
from labeltool.exporters.labels import write_labels
from labeltool.exporters.source import Source
from labeltool.training.splits import Part

COLUMNS = ["path", "recording_sha256", "start_s", "end_s", "label", "fold", "group", "licence"]

CARRIES = Carries(regions=False, confidence=False)

PARTS: tuple[Part, ...] = get_args(Part)

_README = """\
# Splits

`train.csv`, `validation.csv` and `test.csv`: UTF-8, comma-separated, a header line, every field quoted. There is one
row for each clip and each present label: a clip with two labels has two rows, so that `label` is always one name,
whatever characters it contains. Where a clip must have one row, group by recording_sha256, start_s and end_s.

| column | meaning |
| --- | --- |
| path | where the recording was when this was exported |
| recording_sha256 | SHA-256 of the recording's file; it identifies a file that has moved |
| start_s, end_s | the clip, seconds from the start of the recording |
| label | one label that is present in the clip |
| fold | the official fold of the data set, empty without one |
| group | all clips of a group are in the same file |
| licence | licence of the recording, empty where it is not known |

Clips without a present label (only absent or unsure, or unlabelled) are not included, nor the bounds and frequencies of
a label inside its clip: `not_exported.csv` lists what is lacking. `summary.json` counts clips and labels. The files are
for training a new model: a model of this project that was trained without `--test-fold` may have been trained on clips
of `test.csv` (`seen.csv` in its folder lists them).

    import pandas
    train = pandas.read_csv("train.csv", keep_default_na=False)

`keep_default_na=False` keeps labels such as `NA` and `null` as text. Names are written unchanged: pandas and other CSV
readers read a label such as `=SUM(A1)` as text. A spreadsheet would evaluate it as a formula: import that column as
text.
"""


def write(source: Source, directory: Path) -> pd.DataFrame:
    """Write the three manifests, a summary with counts, and a README that explains the columns.

    Raises
    ------
    LabeltoolError
        When no clip has a label.
    """
    rows = exportable(source.annotations, CARRIES)
    part_of = rows["clip_id"].map(source.part_of)
    parts: dict[str, Any] = {}
    for part in PARTS:
        in_part = rows[part_of == part]
        write_csv(in_part[COLUMNS], directory / f"{part}.csv")
        parts[part] = _counts(in_part)
    summary = {"test_fold": source.test_fold, "parts": parts}
    text = json.dumps(summary, ensure_ascii=False, indent=2) + "\n"
    (directory / "summary.json").write_text(text, encoding="utf-8")
    (directory / "README.md").write_text(_README, encoding="utf-8")
    write_labels(source.store, directory)
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
