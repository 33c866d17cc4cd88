"""Predictions renewed clip by clip: the same as computed anew, honest where held out, and open to new labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from labeltool.active_learning.accuracy_estimate import MIN_LABELLED, estimate_accuracy
from labeltool.active_learning.live_classifier import LiveClassifier
from labeltool.active_learning.live_model import LiveModel, embedding_of
from labeltool.active_learning.proposals import ProposalPool, propose_classes
from labeltool.pretrained.class_mapping import LabelMapping
from labeltool.pretrained.model import ClipDescription
from labeltool.records import LabelledClip, StoredClip, Value

CLASSES = ("Animal", "Dog", "Rain", "Bell")


def classifier(count: int, seed: int = 0) -> tuple[LiveClassifier, np.ndarray]:
    rows = np.random.default_rng(seed).normal(0, 1, (count, 12)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    made = LiveClassifier()
    for key, row in enumerate(rows):
        made.add(key, row, f"g{key // 2}")
    return made, rows


def test_clips_added_and_removed_one_by_one_give_what_a_fit_from_nothing_gives() -> None:
    renewed, rows = classifier(40)
    for key in (3, 0, 39):
        renewed.remove(key)
    renewed.add(7, rows[7], "g3")  # labelled anew: it is there once
    fresh = LiveClassifier()
    fresh.add_all(renewed.keys, rows[renewed.keys], renewed.groups)  # many: at once
    np.testing.assert_allclose(renewed.inverse, fresh.inverse, atol=1e-4)
    assert sorted(renewed.keys) == sorted(set(range(40)) - {3, 0, 39})


def test_many_clips_are_removed_at_once() -> None:
    renewed, rows = classifier(40)
    renewed.remove_all(set(range(30)))  # as when an action on many clips is undone
    assert renewed.keys == list(range(30, 40))
    fresh = LiveClassifier()
    fresh.fit(renewed.keys, rows[30:], renewed.groups)
    np.testing.assert_allclose(renewed.inverse, fresh.inverse, atol=1e-4)
    renewed.remove_all(set(renewed.keys))
    assert not len(renewed)


def test_a_held_out_error_is_that_of_a_fit_without_the_group() -> None:
    made, rows = classifier(20)
    residuals = np.random.default_rng(1).normal(0, 1, (20, 3))
    errors = made.held_out_errors(residuals)
    kept = np.array([group != "g4" for group in made.groups])
    without = LiveClassifier()
    without.fit([key for key in made.keys if kept[key]], rows[kept], [made.groups[key] for key in np.flatnonzero(kept)])
    predicted = without.predict(rows[~kept], np.zeros((2, 3)), without.weights(residuals[kept]))
    np.testing.assert_allclose(errors[~kept], residuals[~kept] - predicted, atol=1e-5)


def description(kind: int, seed: int, *, animal: float = 0.0) -> ClipDescription:
    """A clip of a class: its score is high, and its embedding lies near the class's."""
    rng = np.random.default_rng(seed)
    embedding = np.abs(np.eye(8)[kind] * 4 + rng.normal(0, 0.05, 8)).astype(np.float32)
    scores = np.full(len(CLASSES), 0.01, np.float32)
    scores[kind], scores[0] = 0.6, max(scores[0], animal)
    return ClipDescription(embedding, scores, scores)


def answer(clip_id: int, *labels: str, rejected: str = "", nothing: bool = False) -> LabelledClip:
    clip = StoredClip(clip_id, clip_id, "", "", 0.0, 1.0, None, f"g{clip_id}")
    verdicts = dict.fromkeys(labels, Value.PRESENT) | ({rejected: Value.ABSENT} if rejected else {})
    return LabelledClip(clip, verdicts, none_of_these=nothing)


def by_name(labels: Sequence[str]) -> list[LabelMapping]:
    named = {"dog": (1,), "rain": (2,)}
    return [LabelMapping(label, named.get(label, ()), "by name") for label in labels]


def top(model: LiveModel, one: ClipDescription) -> tuple[str, float]:
    predicted = model.predict([one])
    best = int(predicted.probabilities[0].argmax())
    return predicted.labels[best], float(predicted.probabilities[0, best])


