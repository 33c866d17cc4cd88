"""Retraining: what is labelled now, a network taught on it, checked, written down, and its word on all the rest."""

from __future__ import annotations

import fcntl
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labeltool import __version__, audio, modelfiles
from labeltool.errors import LabeltoolError
from labeltool.features import FeatureCache
from labeltool.hearing import hear
from labeltool.lessons import Lesson, lesson
from labeltool.measure import measure
from labeltool.pool import Pool
from labeltool.project import Project
from labeltool.records import LabelledClip, StoredClip
from labeltool.splits import groups_of_fold, hold_out
from labeltool.store import Store, clips, journal, models
from labeltool.suggest import suggest_for_all

if TYPE_CHECKING:
    import keras
    import numpy.typing as npt

    from labeltool import training

# More clips without a verdict than this are not learnt from: listening to them all would take longer than they teach.
# By the network's own word, no more than so many for each that people labelled: the first lessons must stay short.
_POOL_CLIPS, _POOL_CLIPS_EACH = 500, 8

Report = Callable[..., None]
"""Called with stage, done, total and a text."""


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
        A TensorFlow Lite network from waveform to embedding, and which tensor that is (`labeltool.teacher.Ear`).
    backbone
        Pre-trained weights that a start from scratch begins with (`labeltool.backbones`).
    """

    arch: str
    seed: int = 0
    budget_s: float | None = None
    test_fold: int | None = None
    teacher: Path | None = None
    teacher_tensor: int | None = None
    backbone: Path | None = None


@dataclass(frozen=True, slots=True)
class Parent:
    """The model a warm start goes on from; `network` has an output for each of the lesson's labels."""

    id: int
    files: modelfiles.ModelFiles
    network: keras.Model


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
    teacher_tensor: int | None = None,
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
    with _alone(project), project.open_store() as store:
        mark = journal.mark(store)
        labelled = clips.labelled(store)
        lessons = lesson(labelled, test_fold=test_fold)
        parent = None if from_scratch else _parent(project, store, labelled, recipe, lessons)
        scratch = project.models / ".training"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        try:
            waiting = without_fold(clips.unanswered(store), labelled, test_fold)
            card = teach(project, lessons, recipe, parent, scratch, report=report, waiting=waiting)
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
        "validation_clips": card["validation_clips"],
        "warm": card["parent"] is not None,
        "suggestions": suggested.waiting,
        "left_out": [*card["left_out"], *(one for one in suggested.left_out if one not in card["left_out"])],
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
    """
    from labeltool import backbones, quantise, training
    from labeltool import models as networks

    frontend = networks.architecture(recipe.arch).frontend
    cache = FeatureCache(project.cache / "features", frontend)
    hearing = hear(cache, lessons.clips, report=report)
    lessons, log_mels = lessons.only(hearing.clips), hearing.log_mels
    settings = training.TrainingSettings(seed=recipe.seed, budget_s=recipe.budget_s)
    if parent:
        held_out = _checked_on(lessons, parent.files, settings)
    else:
        held_out = training.split_validation(lessons.targets, lessons.groups, settings)
    pool, pool_clips = _pool(project, cache, lessons, held_out, waiting, recipe, report)
    fitted = training.fit(
        recipe.arch,
        frontend,
        log_mels,
        lessons.targets,
        lessons.groups,
        label_names=lessons.labels,
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
        "clip_rule": fitted.rule.to_dict(),
        "labels_seen": len(lessons.clips),
        "pool_clips": len(pool),
        "teacher": _described(recipe.teacher),
        "backbone": _described(recipe.backbone) if parent is None else None,
        "validation_clips": len(validation),
        "left_out": hearing.left_out,
        "seed": recipe.seed,
        "test_fold": recipe.test_fold,
        "seconds": round(fitted.seconds, 1),
        "parent": parent.id if parent else None,
        "clip_accuracy": None,
        "int8_clip_accuracy": None,
        "versions": _versions(),
    }
    fitted.model.save(directory / modelfiles.KERAS)
    parts = [(clip, "validation" if i in validation else "train") for i, clip in enumerate(lessons.clips)]
    parts += [(clip, "pool") for clip in pool_clips]
    inherited = parent.files.groups_learnt() - set(lessons.groups) if parent else set()
    written = modelfiles.write(directory, card=card, int8=int8, seen=parts, inherited=inherited)
    if not validation:
        return written
    held = sorted(validation)
    measured = measure(
        modelfiles.read(directory),
        [log_mels[i] for i in held],
        [lessons.labels[place] for place in lessons.targets[held].argmax(axis=1)],
        names=lessons.labels,
        report=report,
    )
    return modelfiles.write(directory, card=card | measured.to_dict(), int8=int8, seen=parts, inherited=inherited)


def without_fold(
    waiting: Sequence[StoredClip], labelled: Sequence[LabelledClip], test_fold: int | None
) -> list[StoredClip]:
    """Return clips less those of the fold to be kept unseen, and of its groups."""
    if test_fold is None:
        return list(waiting)
    kept_back = groups_of_fold(labelled, test_fold) | {clip.group for clip in waiting if clip.fold == test_fold}
    return [clip for clip in waiting if clip.group not in kept_back]


def _pool(
    project: Project,
    cache: FeatureCache,
    lessons: Lesson,
    held_out: npt.NDArray[np.int64],
    waiting: Sequence[StoredClip],
    recipe: Recipe,
    report: Report,
) -> tuple[Pool, list[StoredClip]]:
    """Hear what waits for an answer, a part of it where there is much, and let the teacher label it if there is one."""
    checked = {lessons.groups[i] for i in held_out}
    wanted = [clip for clip in waiting if clip.group not in checked]
    most = _POOL_CLIPS if recipe.teacher else min(_POOL_CLIPS, _POOL_CLIPS_EACH * len(lessons.clips))
    if len(wanted) > most:
        rng = np.random.default_rng([recipe.seed, 2])
        wanted = [wanted[i] for i in sorted(rng.choice(len(wanted), most, replace=False))]
    hearing = hear(cache, wanted, report=report, need=False)
    targets = None
    if recipe.teacher is not None:
        from labeltool.teacher import Ear, embed_clips, teach_rest

        learnt = np.setdiff1d(np.arange(len(lessons.clips)), held_out)
        everyone = [*(lessons.clips[i] for i in learnt), *hearing.clips]
        ear = Ear(recipe.teacher, recipe.teacher_tensor)
        embeddings = embed_clips(ear, project.cache / "teacher", everyone, report=report)
        targets = teach_rest(embeddings, lessons.targets[learnt])
    return Pool(hearing.log_mels, [clip.group for clip in hearing.clips], targets), hearing.clips


def _described(path: Path | None) -> dict[str, str] | None:
    """Name a file for the card by what does not tell where it lay."""
    return {"file": path.name, "sha256": audio.content_hash(path)} if path is not None else None


def _parent(
    project: Project, store: Store, labelled: Sequence[LabelledClip], recipe: Recipe, lessons: Lesson
) -> Parent | None:
    """Return the newest model, its head made for the lesson's labels, where training may go on from it.

    Not from one of another architecture or frontend, not from one that is damaged (what it knew can be learnt again),
    and not from one that has seen the fold to be kept unseen: its weights would carry the fold over.
    """
    from labeltool import models as networks

    newest = models.latest(store)
    if newest is None:
        return None
    try:
        files = modelfiles.read(project.models / str(newest.id))
        unseen = groups_of_fold(labelled, recipe.test_fold) if recipe.test_fold is not None else set()
        same = files.card["architecture"] == recipe.arch
        if not same or files.frontend != networks.architecture(recipe.arch).frontend or unseen & files.groups_seen():
            return None
        network = networks.load(files.directory / modelfiles.KERAS)
    except LabeltoolError:
        return None
    today = clips.names_today(store)
    names = [today.get(name, name) for name in files.labels]
    return Parent(newest.id, files, networks.widen_head(network, names, lessons.labels))


def _checked_on(
    lessons: Lesson, parent: modelfiles.ModelFiles, settings: training.TrainingSettings
) -> npt.NDArray[np.int64]:
    """Choose a warm start's validation clips: the parent's, and a share of the groups it has never met.

    What an ancestor has learnt from can check nothing any more, and what checked it must not be learnt from.
    """
    checked, learnt = parent.groups_checked(), parent.groups_learnt()
    first_labels = [lessons.labels[place] for place in lessons.targets.argmax(axis=1)]
    fresh = [i for i, group in enumerate(lessons.groups) if group not in learnt and group not in checked]
    chosen = hold_out(
        [lessons.groups[i] for i in fresh],
        [first_labels[i] for i in fresh],
        share=settings.validation_share,
        seed=settings.seed,
    )
    kept = [i for i, group in enumerate(lessons.groups) if group in checked]
    return np.array(sorted([*kept, *(fresh[i] for i in chosen)]), dtype=np.int64)


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
def _alone(project: Project) -> Iterator[None]:
    """Let one retraining run at a time; the lock goes with the process, however it ends."""
    path = project.cache / "retrain.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise LabeltoolError("another retraining of this project is under way", remedy="wait for it") from error
        yield
