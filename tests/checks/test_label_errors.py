"""Probable label errors: which verdicts the other clips contradict, and the review that shows them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from helpers.command_line import labeltool_here, labeltool_json
from helpers.tones import PITCH_HZ, add_tones
from labeltool.annotation.label_errors import read_list
from labeltool.annotation.review import label_issues
from labeltool.checks.finding import Subject
from labeltool.checks.labels import cross_validation
from labeltool.checks.labels.cross_validation import CrossValidated
from labeltool.checks.labels.errors import doubtful_verdicts
from labeltool.checks.labels.twins import find_twin_labels
from labeltool.project import Project
from labeltool.records import LabelledClip, StoredClip, Value
from labeltool.store import journal
from labeltool.training.targets import build_training_set

P, A, U = Value.PRESENT, Value.ABSENT, Value.UNSURE
NONE: dict[str, Value] = {}


def checked(
    verdicts: list[Mapping[str, Value]], rows: list[list[float]]
) -> tuple[CrossValidated, dict[int, LabelledClip]]:
    """Return clips with verdicts, {} being "none of these", and their probabilities."""
    labelled = [
        LabelledClip(StoredClip(n, n, f"{n}.wav", f"{n}", 0.0, 1.0, None, f"g{n}"), of_clip, not of_clip)
        for n, of_clip in enumerate(verdicts)
    ]
    training_set = build_training_set(labelled)
    by_clip = dict(enumerate(rows))
    probabilities = np.array([by_clip[clip.id] for clip in training_set.clips])
    return CrossValidated(training_set, probabilities, "test", 0), {one.clip.id: one for one in labelled}


def test_of_one_label_the_least_probable_first_and_as_many_probable_as_estimated() -> None:
    verdicts = [{"cat": P}, {"cat": P}, {"cat": P}, {"dog": P}, {"dog": P}, {"dog": P}]
    rows = [[0.9, 0.1], [0.1, 0.9], [0.8, 0.2], [0.2, 0.8], [0.55, 0.45], [0.3, 0.7]]
    found = doubtful_verdicts(*checked(verdicts, rows))
    assert [(one.clip_id, one.label, one.value, one.predicted) for one in found] == [
        (1, "cat", P, "dog"),
        (4, "dog", P, "cat"),
    ]
    # 0.9 is more than the mean of "dog" on dogs, 0.65; 0.55 is less than that of "cat" on cats, 0.6.
    assert [one.is_probable for one in found] == [True, False]


def test_a_label_of_one_group_is_not_judged() -> None:
    verdicts = [{"cat": P}, {"cat": P}, {"dog": P}, {"dog": P}, {"owl": P}]
    rows = [[0.9, 0.1, 0.0], [0.8, 0.2, 0.0], [0.1, 0.9, 0.0], [0.1, 0.9, 0.0], [0.5, 0.5, float("nan")]]
    assert doubtful_verdicts(*checked(verdicts, rows)) == []


def test_none_of_these_and_absent_are_judged_unsure_is_not() -> None:
    verdicts = [{"cat": P}, {"cat": P}, {"dog": P}, {"dog": P}, NONE, NONE, {"cat": U, "dog": P}, {"cat": A}]
    cat, dog, none = [0.9, 0.1, 0.0], [0.1, 0.9, 0.0], [0.0, 0.1, 0.9]
    rows = [cat, none, dog, dog, none, dog, cat, cat]
    # One clip of which only an absent label is known, among 28, makes no project of several labels a clip.
    found = doubtful_verdicts(*checked([*verdicts, *[{"dog": P}] * 20], [*rows, *[dog] * 20]))
    assert [(one.clip_id, one.label, one.value, one.predicted) for one in found] == [
        (1, "cat", P, ""),
        (5, "dog", A, "dog"),
        (6, "dog", P, "cat"),
        (7, "cat", A, "cat"),
    ]


def test_of_many_labels_each_is_judged_beside_its_own_mean() -> None:
    verdicts = [
        {"cat": P, "dog": P},
        {"cat": P, "dog": A},
        {"cat": A, "dog": P},
        {"cat": A, "dog": A},
        {"cat": P, "dog": U},
    ]
    rows = [[0.9, 0.9], [0.05, 0.1], [0.1, 0.8], [0.1, 0.9], [0.9, 0.0]]
    found = doubtful_verdicts(*checked(verdicts, rows))
    assert {(one.clip_id, one.label, one.value) for one in found} == {(1, "cat", P), (3, "dog", A)}
    assert {one.predicted for one in found} == {"", "dog"}


@pytest.fixture
def mislabelled(project: Project, tmp_path: Path) -> Project:
    """A project of 36 tones in three pitches; clips 1, 14 and 27 have the label of another pitch."""
    pitches = list(PITCH_HZ)
    sounds = [((pitches[number // 12],), {pitches[number // 12]: P}) for number in range(36)]
    for place, wrong in ((0, "high"), (13, "low"), (26, "middle")):
        sounds[place] = (sounds[place][0], {wrong: P})
    add_tones(project, tmp_path / "tones", *sounds)
    return project


def test_planted_errors_lead_the_list_and_the_review_shows_the_same(mislabelled: Project) -> None:
    findings = labeltool_json("check", mislabelled, "label-error")["findings"]
    assert {one["clips"][0] for one in findings[:3]} == {1, 14, 27}
    assert [one["severity"] for one in findings[:3]] == ["warning"] * 3
    listed = labeltool_json("review", mislabelled)["clips"]
    assert [one["clip"] for one in listed] == [one["clips"][0] for one in findings]


def test_a_verdict_that_is_corrected_or_confirmed_is_no_issue_any_more(mislabelled: Project) -> None:
    labeltool_json("check", mislabelled, "label-error")
    with mislabelled.open_store() as store:
        listed = read_list(mislabelled.cache)
        assert {1, 14, 27} <= {one.clip_id for one in label_issues(store, listed)}
        journal.annotate(store, 1, "high", A, annotator="test")
        journal.annotate(store, 1, "low", annotator="test")
        journal.annotate(store, 14, "low", annotator="ann")
        assert not {1, 14} & {one.clip_id for one in label_issues(store, listed)}
    assert not {1, 14} & {one["clips"][0] for one in labeltool_json("check", mislabelled, "label-error")["findings"]}


def test_a_list_that_cannot_be_read_is_none(mislabelled: Project) -> None:
    labeltool_json("check", mislabelled, "label-error")
    path = mislabelled.cache / "label_errors.json"
    path.write_bytes(path.read_bytes()[:-20])
    assert read_list(mislabelled.cache) is None
    labeltool_here("review", mislabelled)


def test_probabilities_are_computed_once_for_the_same_labels(
    mislabelled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted: list[int] = []
    train = cross_validation.train_probe
    monkeypatch.setattr(cross_validation, "train_probe", lambda *rest: fitted.append(1) or train(*rest))
    with mislabelled.open_store() as store:
        subject = Subject(mislabelled, store, lambda *_: None)
        first = cross_validation.cross_validated(subject)
        assert first is not None and fitted
        fitted.clear()
        again = cross_validation.cross_validated(subject)
        assert again is not None and not fitted
        np.testing.assert_array_equal(first.probabilities, again.probabilities)
        journal.annotate(store, 1, "low", annotator="ann")
        cross_validation.cross_validated(subject)
        assert fitted


def test_of_several_labels_a_clip_the_planted_error_leads(project: Project, tmp_path: Path) -> None:
    both: list[tuple[tuple[str, ...], dict[str, Value]]] = [
        (sounding, {name: P if name in sounding else A for name in ("low", "high")})
        for sounding in ((), ("low",), ("high",), ("low", "high"))
        for _ in range(16)
    ]
    both[20][1]["high"] = P  # of "low" alone
    both[60][1]["low"] = A  # of both
    add_tones(project, tmp_path / "tones", *both)
    findings = labeltool_json("check", project, "label-error")["findings"]
    assert {(one["clips"][0], one["labels"][0]) for one in findings[:4]} >= {(21, "high"), (61, "low")}


def test_two_names_for_one_sound_are_twins_two_sounds_are_not(project: Project, tmp_path: Path) -> None:
    sounds = [((pitch,), {pitch: P}) for pitch in ("low", "high") for _ in range(16)]
    sounds += [(("middle",), {"middle" if number % 2 else "centre": P}) for number in range(32)]
    add_tones(project, tmp_path / "tones", *sounds)
    with project.open_store() as store:
        found = find_twin_labels(Subject(project, store, lambda *_: None))
    assert [set(one.labels) for one in found] == [{"middle", "centre"}]


def test_labels_that_are_always_together_are_twins(project: Project, tmp_path: Path) -> None:
    sounds = [(("low",), {"hum": P, "mains": P}) for _ in range(20)] + [(("high",), {"beep": P}) for _ in range(20)]
    add_tones(project, tmp_path / "tones", *sounds)
    with project.open_store() as store:
        found = find_twin_labels(Subject(project, store, lambda *_: None))
    assert [(one.labels, one.score) for one in found] == [(("hum", "mains"), 1.0)]