def test_names_suggest_before_the_first_label_and_one_answer_corrects_them() -> None:
    model = LiveModel()
    model.renew(["dog", "rain"], by_name)
    assert top(model, description(1, 0))[0] == "dog"
    # This project calls the sound of class 2 "drizzle": known from its one clip on.
    model.set_answers([(answer(1, "drizzle"), description(2, 1))])
    model.renew(["dog", "drizzle"], by_name)
    assert top(model, description(2, 2))[0] == "drizzle"
    assert top(model, description(1, 3))[0] == "dog"
    # Undone: as if it had never been.
    model.remove([1])
    model.renew(["dog", "drizzle"], by_name)
    assert top(model, description(2, 2))[1] < 0.5


@pytest.mark.parametrize("labels", [["dog"], ["dog", "rain"]])
def test_before_a_clip_is_labelled_a_class_suggests_its_label_with_its_own_score(labels: list[str]) -> None:
    model = LiveModel()
    model.renew(labels, by_name)
    assert top(model, description(1, 0)) == ("dog", pytest.approx(0.6))
    assert model.predict([description(1, 0)]).none[0] > 0.38


def test_a_sound_unlike_every_label_is_of_none_of_them() -> None:
    model = LiveModel()
    for clip_id in range(6):
        model.set_answers(
            [(answer(clip_id, "dog" if clip_id % 2 else "rain"), description(1 + (clip_id + 1) % 2, clip_id))]
        )
    model.renew(["dog", "rain"], by_name)
    assert model.predict([description(3, 9)]).none[0] > 0.5 > model.predict([description(1, 9)]).none[0]


def test_labels_that_occur_together_are_judged_each_for_itself() -> None:
    model = LiveModel()
    model.set_answers([(answer(0, "dog", "rain"), description(1, 0))])
    model.set_answers([(answer(1, rejected="dog"), description(2, 1))])
    model.set_answers([(answer(2, nothing=True), description(3, 2))])
    model.renew(["dog", "rain"], by_name)
    predicted = model.predict([description(1, 5)])
    assert predicted.independent
    assert predicted.probabilities[0].min() > 0.5
    assert model.predict([description(3, 6)]).probabilities.max() < 0.5


def test_specific_classes_are_proposed_and_not_what_labels_have_in_common() -> None:
    clips = [description(kind, seed, animal=0.7) for kind in (1, 3) for seed in range(20)]
    pool = ProposalPool(np.stack([embedding_of(one) for one in clips]), np.stack([one.peaks for one in clips]))
    bell = description(3, 99, animal=0.7)
    row, none = embedding_of(bell), np.zeros((0, 0))
    proposed = propose_classes(CLASSES, row, bell.peaks, pool, mapped=(), by_label=none)
    assert next(iter(proposed)) == "Bell"
    assert list(proposed.values()) == sorted(proposed.values(), reverse=True)
    # The very first clip has nothing to be compared with.
    nothing = ProposalPool(pool.rows[:0], pool.peaks[:0])
    assert "Bell" in propose_classes(CLASSES, row, bell.peaks, nothing, mapped=(), by_label=none)
    # A class that a label has already is no new one; nor one that the clips of another label are full of.
    assert "Bell" not in propose_classes(CLASSES, row, bell.peaks, pool, mapped=(3,), by_label=none)
    of_dogs = np.stack([description(1, 0, animal=0.7).scores]).astype(np.float64)
    assert list(propose_classes(CLASSES, row, bell.peaks, pool, mapped=(), by_label=of_dogs)) == ["Bell"]


def test_hard_clips_do_not_decide_the_estimate_for_the_rest() -> None:
    rng = np.random.default_rng(0)
    held_out = rng.uniform(0.1, 0.6, 60)  # those that were asked about: the model is unsure, as it should be
    is_right = rng.uniform(0, 1, 60) < held_out
    rest = np.full(500, 0.95)
    estimate = estimate_accuracy(held_out, is_right, rest)
    assert estimate is not None
    assert is_right.mean() < 0.5
    assert estimate.low < 0.95 < estimate.high
    # A model that is too sure of itself is corrected.
    sure = estimate_accuracy(np.full(60, 0.95), np.arange(60) % 2 == 0, rest)
    assert sure is not None
    assert sure.share == pytest.approx(0.5, abs=0.1)
    assert estimate_accuracy(held_out[: MIN_LABELLED - 1], is_right[: MIN_LABELLED - 1], rest) is None
