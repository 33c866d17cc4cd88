"""Retraining: what is labelled now, a network taught on it, checked, written down, and its word on all the rest."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labeltool import __version__, modelfiles
from labeltool.errors import LabeltoolError
from labeltool.features import FeatureCache
from labeltool.frontend import Float32, Frontend
from labeltool.lessons import Lesson, lesson
from labeltool.measure import measure
from labeltool.project import Project
from labeltool.records import StoredClip
from labeltool.store import Store, clips, journal, models
from labeltool.suggest import suggest_for_all

if TYPE_CHECKING:
    import keras

Report = Callable[..., None]
"""Called with stage, done, total and a text."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train: an architecture's name, a seed, seconds at most (None: no limit), and the fold kept unseen."""

    arch: str
    seed: int = 0
    budget_s: float | None = None
    test_fold: int | None = None


def retrain(
    project: Project,
    *,
    report: Report,
    arch: str,
    from_scratch: bool = False,
    test_fold: int | None = None,
    seed: int = 0,
    budget_s: float | None = None,
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
    recipe = Recipe(arch, seed, budget_s, test_fold)
    with _alone(project), project.open_store() as store:
        mark = journal.mark(store)
        parent = None if from_scratch else models.latest(store)
        lessons = lesson(clips.labelled(store), test_fold=test_fold)
        scratch = project.models / ".training"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        try:
            card = teach(project, lessons, recipe, parent, scratch, report=report)
            model_id = _publish(project, store, scratch, card, parent, mark)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        suggestions = suggest_for_all(project, store, model_id, report=report)
    return {
        "model": model_id,
        "arch": arch,
        "parameters": card["parameters"],
        "labels_seen": card["labels_seen"],
        "clip_accuracy": card["clip_accuracy"],
        "int8_clip_accuracy": card["int8_clip_accuracy"],
        "validation_clips": card["validation_clips"],
        "warm": card["parent"] is not None,
        "suggestions": suggestions,
        "seconds": round(time.monotonic() - began, 1),
    }


def teach(
    project: Project,
    lessons: Lesson,
    recipe: Recipe,
    parent: models.ModelRow | None,
    directory: Path,
    *,
    report: Report,
) -> dict[str, Any]:
    """Train on a lesson and fill a model's folder; return its card.

    Parameters
    ----------
    parent
        The model to start from; one of another architecture or frontend is passed over.
    directory
        Exists; gets the files of `labeltool.modelfiles`.
    """
    from labeltool import models as networks
    from labeltool import quantise, training

    frontend = networks.architecture(recipe.arch).frontend
    cache = FeatureCache(project.cache / "features", frontend)
    heard, log_mels = features_of(cache, lessons.clips, report=report)
    lessons = lessons.only(heard)
    warm = None if parent is None else _warm_start(project, parent, recipe.arch, frontend, lessons.labels)
    fitted = training.fit(
        recipe.arch,
        frontend,
        log_mels,
        lessons.targets,
        lessons.groups,
        label_names=lessons.labels,
        settings=training.TrainingSettings(seed=recipe.seed, budget_s=recipe.budget_s),
        warm_start=warm,
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
        "int8_sha256": hashlib.sha256(int8).hexdigest(),
        "clip_rule": fitted.rule.to_dict(),
        "labels_seen": len(lessons.clips),
        "validation_clips": len(validation),
        "seed": recipe.seed,
        "test_fold": recipe.test_fold,
        "seconds": round(fitted.seconds, 1),
        "parent": parent.id if parent is not None and warm is not None else None,
        "clip_accuracy": None,
        "int8_clip_accuracy": None,
        "versions": _versions(),
    }
    fitted.model.save(directory / modelfiles.KERAS)
    parts = [(clip, "validation" if i in validation else "train") for i, clip in enumerate(lessons.clips)]
    modelfiles.write(directory, card=card, int8=int8, seen=parts)
    if validation:
        held = sorted(validation)
        measured = measure(
            modelfiles.read(directory),
            [log_mels[i] for i in held],
            lessons.targets[held].argmax(axis=1),
            report=report,
        )
        card |= measured.to_dict()
        modelfiles.write(directory, card=card, int8=int8, seen=parts)
    return card


def features_of(
    cache: FeatureCache, wanted: Sequence[StoredClip], *, report: Report
) -> tuple[list[StoredClip], list[Float32]]:
    """Return the clips that can be heard with their log-mel frames, computed where the cache lacks them.

    Raises
    ------
    LabeltoolError
        When none can be heard; the first one's reason.
    """
    failed = cache.compute(wanted, progress=lambda done, total: report("listening", done, total))
    heard = [clip for clip in wanted if clip.key not in failed]
    for place, error in enumerate(failed.values(), start=1):
        report("left out", place, len(failed), str(error))
    if not heard:
        raise next(iter(failed.values()))
    return heard, [cache.log_mel(clip) for clip in heard]


def _warm_start(
    project: Project, parent: models.ModelRow, arch: str, frontend: Frontend, labels: tuple[str, ...]
) -> keras.Model | None:
    from labeltool import models as networks

    files = modelfiles.read(project.models / str(parent.id))
    if files.card["architecture"] != arch or files.frontend != frontend:
        return None
    return networks.widen_head(networks.load(files.directory / modelfiles.KERAS), files.labels, labels)


def _publish(
    project: Project, store: Store, scratch: Path, card: dict[str, Any], parent: models.ModelRow | None, mark: str
) -> int:
    def publish(model_id: int) -> None:
        target = project.models / str(model_id)
        # Left by a process that died between renaming and committing: nobody knows of it.
        shutil.rmtree(target, ignore_errors=True)
        scratch.rename(target)

    return models.add(store, parent_id=parent.id if parent else None, card=card, journal_mark=mark, publish=publish)


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
