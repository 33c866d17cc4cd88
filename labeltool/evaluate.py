"""How good is a model? On clips it has not learnt from, by fold, or trained anew for every fold."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from labeltool import modelfiles
from labeltool.errors import LabeltoolError
from labeltool.features import FeatureCache
from labeltool.hearing import hear
from labeltool.lessons import heard, lesson, no_such_fold
from labeltool.measure import Measured, measure
from labeltool.project import Project
from labeltool.records import LabelledClip, StoredClip
from labeltool.retraining import Recipe, teach, without_fold
from labeltool.splits import groups_of_fold
from labeltool.store import clips, models


def evaluate(
    project: Project,
    *,
    report: Callable[..., None],
    model_id: int | None = None,
    fold: int | None = None,
    cross_validate: bool = False,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure a model on labelled clips; a task of the worker.

    With `fold`, on that fold, of which the model must not have learnt a group; else on every labelled clip whose group
    it has not learnt from: what was held back for validation, and what was labelled since. With `cross_validate`, a
    model is trained from scratch for each fold and tested on it.

    Returns
    -------
    dict
        As `labeltool evaluate --json` prints it.

    Raises
    ------
    LabeltoolError
        When the model has learnt from the fold, or no clip is left to measure on.
    """
    with project.open_store() as store:
        everything = heard(clips.labelled(store))
        waiting = clips.unanswered(store)
        chosen = None if cross_validate else models.model(store, model_id)
        today = clips.names_today(store)
    if chosen is None:
        return _cross_validate(project, everything, waiting, seed, report)
    files = modelfiles.read(project.models / str(chosen.id))
    # The clips go by today's labels, the model's outputs by those it was trained with.
    names = [today.get(name, name) for name in files.labels]
    wanted = _unseen(files, names, everything, fold, chosen.id)
    measured, left_out = _measure_on(project, files, names, wanted, report)
    return {"model": chosen.id, "fold": fold, **measured.to_dict(), "left_out": left_out}


def _unseen(
    files: modelfiles.ModelFiles,
    names: Sequence[str],
    everything: Sequence[LabelledClip],
    fold: int | None,
    model_id: int,
) -> list[LabelledClip]:
    if fold is None:
        learnt = files.groups_learnt()
        wanted = [one for one in everything if one.clip.group not in learnt]
        if not wanted:
            raise LabeltoolError(
                f"model {model_id} has learnt from every labelled clip", remedy="label more, or --cross-validate"
            )
    else:
        wanted = [one for one in everything if one.clip.fold == fold]
        if not wanted:
            raise no_such_fold(fold, everything)
        # Validation has shaped the model too: it chose its temperature.
        if groups_of_fold(everything, fold) & files.groups_seen():
            raise LabeltoolError(
                f"model {model_id} has seen fold {fold}",
                remedy=f"`labeltool retrain --test-fold {fold}` keeps it unseen",
            )
    known = [one for one in wanted if set(one.present) & set(names)]
    if not known:
        raise LabeltoolError(f"model {model_id} knows none of the labels of these clips", remedy="retrain")
    return known


def _measure_on(
    project: Project,
    files: modelfiles.ModelFiles,
    names: Sequence[str],
    wanted: Sequence[LabelledClip],
    report: Callable[..., None],
) -> tuple[Measured, list[dict[str, str]]]:
    cache = FeatureCache(project.cache / "features", files.frontend)
    hearing = hear(cache, [one.clip for one in wanted], report=report)
    first_label = {one.clip.id: next(name for name in one.present if name in names) for one in wanted}
    truth = [first_label[clip.id] for clip in hearing.clips]
    return measure(files, hearing.log_mels, truth, names=names, report=report), hearing.left_out


def _cross_validate(
    project: Project,
    everything: Sequence[LabelledClip],
    waiting: Sequence[StoredClip],
    seed: int,
    report: Callable[..., None],
) -> dict[str, Any]:
    numbers = sorted({one.clip.fold for one in everything if one.clip.fold is not None})
    if len(numbers) < 2:
        raise LabeltoolError("the labelled clips are in no folds", remedy="import a data set with folds")
    labels = sorted({name for one in everything for name in one.present})
    results: list[dict[str, Any]] = []
    everywhere: list[dict[str, str]] = []
    total = np.zeros((len(labels), len(labels)), np.int64)
    for number in numbers:

        def report_fold(stage: str, done: int, total: int, text: str = "", number: int = number) -> None:
            report(f"fold {number}: {stage}", done, total, text)

        with tempfile.TemporaryDirectory(dir=project.cache) as folder:
            recipe = Recipe(project.settings.architecture, seed=seed, test_fold=number)
            teach(
                project,
                lesson(everything, test_fold=number),
                recipe,
                None,
                Path(folder),
                report=report_fold,
                waiting=without_fold(waiting, everything, number),
            )
            files = modelfiles.read(Path(folder))
            test = [one for one in everything if one.clip.fold == number and set(one.present) & set(files.labels)]
            measured, left_out = _measure_on(project, files, files.labels, test, report_fold)
            everywhere += (one for one in left_out if one not in everywhere)
        places = [labels.index(name) for name in measured.labels]
        total[np.ix_(places, places)] += measured.confusion
        results.append({"fold": number, **measured.to_dict()})
    mean = {
        name: float(np.mean([result[name] for result in results]))
        for name in ("clip_accuracy", "patch_accuracy", "int8_clip_accuracy", "int8_patch_agreement", "ece")
    }
    return {
        "model": None,
        "labels": labels,
        "clips": sum(result["clips"] for result in results),
        **mean,
        "confusion": total.tolist(),
        "folds": results,
        "left_out": everywhere,
    }
