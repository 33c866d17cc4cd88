"""From verdicts to targets: one label a clip or several, what was not checked, and what is none of the labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from helpers.tones import A, P, U
from labeltool.errors import LabeltoolError
from labeltool.records import LabelledClip, StoredClip, Value
from labeltool.training.targets import TrainingSet, build_training_set, target_arrays
from labeltool.training.warm_start import choose_validation


def labelled(number: int, none_of_these: bool = False, **verdicts: Value) -> LabelledClip:
    clip = StoredClip(number, number, f"/{number}.wav", f"{number:064x}", 0.0, 1.0, None, f"g{number}")
    return LabelledClip(clip, verdicts, none_of_these)


def training_set_of(*verdicts: Mapping[str, Value] | None) -> TrainingSet:
    """Build the training set of clips with these verdicts; None stands for "none of these"."""
    return build_training_set([labelled(i, one is None, **(one or {})) for i, one in enumerate(verdicts)])


def test_one_label_a_clip_is_a_softmax_and_the_sum_of_its_targets_is_one() -> None:
    found = training_set_of({"dog": P}, {"cat": P, "dog": A}, {"dog": P, "rain": U}, {"rain": U})
    assert (found.head, found.labels, found.background) == ("softmax", ("cat", "dog"), None)
    np.testing.assert_array_equal(found.present, [[0, 1], [1, 0], [0, 1]])
    assert not found.absent.any()


def test_a_clip_with_an_absent_label_only_is_absent_for_that_label_and_nothing_else() -> None:
    found = training_set_of(*[{"dog": P}] * 20, *[{"cat": P}] * 20, {"dog": A})
    assert found.head == "softmax" and len(found.clips) == 41
    np.testing.assert_array_equal(found.present[-1], [0, 0])
    np.testing.assert_array_equal(found.absent[-1], [0, 1])


def test_none_of_these_becomes_an_output_with_the_name_of_no_label() -> None:
    found = training_set_of({"dog": P}, {"none": P}, None, None)
    assert found.labels == ("dog", "none", "(none)") and found.background == "(none)"
    np.testing.assert_array_equal(found.present[2:], [[0, 0, 1], [0, 0, 1]])
    # One label and clips without it are enough to train on.
    assert training_set_of({"dog": P}, None).labels == ("dog", "none")


def test_several_labels_a_clip_are_a_sigmoid_that_ignores_unchecked_labels() -> None:
    found = training_set_of(
        {"dog": P, "cat": P}, {"dog": P, "cat": A, "rain": U}, {"dog": A, "rain": P}, {"rain": A}, None
    )
    assert (found.head, found.labels, found.background) == ("sigmoid", ("cat", "dog", "rain"), None)
    np.testing.assert_array_equal(found.present, [[1, 1, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]])
    np.testing.assert_array_equal(found.absent, [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]])
    assert found.assumed_absent == ()


def test_a_slip_does_not_make_a_multi_label_project() -> None:
    assert training_set_of(*[{"dog": P}] * 30, *[{"cat": P}] * 30, {"dog": P, "cat": P}).head == "softmax"
    assert training_set_of(*[{"dog": P}] * 8, *[{"cat": P}] * 8, {"dog": P, "cat": P}).head == "sigmoid"


def test_a_label_that_was_never_rejected_is_weakly_absent_where_it_was_not_judged() -> None:
    found = training_set_of({"dog": P, "cat": P}, {"dog": P}, {"cat": P}, {"rain": P, "cat": A}, {"rain": P, "dog": U})
    assert found.assumed_absent == ("dog", "rain")
    np.testing.assert_array_equal(found.absent[:, 1], [0, 0, 0.5, 0.5, 0])
    np.testing.assert_array_equal(found.absent[:, 0], [0, 0, 0, 1, 0])


@pytest.mark.parametrize(
    "verdicts, message",
    [
        ([{"dog": P}, {"dog": P}], "only 'dog' has clips.*or of one and clips without 'dog'"),
        (
            [{"dog": U}, {"cat": A}, None],
            "no clip has a label to train on.*or of one and clips without it",
        ),
        ([None, None], "no clip has a label"),
    ],
)
def test_too_few_labels_are_refused_in_one_line(verdicts: list[Any], message: str) -> None:
    with pytest.raises(LabeltoolError, match=message):
        training_set_of(*verdicts)


@pytest.mark.parametrize("several", [0.01, 0.3])
@pytest.mark.parametrize("seed", range(4))
def test_each_clip_has_the_targets_of_its_own_verdicts_in_the_order_of_the_clips(seed: int, several: float) -> None:
    rng, names = np.random.default_rng(seed), ("cat", "dog", "owl", "rain")
    clips = []
    for number in range(400):
        chosen = rng.permutation(names)[: 1 + int(rng.random() < several)].tolist()
        values = [P if rng.random() < 0.9 else rng.choice([A, U]) for _ in chosen]
        clips.append(labelled(number, rng.random() < 0.05, **dict(zip(chosen, values, strict=True))))
    windows = [labelled(-number, True, **dict.fromkeys(names, A)) for number in range(1, 60)]
    found = build_training_set(clips, windows)
    assert found.head == ("sigmoid" if several > 0.05 else "softmax")
    of_id = {one.clip.id: one for one in (*clips, *windows)}
    used = [of_id[clip.id] for clip in found.clips]
    assert [one.clip for one in used] == [*found.clips]
    assert used == [one for one in (*clips, *windows) if one in used] and len(used) > 390
    rows = target_arrays(
        used, found.labels, head=found.head, background=found.background, assumed_absent=found.assumed_absent
    )
    np.testing.assert_array_equal(found.present, rows[0])
    np.testing.assert_array_equal(found.absent, rows[1])
    of_store = [one for one in used if one.clip.id >= 0]
    several_labels = [len(one.present) > 1 or not (one.present or one.none_of_these) for one in of_store]
    assert found.multi_label_clips == sum(several_labels)


def test_many_labels_of_few_clips_and_one_of_a_single_group_spare_what_they_can() -> None:
    verdicts = [{f"label {i // 4}": P} for i in range(200)] + [{"alone": P}] * 6
    many = [labelled(i, **one) for i, one in enumerate(verdicts)]
    # Six clips of one label in one group.
    many = [*many[:200], *(replace(one, clip=replace(one.clip, group="one")) for one in many[200:])]
    found = build_training_set(many)
    validation = choose_validation(found, None, share=0.1, seed=0)
    assert 15 <= len(validation) <= 25 and validation.max() < 200
    left = np.delete(found.present, validation, axis=0).sum(axis=0)
    assert left.min() >= 3 and found.present.shape == (206, 51)
