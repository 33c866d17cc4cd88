"""Heads of one label or several: the loss, pooling, thresholds, and what is counted as right."""

from __future__ import annotations

import numpy as np
import pytest

from labeltool.active_learning import queue_order
from labeltool.evaluation import metrics
from labeltool.networks import calibration, heads, postprocessing


def test_the_loss_ignores_unchecked_labels_and_equals_the_gradients() -> None:
    tf = pytest.importorskip("tensorflow")
    rng = np.random.default_rng(0)
    probabilities = rng.uniform(0.05, 0.95, (6, 4)).astype(np.float32)
    present = (rng.random((6, 4)) < 0.3).astype(np.float32)
    absent = ((rng.random((6, 4)) < 0.5) * (1 - present)).astype(np.float32)
    losses = heads.log_loss("sigmoid", probabilities, present, absent)
    unchecked = (present == 0) & (absent == 0)
    assert unchecked.any()
    np.testing.assert_array_equal(
        losses, heads.log_loss("sigmoid", np.where(unchecked, 0.5, probabilities), present, absent)
    )
    targets = heads.stack_targets("sigmoid", present, absent)
    assert float(heads.tensor_log_loss("sigmoid", tf.constant(probabilities), tf.constant(targets))) == pytest.approx(
        losses.mean(), rel=1e-5
    )
    # Soft labels lie between the hard ones; under a softmax an absent label costs by its probability.
    soft = heads.log_loss("sigmoid", probabilities[:1, :1], np.float32([[0.3]]), np.float32([[0.7]]))
    p = float(probabilities[0, 0])
    assert soft[0] == pytest.approx(-0.3 * np.log(p) - 0.7 * np.log(1 - p), rel=1e-5)
    shares = probabilities / probabilities.sum(axis=1, keepdims=True)
    rejected = np.zeros((6, 4), np.float32)
    rejected[:, 2] = 1
    nothing = np.zeros_like(rejected)
    np.testing.assert_allclose(
        heads.log_loss("softmax", shares, nothing, rejected), -np.log(1 - shares[:, 2]), rtol=1e-4
    )
    tensor = heads.tensor_log_loss(
        "softmax", tf.constant(shares), tf.constant(heads.stack_targets("softmax", nothing, rejected))
    )
    assert float(tensor) == pytest.approx(-np.log(1 - shares[:, 2]).mean(), rel=1e-4)


def test_in_a_mixture_labels_of_either_are_present_and_those_of_neither_absent() -> None:
    one = np.float32([[1, 0, 0, 0, 1, 0]])  # present: a; absent: b; c unchecked
    other = np.float32([[0, 0, 1, 1, 1, 0]])  # present: c; absent: a, b
    np.testing.assert_array_equal(heads.mixture_targets(one, other), [[1, 0, 1, 0, 1, 0]])


def test_under_a_sigmoid_patches_are_pooled_by_their_log_odds() -> None:
    rule = postprocessing.ClipRule(0.0, temperature=0.5, head="sigmoid")
    patches = np.float32([[0.8, 0.5, 1.0], [0.6, 0.1, 1.0]])
    scores = postprocessing.clip_scores(patches, np.zeros(2, np.float32), rule)
    odds = np.sqrt([(0.8 / 0.2) * (0.6 / 0.4), (0.5 / 0.5) * (0.1 / 0.9), 511.0**2]) ** 2
    np.testing.assert_allclose(scores, odds / (1 + odds), rtol=1e-4)


def test_the_threshold_keeps_nineteen_of_twenty_right_predictions() -> None:
    rng = np.random.default_rng(1)
    top = rng.uniform(0.3, 0.6, 400)
    scores = np.stack([top, 1 - top], axis=1).astype(np.float32)
    scores = np.concatenate([scores, np.zeros((400, 1), np.float32)], axis=1)
    present = np.eye(3, dtype=np.float32)[scores.argmax(axis=1)]
    nothing = np.zeros_like(present)
    assert calibration.choose_threshold(scores, present, nothing, "softmax") == 0.5  # never more than an even chance
    low = scores * np.float32(0.5)
    at = calibration.choose_threshold(low, present, nothing, "softmax")
    assert (low.max(axis=1) >= at).mean() == pytest.approx(0.95, abs=0.01)
    # Wrong predictions do not count, and a few right ones are too few to choose by.
    assert calibration.choose_threshold(low, np.roll(present, 1, axis=1), nothing, "softmax") == 0.0
    assert calibration.choose_threshold(low[:7], present[:7], nothing[:7], "softmax") == 0.0


def test_under_a_sigmoid_the_threshold_is_that_of_the_best_f1() -> None:
    there, away = np.linspace(0.25, 0.9, 40), np.linspace(0.01, 0.2, 200)
    scores = np.concatenate([there, away]).astype(np.float32)[:, None]
    present = np.repeat(np.float32([1, 0]), [40, 200])[:, None]
    at = calibration.choose_threshold(scores, present, 1 - present, "sigmoid")
    assert 0.2 < at <= 0.25
    assert calibration.choose_threshold(scores[:5], present[:5], 1 - present[:5], "sigmoid") == 0.5


