"""The report of an evaluation: metrics, tables, plots."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest

from labeltool.evaluation import charts, report
from labeltool.evaluation.unseen_labels import MeasuredOnAll, UnseenLabel
from labeltool.networks.model_card import LabelMetrics
from labeltool.project import Project

LABELS = ["a$b$", "=SUM(A1)", "x[/]\n\x1b[31m", "صوت الجرس", "a name that is longer than an axis is wide", "dog"]


def result(labels: list[str]) -> MeasuredOnAll:
    rng = np.random.default_rng(0)
    counts = np.eye(len(labels), dtype=int) * 8 + rng.integers(0, 3, (len(labels), len(labels)))
    confusion = tuple(map(tuple, counts.tolist()))
    return MeasuredOnAll(
        labels=tuple(labels),
        head="softmax",
        clips=int(counts.sum()),
        clip_accuracy=0.8,
        label_accuracy=0.8,
        patch_accuracy=0.7,
        int8_clip_accuracy=0.75,
        int8_label_accuracy=0.75,
        int8_patch_agreement=0.9,
        ece=0.05,
        int8_ece=0.06,
        log_loss=0.4,
        unknown=0.0,
        by_label=tuple(LabelMetrics(label, 10, 0.8, None, 0.75, 0.5) for label in labels),
        confusion=confusion,
        int8_confusion=confusion,
        reliability=((0.4, 0.5, 3), (0.9, 0.95, 40)),
        int8_reliability=((0.41, 0.4, 4), (0.88, 0.9, 39)),
        unseen_labels=(UnseenLabel(labels[-1], 10, 3),),
        clips_of_seen_labels=38,
        clip_accuracy_of_seen_labels=0.9,
        int8_clip_accuracy_of_seen_labels=0.85,
    )


def write(project: Project, metrics: MeasuredOnAll) -> tuple[Path, tuple[str, ...]]:
    curve = [report.CurvePoint(1, 20, None, None, None, "")]
    curve += [report.CurvePoint(n, n, 1 - 9 / n, 1 - 10 / n, None, "") for n in (40, 80, 160)]
    return report.write(project, "model-1", metrics, losses=[(10, 2.0), (20, 1.0), (30, 0.7)], curve=curve)


def test_what_cannot_be_drawn_leaves_the_rest_of_a_report(project: Project) -> None:
    pytest.importorskip("vl_convert")
    many = result([f"label {number}" for number in range(300)])
    folder, pictures = report.write(project, "model-1", many, losses=[(10, math.nan)], curve=[])
    assert pictures == ("recall.png", "reliability.png")  # a matrix of 300 labels is a table alone
    assert len((folder / "confusion.csv").read_text().splitlines()) == 301


def test_a_report_has_metrics_tables_and_charts(project: Project) -> None:
    pytest.importorskip("vl_convert")
    metrics = result(LABELS)
    folder, pictures = write(project, metrics)
    assert pictures == ("confusion.png", "learning.png", "recall.png", "reliability.png")
    assert all((folder / name).read_bytes().startswith(b"\x89PNG") for name in pictures)
    values = json.loads((folder / report.REPORT).read_text())
    assert values["labels"] == LABELS
    assert values["unseen_labels"] == [{"label": "dog", "clips": 10, "unknown": 3}]
    assert (values["clip_accuracy"], values["clip_accuracy_of_seen_labels"]) == (0.8, 0.9)
    with (folder / "confusion_int8.csv").open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    assert head[1:] == LABELS and [row[0] for row in rows] == LABELS
    assert [tuple(int(count) for count in row[1:]) for row in rows] == list(metrics.confusion)
    # A second report replaces the first.
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    write(project, metrics)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in project.reports.iterdir()] == ["model-1"]


def test_without_vl_convert_a_report_has_its_tables(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charts, "available", lambda: False)
    folder, pictures = write(project, result(["cat", "dog"]))
    assert pictures == ()
    names = {path.name for path in folder.iterdir()}
    assert names == {"report.json", "confusion.csv", "confusion_int8.csv", "labels.csv"}
