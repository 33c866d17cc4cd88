"""Training, validation and test manifests; no group is in two of them."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

from labeltool.errors import LabeltoolError
from labeltool.exporters.source import Source
from labeltool.records import LabelledClip
from labeltool.training.splits import Part, train_validation_test

COLUMNS = ("path", "recording_sha256", "start_s", "end_s", "label", "fold", "group", "licence")

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

Clips without a present label (only absent or unsure, or unlabelled) are not included. `summary.json` counts clips and
labels. The files are for training a new model: a model of this project that was trained without `--test-fold` may have
been trained on clips of `test.csv` (`seen.csv` in its folder lists them).

    import pandas
    train = pandas.read_csv("train.csv", keep_default_na=False)

`keep_default_na=False` keeps labels such as `NA` and `null` as text. Names are written unchanged: pandas and other CSV
readers read a label such as `=SUM(A1)` as text. A spreadsheet would evaluate it as a formula: import that column as
text.
"""


def write(source: Source, directory: Path) -> None:
    """Write the three manifests, a summary with counts, and a README that explains the columns.

    The test set is the model's test fold where it has one, else an official fold, else groups drawn at random.

    Raises
    ------
    LabeltoolError
        When no clip has a label.
    """
    labelled_clips = source.labelled_clips
    if not labelled_clips:
        raise LabeltoolError(
            "no clip has a label yet", remedy="add labels with `labeltool import` or `labeltool label`"
        )
    test_fold = source.test_fold
    part_of = train_validation_test(labelled_clips, test_fold=test_fold)
    licences = dict(source.store.connection.execute("SELECT id, licence FROM recordings"))
    parts: dict[str, Any] = {}
    for part in PARTS:
        clips = [labelled for labelled in labelled_clips if part_of[labelled.clip.id] == part]
        _write_csv(directory / f"{part}.csv", clips, licences)
        parts[part] = _counts(clips)
    summary = {"test_fold": test_fold, "parts": parts}
    text = json.dumps(summary, ensure_ascii=False, indent=2) + "\n"
    (directory / "summary.json").write_text(text, encoding="utf-8")
    (directory / "README.md").write_text(_README, encoding="utf-8")


def _write_csv(path: Path, clips: Iterable[LabelledClip], licences: dict[int, str | None]) -> None:
    rows = sorted(
        (
            (labelled.clip.path, labelled.clip.sha256, labelled.clip.start_s, labelled.clip.end_s, label),
            (labelled.clip.fold, labelled.clip.group, licences[labelled.clip.recording_id]),
        )
        for labelled in clips
        for label in labelled.present
    )
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(COLUMNS)
        for clip_columns, recording_columns in rows:
            writer.writerow((*clip_columns, *recording_columns))


def _counts(clips: list[LabelledClip]) -> dict[str, Any]:
    labels = Counter(label for labelled in clips for label in labelled.present)
    return {
        "clips": len(clips),
        "rows": labels.total(),
        "folds": sorted({labelled.clip.fold for labelled in clips if labelled.clip.fold is not None}),
        "groups": len({labelled.clip.group for labelled in clips}),
        "seconds": round(sum(labelled.clip.end_s - labelled.clip.start_s for labelled in clips), 3),
        "labels": dict(sorted(labels.items())),
    }
