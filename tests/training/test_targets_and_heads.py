"""One label a clip or several, what was not checked, and what is none of the labels: from verdicts to suggestions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.progress import quiet
from helpers.tones import A, P, U, add_tones, suggestions
from helpers.training import TINY, ClockOfDraws
from labeltool.active_learning import queue_order
from labeltool.audio.frontend import LogMelFrontend
from labeltool.errors import LabeltoolError
from labeltool.evaluation import metrics
from labeltool.inference import classify
from labeltool.networks import calibration, heads, model_folder, postprocessing
from labeltool.project import Project
from labeltool.records import LabelledClip, StoredClip, Value
from labeltool.store import clips as stored_clips
from labeltool.store import journal
from labeltool.tasks import evaluate
from labeltool.tasks import retrain as tasks_retrain
from labeltool.training import fit
from labeltool.training.targets import TrainingSet, build_training_set, target_arrays


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


def retrain(project: Project, arch: str = TINY.name, **options: Any) -> tasks_retrain.RetrainResult:
    return tasks_retrain.retrain(project, report=quiet, arch=arch, **options)


@pytest.mark.usefixtures("quickly", "tiny")
def test_several_labels_at_once_are_learned_suggested_and_measured(project: Project, tmp_path: Path) -> None:
    low, high = {"low": P, "high": A}, {"low": A, "high": P}
    both, neither = {"low": P, "high": P}, {"low": A, "high": A}
    sounds: list[tuple[Sequence[str], Mapping[str, Value] | None]] = [(["low"], low), (["high"], high)]
    sounds += [(["low", "high"], both), (["middle"], neither)]
    add_tones(project, tmp_path / "wav", *sounds * 8, ([], None), ([], None))
    add_tones(project, tmp_path / "wav", (["low", "high"], {}), (["middle"], {}), (["low"], {}))
    result = retrain(project)
    assert result.head == "sigmoid" and result.background is None and result.several_labels_clips == 16
    assert result.label_accuracy is not None and result.label_accuracy > 0.8
    files = model_folder.read(project.models / "1")
    assert files.rule.head == "sigmoid" and files.labels == ("high", "low") and 0.1 <= files.rule.threshold <= 0.9
    both_at_once, neither_of_them, low_alone = suggestions(project)
    assert both_at_once.probabilities["low"] > 0.5 < both_at_once.probabilities["high"]
    assert max(neither_of_them.probabilities.values()) < 0.5
    assert low_alone.probabilities["low"] > 0.5 > low_alone.probabilities["high"]
    with project.open_store() as store:
        queued = [clip_id for (clip_id,) in store.connection.execute("SELECT clip_id FROM queue ORDER BY rank")]
    assert sorted(queued) == sorted(one.clip_id for one in (both_at_once, neither_of_them, low_alone))
    # Same seed, same machine, same numbers, to the last byte of the int8 model.
    retrain(project, from_scratch=True)
    assert model_folder.read(project.models / "2").int8 == files.int8
    measured = evaluate.evaluate(project, report=quiet)
    assert measured.head == "sigmoid" and measured.label_accuracy == result.label_accuracy
    assert {one.label for one in measured.by_label} == {"high", "low"}
    last = tmp_path / "wav" / "34.wav"
    found = classify.classify(project, report=quiet, files=[str(last)]).files[0]
    assert found.predicted == ("high", "low")


@pytest.mark.usefixtures("quickly", "tiny")
def test_none_of_these_is_learned_and_suggests_no_label(project: Project, tmp_path: Path) -> None:
    sounds: list[tuple[Sequence[str], Mapping[str, Value] | None]] = [(["low"], {"low": P}), (["high"], {"high": P})]
    add_tones(project, tmp_path / "wav", *[*sounds, ([], None)] * 8)
    add_tones(project, tmp_path / "wav", ([], {}), (["low"], {}))
    result = retrain(project)
    assert (result.head, result.background) == ("softmax", "none")
    nothing, low = suggestions(project)
    assert set(nothing.probabilities) == set(low.probabilities) == {"low", "high"}
    assert sum(nothing.probabilities.values()) < 0.5 < low.probabilities["low"]
    with project.open_store() as store:
        margins = dict(store.connection.execute("SELECT clip_id, margin FROM suggestions").fetchall())
    # It is confident that it is neither: that is no reason to query it.
    assert margins[nothing.clip_id] > 0.2
    assert evaluate.evaluate(project, report=quiet).labels == ("high", "low", "none")
    found = classify.classify(project, report=quiet, files=[str(tmp_path / "wav" / "24.wav")]).files[0]
    assert found.predicted == () and found.scores[0].label == "none"
    # A label of that name comes: the background is renamed and keeps its weights.
    add_tones(project, tmp_path / "wav", *[(["middle"], {"none": P})] * 3)
    again = retrain(project)
    assert again.warm and again.background == "(none)"
    left = suggestions(project)[0].probabilities
    assert set(left) == {"low", "high", "none"} and left["low"] + left["high"] < 0.2


@pytest.mark.usefixtures("quickly", "tiny")
@pytest.mark.parametrize(
    "sounds",
    [
        [(["low"], {"low": P}), (["high"], {"low": A})] * 6,
        [(["low"], {"low": P}), ([], None)] * 6,
    ],
    ids=["present and absent", "present and none of these"],
)
def test_a_project_with_one_label_learns_where_it_is_not(project: Project, tmp_path: Path, sounds: Any) -> None:
    add_tones(project, tmp_path / "wav", *sounds)
    add_tones(project, tmp_path / "wav", (["low"], {}), (sounds[1][0], {}))
    retrain(project)
    there, away = suggestions(project)
    assert there.probabilities["low"] > 0.5 > away.probabilities["low"]


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


@pytest.mark.usefixtures("quickly", "tiny")
def test_two_clips_are_enough_to_begin(project: Project, tmp_path: Path) -> None:
    add_tones(project, tmp_path / "wav", (["low"], {"low": P}), (["high"], {"high": P}), (["high"], {}))
    result = retrain(project)
    assert result.clip_accuracy is None and result.validation_clips == 0 and result.threshold == 0.0
    assert suggestions(project)[0].probabilities["high"] > 0.5


def test_many_labels_of_few_clips_and_one_of_a_single_group_spare_what_they_can() -> None:
    verdicts = [{f"label {i // 4}": P} for i in range(200)] + [{"alone": P}] * 6
    many = [labelled(i, **one) for i, one in enumerate(verdicts)]
    # Six clips of one label in one group.
    many = [*many[:200], *(replace(one, clip=replace(one.clip, group="one")) for one in many[200:])]
    found = build_training_set(many)
    held = fit.split_validation(found.present, found.groups, fit.TrainingSettings())
    assert 15 <= len(held) <= 25 and held.max() < 200
    left = np.delete(found.present, held, axis=0).sum(axis=0)
    assert left.min() >= 3 and found.present.shape == (206, 51)


@pytest.mark.usefixtures("quickly", "tiny")
def test_a_warm_start_that_fell_behind_gives_way_to_one_from_scratch(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sounds: list[tuple[Sequence[str], Mapping[str, Value] | None]] = [(["low"], {"low": P}), (["high"], {"high": P})]
    add_tones(project, tmp_path / "wav", *sounds * 8)
    assert retrain(project).compared is None
    add_tones(project, tmp_path / "wav", *sounds * 8)
    # What was low is high from now on, and the other way round. Continuing the last model is one step, which cannot
    # unlearn that: it is wrong on every clip, and worse than even probabilities.
    with project.open_store() as store:
        for clip in stored_clips.labelled(store):
            (before,) = clip.verdicts
            journal.annotate(store, clip.clip.id, before, A, annotator="ann")
            journal.annotate(store, clip.clip.id, "high" if before == "low" else "low", annotator="ann")
    again = retrain(project)
    losses = again.compared
    assert losses is not None and losses.clips == 32 and not again.warm
    assert losses.from_scratch_log_loss is not None and losses.warm_log_loss is not None
    assert losses.from_scratch_log_loss < np.log(2) < losses.warm_log_loss
    card = model_folder.read(project.models / "2").card
    assert card.log_loss == losses.from_scratch_log_loss and card.parent is None
    assert sorted(path.name for path in project.models.iterdir()) == ["1", "2"]
    # The same clips judged both: those that judged the first model, and some of the new ones.
    checked = [model_folder.read(project.models / name).groups_validated_on() for name in ("1", "2")]
    assert checked[0] < checked[1]


@pytest.mark.usefixtures("tiny")
def test_a_budget_ends_the_model_not_the_training(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sounds: list[tuple[Sequence[str], Mapping[str, Value] | None]] = [(["low"], {"low": P}), (["high"], {"high": P})]
    add_tones(project, tmp_path / "wav", *sounds * 10)
    # Every draw takes a quarter of a second: however fast the machine, 12 seconds hold 48 of the schedule's 400 steps.
    clock = ClockOfDraws(monkeypatch, 0.25)
    result = retrain(project, budget_s=12.0, clock=clock)
    assert result.validation_clips and result.int8_clip_accuracy is not None
    card = model_folder.read(project.models / "1").card
    settings = fit.TrainingSettings()
    assert 0 < card.patches <= 48 * settings.batch < settings.least_patches
    assert card.budget_s == 12.0 and (result.left_out, result.without_suggestion) == (0, 0)
    assert result.measured_clips == result.validation_clips


@pytest.mark.usefixtures("tiny")
def test_what_a_budget_leaves_no_time_for_is_left_for_the_next_run_and_counted(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labelled: list[tuple[Sequence[str], Mapping[str, Value] | None]] = [(["low"], {"low": P}), (["high"], {"high": P})]
    add_tones(project, tmp_path / "wav", *labelled * 15, *[(["low"], {})] * 40)
    clock = ClockOfDraws(monkeypatch, 0.5)
    compute = LogMelFrontend.compute_frames

    def compute_slowly(frontend: LogMelFrontend, pcm: np.ndarray) -> np.ndarray:
        clock.now_s += 0.5
        return compute(frontend, pcm)

    monkeypatch.setattr(LogMelFrontend, "compute_frames", compute_slowly)
    # Of 9.2 seconds in all, a clip's features take half of one: a clip of each label, and others until they are over.
    result = retrain(project, budget_s=1.0, clock=clock)
    assert (result.labels_seen, result.left_out) == (19, 11)
    # The shortest training there is, which ends when it is late: a few clips for each thing that must be.
    assert result.measured_clips == min(4, result.validation_clips) and result.pool_clips == 0
    assert (result.suggestions, result.without_suggestion) == (32, 8)
    again = retrain(project, budget_s=40.0, clock=clock)
    assert (again.labels_seen, again.left_out, again.without_suggestion) == (30, 0, 0)


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
