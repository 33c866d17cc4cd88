"""Retraining a project: several labels at once, none of them, one alone; warm starts and time budgets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.progress import quiet
from helpers.tones import A, P, add_tones, suggestions
from helpers.training import TINY, ClockOfDraws
from labeltool.audio.frontend import LogMelFrontend
from labeltool.inference import classify
from labeltool.networks import model_folder
from labeltool.project import Project
from labeltool.records import Value
from labeltool.store import clips as stored_clips
from labeltool.store import journal
from labeltool.tasks import evaluate
from labeltool.tasks import retrain as tasks_retrain
from labeltool.training import fit


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


@pytest.mark.usefixtures("quickly", "tiny")
def test_two_clips_are_enough_to_begin(project: Project, tmp_path: Path) -> None:
    add_tones(project, tmp_path / "wav", (["low"], {"low": P}), (["high"], {"high": P}), (["high"], {}))
    result = retrain(project)
    assert result.clip_accuracy is None and result.validation_clips == 0 and result.threshold == 0.0
    assert suggestions(project)[0].probabilities["high"] > 0.5


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
