"""The text of an evaluation: a matrix that fits 80 columns, else the worst confusions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from rich.cells import cell_len

from labeltool.cli.evaluation.text import print_evaluation
from labeltool.evaluation.unseen_labels import UnseenLabel
from labeltool.networks.model_card import LabelMetrics
from labeltool.tasks.evaluate import EvaluateResult, FoldResult

COUNTS = np.array([[9, 0, 1], [3, 2, 0], [4, 0, 0]])
LABELS = ("cat", "dog", "owl")


def result(labels: tuple[str, ...] = LABELS, counts: np.ndarray = COUNTS) -> EvaluateResult:
    """Return an evaluation with a confusion matrix; its other figures have nothing to do with it."""
    matrix = tuple(map(tuple, counts.tolist()))
    recalls = counts.diagonal() / np.maximum(1, counts.sum(axis=1))
    return EvaluateResult(
        labels=labels,
        head="softmax",
        clips=int(counts.sum()),
        clip_accuracy=0.579,
        label_accuracy=0.579,
        patch_accuracy=0.5,
        int8_clip_accuracy=0.526,
        int8_label_accuracy=0.526,
        int8_patch_agreement=0.9,
        ece=0.05,
        int8_ece=0.06,
        log_loss=0.4,
        unknown=0.0,
        by_label=tuple(
            LabelMetrics(label, int(of_label.sum()), float(recall), None, float(recall), None)
            for label, of_label, recall in zip(labels, counts, recalls, strict=True)
        ),
        confusion=matrix,
        int8_confusion=matrix,
        reliability=(),
        int8_reliability=(),
        model=1,
        report="reports/model-1",
    )


def many(count: int, most: int = 12) -> EvaluateResult:
    """Return an evaluation of `count` labels with long and wide names, of which each is once taken for the next."""
    labels = tuple(f"{'犬' * 9} and a long name {number}" for number in range(count))
    return result(labels, np.eye(count, dtype=int) * most + np.roll(np.eye(count, dtype=int), 1, axis=1))


@pytest.mark.parametrize(("count", "most"), [(2, 12), (10, 999), (15, 12), (15, 99), (15, 999), (15, 10**6), (40, 12)])
def test_every_line_fits_eighty_columns(capsys: pytest.CaptureFixture[str], count: int, most: int) -> None:
    print_evaluation(many(count, most))
    assert max(cell_len(line) for line in capsys.readouterr().out.splitlines()) <= 80


def test_few_labels_make_a_matrix(capsys: pytest.CaptureFixture[str]) -> None:
    print_evaluation(result())
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [
        ["predicted", "as", "0", "1", "2", "recall", "int8"],
        ["'cat'", "9", ".", "1", "0", "90.0%", "90.0%"],
        ["'dog'", "3", "2", ".", "1", "40.0%", "40.0%"],
        ["'owl'", "4", ".", ".", "2", "0.0%", "0.0%"],
    ]


def test_many_labels_make_a_list_of_the_worst_confusions(capsys: pytest.CaptureFixture[str]) -> None:
    more = (*LABELS, *(f"label {number}" for number in range(20)))
    print_evaluation(result(more, np.pad(COUNTS, (0, 20))))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["4", "100.0%", "'owl'", "->", "'cat'"],
        ["3", "60.0%", "'dog'", "->", "'cat'"],
        ["1", "10.0%", "'cat'", "->", "'owl'"],
    ]
    print_evaluation(many(40))
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 16 and "25 more confusions" in captured.err
    print_evaluation(result(more, np.eye(23, dtype=int)))
    assert "no label is predicted as another" in capsys.readouterr().out


def test_the_figure_without_unseen_labels_stands_beside(capsys: pytest.CaptureFixture[str]) -> None:
    unseen = replace(
        result(),
        unseen_labels=(UnseenLabel("owl", 4, 1),),
        clips_of_seen_labels=15,
        clip_accuracy_of_seen_labels=0.733,
        int8_clip_accuracy_of_seen_labels=0.667,
        excluded=2,
    )
    of_fold = {name: getattr(unseen, name) for name in FoldResult.__dataclass_fields__ if name != "fold"}
    print_evaluation(replace(unseen, folds=(FoldResult(**of_fold, fold=1),)))
    captured = capsys.readouterr()
    assert "57.9% of 19 clips right; int8 52.6%" in captured.err
    assert "'owl' 4; 1 are below the threshold" in captured.err
    assert "of the 15 clips of trained labels 73.3% right, int8 66.7%" in captured.err
    assert "2 clips are excluded" in captured.err
    assert captured.out.startswith("fold 1: 57.9%, int8 52.6%; of trained labels 73.3% right, int8 66.7%\n")
