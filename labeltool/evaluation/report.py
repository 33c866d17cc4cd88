"""An evaluation as files: figures for programs, tables for people, pictures where they can be drawn."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from labeltool.evaluation import plots
from labeltool.project import Project

REPORT = "report.json"


def write(
    project: Project,
    name: str,
    result: Mapping[str, Any],
    *,
    losses: Sequence[Sequence[float]],
    models: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Write an evaluation into the project's `reports/<name>/`, in place of one of that name.

    Parameters
    ----------
    result
        As `labeltool evaluate --json` prints it.
    losses, models
        As `plots.learning` takes them.

    Returns
    -------
    dict
        `report`, the folder, and `pictures`, their file names; none without matplotlib.
    """
    folder = project.reports / name
    partial = project.reports / f".{name}"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    told = json.dumps(result, ensure_ascii=False, indent=2) + "\n"
    (partial / REPORT).write_text(told, encoding="utf-8", errors="backslashreplace")
    _write_confusion(partial / "confusion.csv", result["labels"], result["confusion"])
    _write_confusion(partial / "confusion_int8.csv", result["labels"], result["int8_confusion"])
    _write_labels(partial / "labels.csv", result["by_label"])
    if plots.available():
        plots.confusion(partial / "confusion.png", result["labels"], result["confusion"], result["int8_confusion"])
        plots.recall(partial / "recall.png", result["by_label"])
        plots.reliability(
            partial / "reliability.png",
            {
                "float": (result["reliability"], result["ece"]),
                "int8": (result["int8_reliability"], result["int8_ece"]),
            },
        )
        plots.learning(partial / "learning.png", losses, models)
    pictures = sorted(path.name for path in partial.glob("*.png"))
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return {"report": str(folder), "pictures": pictures}


def _write_confusion(path: Path, labels: Sequence[str], counts: Sequence[Sequence[int]]) -> None:
    _write_rows(path, ("is / heard as", *labels), [(label, *row) for label, row in zip(labels, counts, strict=True)])


def _write_labels(path: Path, by_label: Sequence[Mapping[str, Any]]) -> None:
    _write_rows(path, tuple(by_label[0]), [tuple(one.values()) for one in by_label])


def _write_rows(path: Path, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        writer.writerow(head)
        writer.writerows(rows)