def test_confusion_and_recall_count_only_what_is_known() -> None:
    probabilities = np.float32([[0.9, 0.8, 0.1], [0.9, 0.7, 0.6], [0.2, 0.1, 0.9]])
    present = np.float32([[1, 0, 0], [1, 1, 0], [0, 1, 0]])
    absent = np.float32([[0, 1, 0], [0, 0, 0], [1, 0, 1]])
    found = metrics.confusion(probabilities, present, absent, "sigmoid")
    np.testing.assert_array_equal(found, [[2, 1, 0], [0, 1, 1], [0, 0, 0]])
    recall, precision = metrics.recall_and_precision(probabilities, present, absent, "sigmoid")
    np.testing.assert_array_equal(recall, [1, 0.5, np.nan])
    np.testing.assert_array_equal(precision, [1, 0.5, 0])
    np.testing.assert_allclose(metrics.correct_share(probabilities, present, absent, "sigmoid"), [0.5, 1, 1 / 3])
    # One label a clip: a clip with two is right when the first is one of them.
    two = np.float32([[0.5, 0.5, 0], [0, 1, 0]])
    shares = np.float32([[0.1, 0.8, 0.1], [0.1, 0.2, 0.7]])
    nothing = np.zeros_like(two)
    np.testing.assert_array_equal(metrics.correct_share(shares, two, nothing, "softmax"), [1, 0])
    np.testing.assert_array_equal(metrics.confusion(shares, two, nothing, "softmax"), [[0, 0, 0], [0, 1, 1], [0, 0, 0]])


# From here on, whole projects of tones, trained in this process.


@pytest.mark.parametrize("head", ["softmax", "sigmoid"])
def test_patches_are_pooled_by_their_probabilities_or_their_votes_where_that_was_chosen(head: heads.Head) -> None:
    patches = np.float32([[0.9, 0.05, 0.05], [0.3, 0.6, 0.1], [0.3, 0.6, 0.1]])
    level = np.zeros(3, np.float32)

    def scores(pooling: postprocessing.Pooling) -> np.ndarray:
        return postprocessing.clip_scores(patches, level, postprocessing.ClipRule(0.0, 1.0, head, pooling=pooling))

    np.testing.assert_allclose(scores("mean"), [0.5, 1.25 / 3, 0.25 / 3], rtol=1e-3)
    wanted = np.array([1 / 3, 2 / 3, 1 / 512])
    np.testing.assert_allclose(scores("majority"), wanted / wanted.sum() if head == "softmax" else wanted, rtol=1e-3)


def test_another_pooling_is_chosen_only_where_it_is_clearly_better() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 60)
    present = np.eye(2, dtype=np.float32)[truth]
    # In every clip one patch is wrong and certain: a mean of logarithms follows it, a vote does not.
    by_clip = [np.float32([[0.6, 0.4]] * 4 + [[0.002, 0.998]])[:, :: 1 if kind == 0 else -1] for kind in truth]
    levels = [np.zeros(5, np.float32)] * 60
    even = [np.zeros(4, np.float32)] * 60
    usual = postprocessing.ClipRule(0.0)
    chosen, scores = calibration.choose_rule(by_clip, levels, present, np.zeros_like(present), usual)
    assert chosen.pooling == "majority" and (scores.argmax(axis=1) == truth).all()
    few, _ = calibration.choose_rule(by_clip[:19], levels[:19], present[:19], np.zeros((19, 2), np.float32), usual)
    assert few.pooling == "log-mean"
    agreed = [np.repeat(np.float32([[0.998, 0.002]]), 4, axis=0)[:, :: 1 if kind == 0 else -1] for kind in truth]
    level, _ = calibration.choose_rule(agreed, even, present, np.zeros_like(present), usual)
    assert level.pooling == "log-mean"


def test_under_a_sigmoid_a_clip_is_as_uncertain_as_its_most_uncertain_label() -> None:
    probabilities = np.float32([[0.99, 0.98], [0.99, 0.45], [0.02, 0.01]])
    shares, _ = queue_order._as_distributions([probabilities, None], "sigmoid")
    assert shares is not None
    np.testing.assert_allclose(shares, [[0.98, 0.02], [0.45, 0.55], [0.02, 0.98]], rtol=1e-5)
    # Two labels that are both present are certain, though neither leads.
    assert queue_order.strategies.margins(shares).argmin() == 1
    (one_label,) = queue_order._as_distributions([np.float32([[0.3]])], "sigmoid")
    assert one_label is not None
    np.testing.assert_allclose(one_label, [[0.3, 0.7]], rtol=1e-5)
