"""Retraining: what is labelled now, a network taught on it, checked, written down, and its word on all the rest."""

from __future__ import annotations

import fcntl
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from labeltool import __version__, audio, modelfiles
from labeltool.ancestry import FEWEST_TO_JUDGE_BY, Parent, due, newest_parent, state, validation_of
from labeltool.errors import LabeltoolError
from labeltool.features import FeatureCache
from labeltool.hearing import hear
from labeltool.lessons import Lesson, lesson
from labeltool.measure import measure
from labeltool.project import Project
from labeltool.records import StoredClip
from labeltool.store import Store, clips, journal, models
from labeltool.suggest import suggest_for_all
from labeltool.unlabelled import gather, without_fold

Report = Callable[..., None]
"""Called with stage, done, total and a text."""

_REHEARSED_PATCHES = 16
# The machine may grow busier than it was when this was rehearsed.
_MARGIN = 1.5
# Training from scratch in less than so many times what a warm start took is not worth beginning.
_SCRATCH_IS_LONGER_BY = 2


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train.

    Attributes
    ----------
    arch
        A name in `models.ARCHITECTURES`.
    budget_s
        Seconds at most; None: no limit.
    test_fold
        The fold kept unseen.
    teacher, teacher_tensor
        A borrowed network from sound to embedding, and which tensor that is (`labeltool.ears.introducing.open_ear`).
    backbone
        Pre-trained weights that a start from scratch begins with (`labeltool.backbones`).
    """

    arch: str
    seed: int = 0
    budget_s: float | None = None
    test_fold: int | None = None
    teacher: Path | None = None
    teacher_tensor: str | None = None
    backbone: Path | None = None


def retrain(
    project: Project,
    *,
    report: Report,
    arch: str,
    from_scratch: bool = False,
    test_fold: int | None = None,
    seed: int = 0,
    budget_s: float | None = None,
    teacher: str | None = None,
    teacher_tensor: str | None = None,
    backbone: str | None = None,
) -> dict[str, Any]:
    """Train a model on what is labelled, write it down and let it suggest; a task of the worker.

    Returns
    -------
    dict
        As `labeltool retrain --json` prints it.

    Raises
    ------
    LabeltoolError
        When there is too little to learn from, or another retraining is under way.
    """
    began = time.monotonic()
    recipe = Recipe(
        arch,
        seed,
        budget_s,
        test_fold,
        Path(teacher) if teacher else None,
        teacher_tensor,
        Path(backbone) if backbone else None,
    )
    with alone(project.cache / "retrain.lock", "retraining"), project.open_store() as store:
        mark = journal.mark(store)
        labelled = clips.labelled(store)
        lessons = lesson(labelled, test_fold=test_fold)
        parent = (
            None if from_scratch else newest_parent(project, store, labelled, lessons, arch=arch, test_fold=test_fold)
        )
        scratch = project.models / ".training"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        try:
            waiting = without_fold(clips.unanswered(store), labelled, test_fold)

            def with_what_is_left() -> Recipe:
                return recipe if budget_s is None else replace(recipe, budget_s=budget_s - (time.monotonic() - began))

            card = teach(project, lessons, with_what_is_left(), parent, scratch, report=report, waiting=waiting)
            left_s = with_what_is_left().budget_s
            if parent and (left_s is None or left_s > _SCRATCH_IS_LONGER_BY * (time.monotonic() - began)):
                card = _better_from_scratch(
                    project, lessons, with_what_is_left(), card, scratch, report=report, waiting=waiting
                )
            taught_s = time.monotonic() - began
            model_id = _publish(project, store, scratch, card, mark)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        suggested = suggest_for_all(project, store, model_id, report=report)
    return {
        "model": model_id,
        "arch": arch,
        "parameters": card["parameters"],
        "labels_seen": card["labels_seen"],
        "pool_clips": card["pool_clips"],
        "clip_accuracy": card["clip_accuracy"],
        "int8_clip_accuracy": card["int8_clip_accuracy"],
        "label_accuracy": card.get("label_accuracy"),
        "int8_label_accuracy": card.get("int8_label_accuracy"),
        "validation_clips": card["validation_clips"],
        "head": card["clip_rule"]["head"],
        "several_labels_clips": card["several_labels_clips"],
        "background": card["background"],
        "assumed_absent": card["assumed_absent"],
        "threshold": card["clip_rule"]["threshold"],
        "compared": card["compared"] if parent else None,
        "warm": card["parent"] is not None,
        "suggestions": suggested.waiting,
        "left_out": [*card["left_out"], *(one for one in suggested.left_out if one not in card["left_out"])],
        "seconds_until_taught": round(taught_s, 1),
        "seconds": round(time.monotonic() - began, 1),
    }


def teach(
    project: Project,
    lessons: Lesson,
    recipe: Recipe,
    parent: Parent | None,
    directory: Path,
    *,
    report: Report,
    checked_on: Collection[str] | None = None,
    waiting: Sequence[StoredClip] = (),
) -> dict[str, Any]:
    """Train on a lesson and fill a model's folder; return its card.

    Parameters
    ----------
    waiting
        Clips without a verdict, to learn from too.
    parent
        What to start from; None starts from scratch.
    directory
        Exists; gets the files of `labeltool.modelfiles`.
    checked_on
        Groups to keep for validation; default a share of every label that can spare it, and with a parent its own.
    """
    from labeltool import backbones, quantise, training
    from labeltool import models as networks

    began = time.monotonic()
    frontend = networks.architecture(recipe.arch).frontend
    cache = FeatureCache(project.cache / "features", frontend)
    hearing = hear(cache, lessons.clips, report=report)
    lessons, log_mels = lessons.only(hearing.clips), hearing.log_mels
    settings = training.TrainingSettings(seed=recipe.seed)
    held_out = (
        validation_of(lessons, parent, share=settings.validation_share, seed=settings.seed)
        if checked_on is None
        else np.array([place for place, group in enumerate(lessons.groups) if group in checked_on], np.int64)
    )
    pool, unanswered = gather(
        project,
        cache,
        lessons,
        held_out,
        waiting,
        teacher=recipe.teacher,
        teacher_tensor=recipe.teacher_tensor,
        seed=recipe.seed,
        report=report,
    )
    if recipe.budget_s is not None:
        to_check = sum(len(frontend.patch_starts(len(log_mels[place]))) for place in held_out)
        after_s = _seconds_after_training(recipe, lessons, to_check)
        left_s = recipe.budget_s - (time.monotonic() - began) - after_s
        settings = replace(settings, budget_s=max(0.0, left_s))
    fitted = training.fit(
        recipe.arch,
        frontend,
        log_mels,
        lessons.present,
        lessons.groups,
        label_names=lessons.labels,
        absent=lessons.absent,
        head=lessons.head,
        settings=settings,
        warm_start=parent.network if parent else None,
        backbone=backbones.read_weights(recipe.backbone) if recipe.backbone else None,
        pool=pool,
        validation=held_out,
        on_progress=lambda told: report("training", told["step"], told["steps"], f"{told['left_s']:.0f} s left"),
    )
    report("converting to int8", 0, 0)
    validation = {int(index) for index in fitted.validation}
    learnt = [index for index in range(len(log_mels)) if index not in validation]
    # What fixes the int8 scales comes from clips that were learnt from, as the weights do.
    int8 = quantise.to_int8(fitted.model, np.concatenate([frontend.patches(log_mels[i]) for i in learnt]))
    card: dict[str, Any] = {
        "architecture": recipe.arch,
        "parameters": int(fitted.model.count_params()),
        "macc": networks.macc(fitted.model),
        "frontend": frontend.to_dict(),
        "fingerprint": frontend.fingerprint,
        "labels": list(lessons.labels),
        "background": lessons.background,
        "several_labels_clips": lessons.several,
        "assumed_absent": list(lessons.assumed_absent),
        "clip_rule": fitted.rule.to_dict(),
        "labels_seen": len(lessons.clips),
        "pool_clips": len(pool),
        "teacher": _described(recipe.teacher),
        "backbone": _described(recipe.backbone) if parent is None else None,
        "validation_clips": len(validation),
        "left_out": [*hearing.left_out, *(one for one in unanswered.left_out if one not in hearing.left_out)],
        "seed": recipe.seed,
        "test_fold": recipe.test_fold,
        "seconds": round(fitted.seconds, 1),
        "patches": fitted.patches,
        "losses": [(told["step"], round(told["loss"], 5)) for told in fitted.history],
        "budget_s": recipe.budget_s,
        "parent": parent.id if parent else None,
        "compared": parent.files.card.get("compared") if parent else state(lessons),
        "clip_accuracy": None,
        "int8_clip_accuracy": None,
        "versions": _versions(),
    }
    fitted.model.save(directory / modelfiles.KERAS)
    parts = [(clip, "validation" if i in validation else "train") for i, clip in enumerate(lessons.clips)]
    parts += [(clip, "pool") for clip in unanswered.clips]
    written = modelfiles.write(directory, card=card, int8=int8, seen=parts, parent=parent.files if parent else None)
    if not validation:
        return written
    held = sorted(validation)
    measured = measure(
        modelfiles.read(directory),
        [log_mels[i] for i in held],
        lessons.present[held],
        lessons.absent[held],
        names=lessons.labels,
        report=report,
    )
    known = written | measured.to_dict()
    modelfiles.write_card(directory, known)
    return known


def _described(path: Path | None) -> dict[str, str] | None:
    """Name a file for the card by what does not tell where it lay."""
    return {"file": path.name, "sha256": audio.content_hash(path)} if path is not None else None


def _seconds_after_training(recipe: Recipe, lessons: Lesson, patches_to_check: int) -> float:
    """Rehearse on an untrained network what follows training, to know how long it takes here and now."""
    from labeltool import models as networks
    from labeltool import quantise

    frontend = networks.architecture(recipe.arch).frontend
    network = networks.build(recipe.arch, len(lessons.labels), frontend, lessons.head)
    shape = (_REHEARSED_PATCHES, frontend.n_mels, frontend.patch_frames)
    patches = np.random.default_rng(recipe.seed).normal(0, 1, shape).astype(np.float32)
    # Without, the signal of a deep network dies away and leaves layers of no scale, over which the kernels abort.
    networks.settle_norms(network, [patches[..., None]])
    began = time.monotonic()
    int8 = quantise.to_int8(network, patches)
    converted = time.monotonic()
    quantise.Int8Model(int8).predict(patches)
    a_patch_s = (time.monotonic() - converted) / _REHEARSED_PATCHES
    # The float patches that fix the scales take about half an int8 one each; files are written and read meanwhile.
    reckoned_s = 2 * (converted - began) + a_patch_s * (quantise.REPRESENTATIVE_PATCHES / 2 + 2 * patches_to_check)
    return _MARGIN * reckoned_s


def _better_from_scratch(
    project: Project,
    lessons: Lesson,
    recipe: Recipe,
    card: dict[str, Any],
    directory: Path,
    *,
    report: Report,
    waiting: Sequence[StoredClip],
) -> dict[str, Any]:
    """Train from scratch too where that is due, keep what does better on the same validation clips; return its card.

    Parameters
    ----------
    recipe
        With what is left of the budget.
    card, directory
        The warm start's; the folder ends with the better one's files.
    """
    if card["validation_clips"] < FEWEST_TO_JUDGE_BY or not due(card["compared"], lessons):
        return card
    other = directory.with_name(directory.name + "-from-scratch")
    shutil.rmtree(other, ignore_errors=True)
    other.mkdir()
    try:
        held = modelfiles.read(directory).groups_checked()
        anew = teach(
            project,
            lessons,
            recipe,
            None,
            other,
            report=lambda stage, *told: report(f"from scratch, to compare: {stage}", *told),
            checked_on=held,
            waiting=waiting,
        )
        losses = {"warm_log_loss": card["log_loss"], "from_scratch_log_loss": anew["log_loss"]}
        if anew["log_loss"] < card["log_loss"]:
            shutil.rmtree(directory)
            other.rename(directory)
            card = anew
    finally:
        shutil.rmtree(other, ignore_errors=True)
    card = card | {"compared": state(lessons) | losses}
    modelfiles.write_card(directory, card)
    return card


def _publish(project: Project, store: Store, scratch: Path, card: dict[str, Any], mark: str) -> int:
    def publish(model_id: int) -> None:
        target = project.models / str(model_id)
        # Left by a process that died between renaming and committing: nobody knows of it.
        shutil.rmtree(target, ignore_errors=True)
        scratch.rename(target)

    return models.add(store, parent_id=card["parent"], card=card, journal_mark=mark, publish=publish)


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {"labeltool": __version__, **{name: version(name) for name in ("tensorflow", "keras", "numpy")}}


@contextmanager
def alone(path: Path, what: str) -> Iterator[None]:
    """Let one process at a time do something; the lock, a file, goes with the process, however it ends.

    Raises
    ------
    LabeltoolError
        When another is at it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise LabeltoolError(f"another {what} of this project is under way", remedy="wait for it") from error
        yield
