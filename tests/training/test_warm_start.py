"""Warm starts: groups that an ancestor was trained on stay known over generations, and are the last to validate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from labeltool.audio import files as audio_files
from labeltool.audio.feature_cache import FeatureCache
from labeltool.audio.frontend import LogMelFrontend
from labeltool.errors import LabeltoolError
from labeltool.networks import model_folder
from labeltool.networks.model_card import ModelCard
from labeltool.networks.postprocessing import ClipRule
from labeltool.pretrained.probe import open_model
from labeltool.project import Project
from labeltool.records import LabelledClip, StoredClip, Value
from labeltool.tasks.evaluate import evaluate
from labeltool.training.fit import TrainingSettings
from labeltool.training.targets import TrainingSet, build_training_set
from labeltool.training.unlabelled.semi_supervised import Teacher, gather_unlabelled, pool_candidates
from labeltool.training.warm_start import MIN_CLIPS_TO_COMPARE, Parent, choose_validation

P, A = Value.PRESENT, Value.ABSENT


def clip(number: int, fold: int | None = None) -> StoredClip:
    return StoredClip(number, number, f"{number}.wav", f"{number}", 0.0, 1.0, fold, f"g{number}")


def labelled(numbers: Sequence[int]) -> list[LabelledClip]:
    return [LabelledClip(clip(n), {"dog" if n % 2 else "cat": P}) for n in numbers]


def training_set_of(numbers: Sequence[int]) -> TrainingSet:
    return build_training_set(labelled(numbers))


def model(
    directory: Path, parent: model_folder.ModelFiles | None = None, **parts: Sequence[int]
) -> model_folder.ModelFiles:
    """Write the folder of a model that was trained and validated on some clips; its network is never run."""
    directory.mkdir(parents=True)
    frontend = LogMelFrontend()
    card = ModelCard(
        architecture="miniresnet",
        frontend=frontend.to_dict(),
        fingerprint=frontend.fingerprint,
        labels=("cat", "dog"),
        clip_rule=ClipRule(),
    )
    seen = [(clip(number), part) for part, numbers in parts.items() for number in numbers]
    model_folder.write(directory, card=card, int8=b"", seen=seen, parent=parent)
    return model_folder.read(directory)


def test_the_groups_of_a_pool_are_known_to_every_generation(tmp_path: Path) -> None:
    first = model(tmp_path / "1", train=[1], pool=[2])
    second = model(tmp_path / "2", first, train=[3], validation=[4])
    third = model(tmp_path / "3", second, train=[5], validation=[4], pool=[6])
    assert third.groups_seen() == {f"g{number}" for number in range(1, 7)}
    assert third.groups_trained_on() == {"g1", "g3", "g5"}
    assert third.groups_in_pools() == {"g2", "g6"}
    assert third.groups_validated_on() == {"g4"}


def test_a_warm_start_is_validated_on_groups_that_no_ancestor_has_seen_where_there_are_enough(tmp_path: Path) -> None:
    first = model(tmp_path / "1", train=range(20), validation=range(20, 28), pool=range(28, 60))
    files = model(tmp_path / "2", first, train=range(20), validation=range(20, 28))
    parent = Parent(2, files, None)  # type: ignore[arg-type]  # its network is not used
    chosen = choose_validation(training_set_of(range(100)), parent, share=0.25, seed=0)
    assert set(range(20, 28)) < set(chosen) and len(chosen) >= 8 + 8
    assert not set(chosen) & set(range(28, 60))
    # Only the validation clips of the parent are left: they validate the child too.
    assert list(choose_validation(training_set_of(range(60)), parent, share=0.25, seed=0)) == list(range(20, 28))


def test_with_too_few_clips_the_pool_validates_and_without_any_there_is_no_validation(tmp_path: Path) -> None:
    files = model(tmp_path / "1", train=range(10), pool=range(10, 60))
    parent = Parent(1, files, None)  # type: ignore[arg-type]  # its network is not used
    chosen = choose_validation(training_set_of(range(60)), parent, share=0.25, seed=0)
    assert len(chosen) >= MIN_CLIPS_TO_COMPARE and min(chosen) >= 10
    assert len(choose_validation(training_set_of(range(10)), parent, share=0.25, seed=0)) == 0


def test_what_was_accepted_automatically_validates_only_where_too_little_else_is_labelled() -> None:
    training_set, accepted = training_set_of(range(100)), set(range(60))
    chosen = choose_validation(training_set, None, share=0.25, seed=0, accepted=accepted)
    assert len(chosen) >= MIN_CLIPS_TO_COMPARE and min(chosen) >= 60
    by_hand = set(range(96, 100))
    few = choose_validation(training_set, None, share=0.25, seed=0, accepted=set(range(100)) - by_hand)
    assert len(few) >= MIN_CLIPS_TO_COMPARE and set(few) & by_hand
    without = choose_validation(training_set, None, share=0.25, seed=0)
    assert list(choose_validation(training_set, None, share=0.25, seed=0, accepted={1000})) == list(without)


def test_a_warm_start_is_validated_on_new_clips_that_a_person_labelled(tmp_path: Path) -> None:
    files = model(tmp_path / "1", train=range(20), validation=range(20, 28))
    parent = Parent(1, files, None)  # type: ignore[arg-type]  # its network is not used
    chosen = choose_validation(training_set_of(range(100)), parent, share=0.25, seed=0, accepted=range(28, 64))
    assert set(range(20, 28)) < set(chosen) and not set(chosen) & set(range(28, 64))


@pytest.mark.parametrize("share", [TrainingSettings().validation_share, 0.2])
def test_validation_grows_with_the_labels_of_a_project_whose_pool_is_nearly_everything(
    tmp_path: Path, share: float
) -> None:
    order = np.random.default_rng(0).permutation(300)
    parent, counts = None, []
    trained: set[str] = set()
    for generation in range(1, 5):
        labelled_clips, unlabelled = order[: 75 * generation], order[75 * generation :]
        training_set = training_set_of(labelled_clips)
        held = choose_validation(training_set, parent, share=share, seed=generation)
        checked = {training_set.groups[place] for place in held}
        pool = pool_candidates([clip(number) for number in unlabelled], checked, share)
        assert not checked & trained and (parent is None or parent.files.groups_validated_on() <= checked)
        # Most unlabelled clips are in the pool all the same.
        assert len(pool) >= 0.6 * len(unlabelled)
        trained |= {group for group in training_set.groups if group not in checked} | {one.group for one in pool}
        counts.append(len(held))
        parts = {
            "validation": labelled_clips[held],
            "train": np.delete(labelled_clips, held),
            "pool": [one.id for one in pool],
        }
        files = model(tmp_path / str(generation), parent.files if parent else None, **parts)
        parent = Parent(generation, files, None)  # type: ignore[arg-type]  # its network is not used
    assert counts == sorted(set(counts)) and abs(counts[-1] - share * 300) <= 0.2 * share * 300


@pytest.mark.parametrize(("labels", "measured"), [(30, range(20, 30)), (24, range(10, 24))])
def test_a_model_is_measured_on_clips_it_never_saw_where_there_are_enough(
    project: Project, monkeypatch: pytest.MonkeyPatch, labels: int, measured: range
) -> None:
    from labeltool.store import models

    model(project.models / "1", train=range(10), pool=range(10, 20))
    with project.open_store() as store:
        models.add(store, models.NewModel("x", "{}", 1), parent_id=None, journal_mark="", publish=lambda _: None)
    found: list[LabelledClip] = []

    def measured_on(
        _project: object, _files: object, _names: object, wanted: list[LabelledClip], _report: object
    ) -> None:
        found.extend(wanted)
        raise LabeltoolError("chosen")

    monkeypatch.setattr("labeltool.store.clips.labelled", lambda _, which="": [] if which else labelled(range(labels)))
    monkeypatch.setattr("labeltool.tasks.evaluate.measure_on", measured_on)
    with pytest.raises(LabeltoolError, match="chosen"):
        evaluate(project, report=lambda *_: None)
    assert [one.clip.id for one in found] == list(measured)


def test_a_clip_of_the_pool_that_the_teacher_cannot_read_is_skipped_and_reported(
    project: Project, pretrained_file: Path, write_tone: Callable[..., Path]
) -> None:
    stored = []
    for number in range(4):
        path = write_tone(f"{number}.wav", frequency_hz=300 * (number + 1), seconds=1.0)
        stored.append(
            StoredClip(number, number, str(path), audio_files.content_hash(path), 0.0, 1.0, None, f"g{number}")
        )
    cache = FeatureCache(project.cache / "features", LogMelFrontend())
    assert not cache.compute(stored)
    Path(stored[3].path).unlink()
    single = build_training_set([LabelledClip(stored[n], {"dog" if n else "cat": P}) for n in range(2)])
    teacher = Teacher(open_model(pretrained_file, rate_hz=16_000, embedding=True), project.cache / "teacher")

    def gathered(training_set: TrainingSet, unlabelled: Sequence[StoredClip]) -> tuple[int, list[str], list[str]]:
        beside = gather_unlabelled(
            cache,
            training_set,
            np.array([], np.int64),
            unlabelled,
            TrainingSettings(),
            teacher=teacher,
            report=lambda *_: None,
        )
        pool, features = beside.pool, beside.features
        assert pool.targets is not None and len(pool.targets) == len(pool) == len(features.frames)
        assert (pool.absent is not None) == (training_set.head == "sigmoid")
        return (
            len(pool),
            [one.group for one in features.clips],
            [one.file for one in features.skipped],
        )

    assert gathered(single, stored[2:]) == (1, ["g2"], [stored[3].path])
    several = build_training_set(
        [LabelledClip(stored[0], {"dog": P, "cat": P}), LabelledClip(stored[1], {"dog": A, "cat": P})]
    )
    assert several.head == "sigmoid" and gathered(several, stored[2:]) == (1, ["g2"], [stored[3].path])
    gone = build_training_set([LabelledClip(stored[n], {"dog" if n else "cat": P}) for n in (0, 3)])
    with pytest.raises(LabeltoolError, match=r"3\.wav"):
        gathered(gone, stored[2:3])
