"""What an evaluation leaves behind: figures, tables, pictures."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labeltool.evaluation import plots, report
from labeltool.project import Project

LABELS = ["a$b$", "=SUM(A1)", "x[/]\n\x1b[31m", "صوت الجرس", "a name that is longer than an axis is wide", "dog"]


def result(labels: list[str]) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    counts = (np.eye(len(labels), dtype=int) * 8 + rng.integers(0, 3, (len(labels), len(labels)))).tolist()
    shares = {"recall": 0.8, "precision": None, "int8_recall": 0.75, "int8_precision": 0.5}
    return {
        "labels": labels,
        "confusion": counts,
        "int8_confusion": counts,
        "by_label": [{"label": label, "clips": 10, **shares} for label in labels],
        "reliability": [(0.4, 0.5, 3), (0.9, 0.95, 40)],
        "int8_reliability": [(0.41, 0.4, 4), (0.88, 0.9, 39)],
        "ece": 0.05,
        "int8_ece": 0.06,
    }


def write(project: Project, told: dict[str, Any]) -> dict[str, Any]:
    models = [{"labels_seen": 20, "clip_accuracy": None, "int8_clip_accuracy": None}]
    models += [{"labels_seen": n, "clip_accuracy": 1 - 9 / n, "int8_clip_accuracy": 1 - 10 / n} for n in (40, 80, 160)]
    return report.write(project, "model-1", told, losses=[(10, 2.0), (20, 1.0), (30, 0.7)], models=models)


def test_a_report_holds_the_figures_the_tables_and_the_pictures(project: Project) -> None:
    pytest.importorskip("matplotlib")
    told = result(LABELS)
    written = write(project, told)
    folder = Path(written["report"])
    assert written["pictures"] == ["confusion.png", "learning.png", "recall.png", "reliability.png"]
    assert all((folder / name).read_bytes().startswith(b"\x89PNG") for name in written["pictures"])
    assert json.loads((folder / report.REPORT).read_text())["labels"] == LABELS
    with (folder / "confusion_int8.csv").open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    assert head[1:] == LABELS and [row[0] for row in rows] == LABELS
    assert [[int(count) for count in row[1:]] for row in rows] == told["confusion"]
    # Written again it takes the place of the first, whole.
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    write(project, told)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in project.reports.iterdir()] == ["model-1"]


def test_without_matplotlib_the_tables_are_there_all_the_same(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plots, "available", lambda: False)
    written = write(project, result(["cat", "dog"]))
    assert written["pictures"] == []
    names = {path.name for path in Path(written["report"]).iterdir()}
    assert names == {"report.json", "confusion.csv", "confusion_int8.csv", "labels.csv"}
