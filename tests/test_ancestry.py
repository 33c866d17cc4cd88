"""What a network has met stays known over generations, and what it learnt from in any way is the last to check it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from labeltool.audio import files as audio_files
from labeltool.audio.feature_cache import FeatureCache
from labeltool.audio.frontend import Frontend
from labeltool.errors import LabeltoolError
from labeltool.networks import model_folder
from labeltool.networks.postprocessing import ClipRule
from labeltool.pretrained.probe import open_ear
from labeltool.project import Project
from labeltool.records import LabelledClip, StoredClip, Value
from labeltool.tasks.evaluate import evaluate
from labeltool.training.fit import TrainingSettings
from labeltool.training.semi_supervised import gather, may_teach
from labeltool.training.targets import Lesson, lesson
from labeltool.training.warm_start import FEWEST_TO_JUDGE_BY, Parent, validation_of

P, A = Value.PRESENT, Value.ABSENT


def clip(number: int, fold: int | None = None) -> StoredClip:
    return StoredClip(number, number, f"{number}.wav", f"{number}", 0.0, 1.0, fold, f"g{number}")


def labelled(numbers: Sequence[int]) -> list[LabelledClip]:
    return [LabelledClip(clip(n), {"dog" if n % 2 else "cat": P}) for n in numbers]


def lesson_of(numbers: Sequence[int]) -> Lesson:
    return lesson(labelled(numbers))


def model(
    directory: Path, parent: model_folder.ModelFiles | None = None, **parts: Sequence[int]
) -> model_folder.ModelFiles:
    """Write down a model that was taught and checked on some clips; nobody runs its network."""
    directory.mkdir(parents=True)
    frontend = Frontend()
    card = {
        "labels": ["cat", "dog"],
        "frontend": frontend.to_dict(),
        "fingerprint": frontend.fingerprint,
        "clip_rule": ClipRule().to_dict(),
    }
    seen = [(clip(number), part) for part, numbers in parts.items() for number in numbers]
    model_folder.write(directory, card=card, int8=b"", seen=seen, parent=parent)
    return model_folder.read(directory)


def test_what_a_pool_taught_is_known_to_every_generation(tmp_path: Path) -> None:
    first = model(tmp_path / "1", train=[1], pool=[2])
    second = model(tmp_path / "2", first, train=[3], validation=[4])
    third = model(tmp_path / "3", second, train=[5], validation=[4], pool=[6])
    assert third.groups_seen() == {f"g{number}" for number in range(1, 7)}
    assert third.groups_learnt() == {"g1", "g3", "g5"}
    assert third.groups_pooled() == {"g2", "g6"}
    assert third.groups_checked() == {"g4"}


def test_a_warm_start_is_checked_on_what_no_ancestor_has_met_where_there_is_enough(tmp_path: Path) -> None:
    first = model(tmp_path / "1", train=range(20), validation=range(20, 28), pool=range(28, 60))
    files = model(tmp_path / "2", first, train=range(20), validation=range(20, 28))
    parent = Parent(2, files, None)  # type: ignore[arg-type]  # its network plays no part in the choice
    chosen = validation_of(lesson_of(range(100)), parent, share=0.25, seed=0)
    assert set(range(20, 28)) < set(chosen) and len(chosen) >= 8 + 8
    assert not set(chosen) & set(range(28, 60))
    # Nothing but what checked the parent is left: it checks the child too.
    assert list(validation_of(lesson_of(range(60)), parent, share=0.25, seed=0)) == list(range(20, 28))


def test_with_too_little_to_judge_by_the_pool_must_do_and_without_any_there_is_no_validation(tmp_path: Path) -> None:
    files = model(tmp_path / "1", train=range(10), pool=range(10, 60))
    parent = Parent(1, files, None)  # type: ignore[arg-type]  # its network plays no part in the choice
    chosen = validation_of(lesson_of(range(60)), parent, share=0.25, seed=0)
    assert len(chosen) >= FEWEST_TO_JUDGE_BY and min(chosen) >= 10
    assert len(validation_of(lesson_of(range(10)), parent, share=0.25, seed=0)) == 0


@pytest.mark.parametrize("share", [TrainingSettings().validation_share, 0.2])
def test_validation_grows_with_the_labels_of_a_project_whose_pool_is_nearly_everything(
    tmp_path: Path, share: float
) -> None:
    order = np.random.default_rng(0).permutation(300)
    parent, counts = None, []
    taught: set[str] = set()
    for generation in range(1, 5):
        answered, waiting = order[: 75 * generation], order[75 * generation :]
        lessons = lesson_of(answered)
        held = validation_of(lessons, parent, share=share, seed=generation)
        checked = {lessons.groups[place] for place in held}
        pool = may_teach([clip(number) for number in waiting], checked, share)
        assert not checked & taught and (parent is None or parent.files.groups_checked() <= checked)
        # Most of what waits teaches all the same.
        assert len(pool) >= 0.6 * len(waiting)
        taught |= {group for group in lessons.groups if group not in checked} | {one.group for one in pool}
        counts.append(len(held))
        parts = {"validation": answered[held], "train": np.delete(answered, held), "pool": [one.id for one in pool]}
        files = model(tmp_path / str(generation), parent.files if parent else None, **parts)
        parent = Parent(generation, files, None)  # type: ignore[arg-type]  # its network plays no part in the choice
    assert counts == sorted(set(counts)) and abs(counts[-1] - share * 300) <= 0.2 * share * 300


@pytest.mark.parametrize(("answered", "measured"), [(30, range(20, 30)), (24, range(10, 24))])
def test_a_model_is_measured_on_what_it_never_met_where_there_is_enough(
    project: Project, monkeypatch: pytest.MonkeyPatch, answered: int, measured: range
) -> None:
    from labeltool.store import models

    model(project.models / "1", train=range(10), pool=range(10, 20))
    card = {"architecture": "x", "labels_seen": 1, "clip_accuracy": None, "int8_clip_accuracy": None}
    with project.open_store() as store:
        models.add(store, parent_id=None, card=card, journal_mark="", publish=lambda _: None)
    found: list[LabelledClip] = []

    def listen(_project: object, _files: object, _names: object, wanted: list[LabelledClip], _report: object) -> None:
        found.extend(wanted)
        raise LabeltoolError("chosen")

    monkeypatch.setattr("labeltool.store.clips.labelled", lambda _: labelled(range(answered)))
    monkeypatch.setattr("labeltool.tasks.evaluate.measure_on", listen)
    with pytest.raises(LabeltoolError, match="chosen"):
        evaluate(project, report=lambda *_: None)
    assert [one.clip.id for one in found] == list(measured)


def test_a_clip_of_the_pool_that_the_teacher_cannot_hear_is_left_out_and_said(
    project: Project, ear_file: Path, write_tone: Callable[..., Path]
) -> None:
    stored = []
    for number in range(4):
        path = write_tone(f"{number}.wav", frequency_hz=300 * (number + 1), seconds=1.0)
        stored.append(
            StoredClip(number, number, str(path), audio_files.content_hash(path), 0.0, 1.0, None, f"g{number}")
        )
    cache = FeatureCache(project.cache / "features", Frontend())
    assert not cache.compute(stored, workers=1)
    Path(stored[3].path).unlink()
    told = lesson([LabelledClip(stored[n], {"dog" if n else "cat": P}) for n in range(2)])

    def hear(lessons: Lesson, waiting: Sequence[StoredClip]) -> tuple[int, list[str], list[str]]:
        beside = gather(
            project,
            cache,
            lessons,
            np.array([], np.int64),
            waiting,
            teacher=ear_file and open_ear(ear_file, rate_hz=16_000, embedding=True),
            share=0.1,
            seed=0,
            report=lambda *_: None,
        )
        pool, hearing = beside.pool, beside.hearing
        assert pool.targets is not None and len(pool.targets) == len(pool) == len(hearing.log_mels)
        assert (pool.absent is not None) == (lessons.head == "sigmoid")
        return (
            len(pool),
            [one.group for one in hearing.clips],
            [one["file"] for one in hearing.left_out],
        )

    assert hear(told, stored[2:]) == (1, ["g2"], [stored[3].path])
    several = lesson([LabelledClip(stored[0], {"dog": P, "cat": P}), LabelledClip(stored[1], {"dog": A, "cat": P})])
    assert several.head == "sigmoid" and hear(several, stored[2:]) == (1, ["g2"], [stored[3].path])
    gone = lesson([LabelledClip(stored[n], {"dog" if n else "cat": P}) for n in (0, 3)])
    with pytest.raises(LabeltoolError, match=r"3\.wav"):
        hear(gone, stored[2:3])
