"""Training, validation and test manifests that never part a group."""

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

`train.csv`, `validation.csv` and `test.csv`: UTF-8, comma-separated, a header line, every field quoted. One row for
each clip and each label heard on it: a clip with two labels has two rows, so that `label` is always one name, whatever
characters it holds. Where a clip must have one row, group by recording_sha256, start_s and end_s.

| column | meaning |
| --- | --- |
| path | where the recording was when this was exported |
| recording_sha256 | SHA-256 of the recording's file: find it by this when it has moved |
| start_s, end_s | the clip, seconds from the start of the recording |
| label | one label that was heard |
| fold | the source's official fold, empty without one |
| group | what was never parted: all clips of a group are in one of the three files |
| licence | the recording's, empty when not known |

Clips on which no label was heard (only absent or unsure, or no answer yet) are left out. `summary.json` counts. The
files are for training anew: a model of the project that was trained without `--test-fold` may have learnt from clips
that test here (its folder's `seen.csv` lists them).

    import pandas
    train = pandas.read_csv("train.csv", keep_default_na=False)

`keep_default_na=False` keeps labels such as `NA` and `null` as text. Names are written as they are: a label such as
`=SUM(A1)` is that text, and pandas or any CSV reader reads it so; a spreadsheet must be told to import the column as
text, for it would calculate it.
"""


def write(source: Source, directory: Path) -> None:
    """Write the three manifests, a summary that counts and a page that explains the columns.

    A model's test fold, where it kept one back, tests; else official folds do; else whole groups are drawn.

    Raises
    ------
    LabeltoolError
        When no clip has a label.
    """
    heard = source.heard
    if not heard:
        raise LabeltoolError("no clip has a label yet", remedy="`labeltool import` or `labeltool label` give it some")
    test_fold = source.test_fold
    part_of = train_validation_test(heard, test_fold=test_fold)
    licences = dict(source.store.connection.execute("SELECT id, licence FROM recordings"))
    parts: dict[str, Any] = {}
    for part in PARTS:
        clips = [labelled for labelled in heard if part_of[labelled.clip.id] == part]
        _write_csv(directory / f"{part}.csv", clips, licences)
        parts[part] = _counts(clips)
    summary = {"test_fold": test_fold, "parts": parts}
    told = json.dumps(summary, ensure_ascii=False, indent=2) + "\n"
    (directory / "summary.json").write_text(told, encoding="utf-8")
    (directory / "README.md").write_text(_README, encoding="utf-8")


def _write_csv(path: Path, heard: Iterable[LabelledClip], licences: dict[int, str | None]) -> None:
    rows = sorted(
        (
            (labelled.clip.path, labelled.clip.sha256, labelled.clip.start_s, labelled.clip.end_s, label),
            (labelled.clip.fold, labelled.clip.group, licences[labelled.clip.recording_id]),
        )
        for labelled in heard
        for label in labelled.present
    )
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(COLUMNS)
        for clip, source in rows:
            writer.writerow((*clip, *source))


def _counts(heard: list[LabelledClip]) -> dict[str, Any]:
    labels = Counter(label for labelled in heard for label in labelled.present)
    return {
        "clips": len(heard),
        "rows": labels.total(),
        "folds": sorted({labelled.clip.fold for labelled in heard if labelled.clip.fold is not None}),
        "groups": len({labelled.clip.group for labelled in heard}),
        "seconds": round(sum(labelled.clip.end_s - labelled.clip.start_s for labelled in heard), 3),
        "labels": dict(sorted(labels.items())),
    }
