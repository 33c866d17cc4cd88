"""Clips of labels that a model was not trained on count as wrong, and the figures without them stand beside."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from helpers.progress import silent
from helpers.training import work_here
from labeltool.evaluation.measure import Predictions, Probabilities
from labeltool.evaluation.thresholds import ScoredClips
from labeltool.evaluation.unseen_labels import MeasuredOnAll, UnseenLabel, measure_on_all
from labeltool.networks.heads import Head
from labeltool.networks.postprocessing import ClipRule
from labeltool.project import Project
from labeltool.records import LabelledClip, StoredClip, Value
from labeltool.tasks import evaluate
from labeltool.tasks.measure_clips import OnClips

LABELS = ("cat", "dog")


def predicted(rows: list[list[float]], head: Head = "softmax", threshold: float = 0.5) -> Predictions:
    """Return predictions of clips of one patch each, the same by both precisions."""
    clips = np.array(rows, np.float32)
    probabilities = Probabilities(clips, clips, np.arange(len(clips)))
    return Predictions(LABELS, ClipRule(head=head, threshold=threshold), probabilities, probabilities)


def softmax_measured() -> MeasuredOnAll:
    """Measure four clips: two cats and a dog, of which one is wrong, and an owl; the owl and a cat are unknown."""
    predictions = predicted([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.55, 0.45]], threshold=0.65)
    present = np.float32([[1, 0], [1, 0], [0, 1], [0, 0]])
    owl = np.array([[False], [False], [False], [True]])
    return measure_on_all(predictions, present, np.zeros_like(present), unseen_labels=["owl"], unseen=owl)


def test_under_a_softmax_whatever_is_predicted_for_an_unseen_label_is_wrong() -> None:
    measured = softmax_measured()
    assert (measured.clips, measured.clip_accuracy, measured.int8_clip_accuracy) == (4, 0.5, 0.5)
    assert measured.patch_accuracy == 0.5
    assert measured.clips_of_seen_labels == 3
    assert measured.clip_accuracy_of_seen_labels == pytest.approx(2 / 3) == measured.int8_clip_accuracy_of_seen_labels
    # Each bin holds one clip: 0.9 and 0.8 are right, 0.6 and the owl's 0.55 are wrong.
    assert measured.ece == pytest.approx((0.1 + 0.2 + 0.6 + 0.55) / 4, abs=1e-6)
    assert measured.ece_of_seen_labels == pytest.approx((0.1 + 0.2 + 0.6) / 3, abs=1e-6)
    assert measured.log_loss == pytest.approx(-np.log([0.9, 0.4, 0.8]).mean(), abs=1e-5)


def test_an_unseen_label_has_a_row_of_its_own_and_its_unknown_clips_are_counted() -> None:
    measured = softmax_measured()
    assert measured.labels == ("cat", "dog", "owl")
    assert measured.confusion == ((1, 1, 0), (0, 1, 0), (1, 0, 0)) == measured.int8_confusion
    cat, dog, owl = measured.by_label
    assert (owl.clips, owl.recall, owl.int8_recall, owl.precision) == (1, 0.0, 0.0, None)
    assert (cat.recall, dog.recall) == (0.5, 1.0)
    # The owl that is taken for a cat lowers the precision of "cat".
    assert cat.precision == 0.5
    assert measured.unseen_labels == (UnseenLabel("owl", 1, 1),)
    assert measured.unknown == 0.5


def test_under_a_sigmoid_an_unseen_label_is_a_wrong_decision_beside_the_others() -> None:
    predictions = predicted([[0.9, 0.2], [0.9, 0.2], [0.1, 0.3]], "sigmoid")
    present = np.float32([[1, 0], [1, 0], [0, 0]])
    absent = np.float32([[0, 1], [0, 1], [0, 0]])
    owl = np.array([[False], [True], [True]])
    measured = measure_on_all(predictions, present, absent, unseen_labels=["owl"], unseen=owl)
    assert measured.clip_accuracy == pytest.approx(1 / 3)
    # Of two labels of two clips all are right, and both owls are not predicted.
    assert measured.label_accuracy == pytest.approx(4 / 6)
    # Nothing of the model's is judged on the third clip; on the others all is right.
    assert (measured.clips_of_seen_labels, measured.clip_accuracy_of_seen_labels) == (2, 1.0)
    assert measured.ece == measured.ece_of_seen_labels == pytest.approx(0.15, abs=1e-6)
    assert measured.by_label[2].recall == 0.0 and measured.unseen_labels == (UnseenLabel("owl", 2, 1),)


def test_without_unseen_labels_both_figures_are_one() -> None:
    present = np.float32([[1, 0], [0, 1]])
    measured = measure_on_all(
        predicted([[0.9, 0.1], [0.7, 0.3]]), present, np.zeros_like(present), unseen=np.zeros((2, 0), bool)
    )
    assert measured.clip_accuracy == measured.clip_accuracy_of_seen_labels == 0.5
    assert measured.labels == LABELS and measured.unseen_labels == ()


def test_a_cross_validation_adds_up_the_unseen_labels_of_its_folds(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    eye, none = np.eye(2, dtype=np.float32), np.zeros((2, 2), np.float32)
    only_seen = measure_on_all(predicted([[0.9, 0.1], [0.2, 0.8]]), eye, none, unseen=np.zeros((2, 0), bool))
    with_owl = replace(softmax_measured(), excluded=2)
    of_fold = {1: with_owl, 2: with_owl, 3: only_seen}

    def test_fold(*arguments: object) -> tuple[int, OnClips, None]:
        fold = arguments[-1]
        assert isinstance(fold, int)
        empty = np.zeros((0, 2), np.float32)
        scored = ScoredClips(("cat", "dog"), "softmax", empty, empty, empty, (), np.zeros(0, bool))
        return fold, OnClips(of_fold[fold], (), scored), None

    monkeypatch.setattr(evaluate, "_test_fold", test_fold)
    work_here(monkeypatch)
    in_folds = [
        LabelledClip(
            StoredClip(fold, fold, f"{fold}.wav", f"{fold}", 0.0, 1.0, fold, f"{fold}"), {"cat": Value.PRESENT}
        )
        for fold in of_fold
    ]
    monkeypatch.setattr("labeltool.store.clips.labelled", lambda _, **which: [] if which else in_folds)
    result = evaluate.evaluate(project, report=silent, cross_validate=True)
    assert result.clip_accuracy == pytest.approx((0.5 + 0.5 + 1.0) / 3)
    assert result.clip_accuracy_of_seen_labels == pytest.approx((2 / 3 + 2 / 3 + 1.0) / 3)
    assert (result.clips, result.clips_of_seen_labels, result.excluded) == (10, 8, 4)
    assert result.unseen_labels == (UnseenLabel("owl", 2, 2),)
    assert result.labels == ("cat", "dog", "owl") and result.confusion[2] == (2, 0, 0)
