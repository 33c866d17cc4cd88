"""How good is a model? On clips it has not learnt from, by fold, or trained anew for every fold."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from labeltool.errors import LabeltoolError
from labeltool.evaluation import metrics
from labeltool.evaluation import report as evaluation_report
from labeltool.evaluation.measure import Measured, measure
from labeltool.inference.clip_features import cache_of, hear
from labeltool.networks import model_folder
from labeltool.pretrained.embedding_frontend import ear_for
from labeltool.project import Project
from labeltool.records import LabelledClip, StoredClip, Value
from labeltool.store import clips, models
from labeltool.training.semi_supervised import without_fold
from labeltool.training.splits import groups_of_fold
from labeltool.training.targets import can_teach, known_of, lesson, no_such_fold
from labeltool.training.train_model import Recipe, teach
from labeltool.training.warm_start import FEWEST_TO_JUDGE_BY
from labeltool.type_aliases import Int64, Progress

_MEANS = (
    "clip_accuracy",
    "label_accuracy",
    "patch_accuracy",
    "int8_clip_accuracy",
    "int8_label_accuracy",
    "int8_patch_agreement",
    "ece",
    "int8_ece",
    "log_loss",
    "unknown",
)


def evaluate(
    project: Project,
    *,
    report: Progress,
    model_id: int | None = None,
    fold: int | None = None,
    cross_validate: bool = False,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure a model on labelled clips and write a report; a task of the worker.

    With `fold`, on that fold, of which the model must not have learnt a group; else on every labelled clip whose group
    it has not learnt from: what was held back for validation, and what was labelled since. Clips that it, or an
    ancestor, heard in its pool before they were labelled are among them only where the others are too few to judge by.
    With `cross_validate`, a model is trained from scratch for each fold and tested on it.

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
        everything = can_teach(clips.labelled(store))
        waiting = clips.unanswered(store) if cross_validate else []
        chosen = None if cross_validate else models.model(store, model_id)
        today = clips.names_today(store)
        family = models.accuracies(store)
    if chosen is None:
        result = _cross_validate(project, everything, waiting, seed, report)
        return result | evaluation_report.write(project, "cross-validation", result, losses=(), models=family)
    files = model_folder.read(project.models / str(chosen.id))
    # The clips go by today's labels, the model's outputs by those it was trained with.
    names = files.names_today(today)
    wanted = _unseen(files, names, everything, fold, chosen.id)
    measured, left_out = measure_on(project, files, names, wanted, report)
    result = {"model": chosen.id, "fold": fold, **measured.to_dict(), "left_out": left_out}
    name = f"model-{chosen.id}" + ("" if fold is None else f"-fold-{fold}")
    return result | evaluation_report.write(project, name, result, losses=chosen.card.get("losses", ()), models=family)


def _unseen(
    files: model_folder.ModelFiles,
    names: Sequence[str],
    everything: Sequence[LabelledClip],
    fold: int | None,
    model_id: int,
) -> list[LabelledClip]:
    if fold is None:
        learnt, pooled = files.groups_learnt(), files.groups_pooled()
        wanted = [one for one in everything if one.clip.group not in learnt]
        never_met = [one for one in wanted if one.clip.group not in pooled]
        if sum(_tells(files, names, one) for one in never_met) >= FEWEST_TO_JUDGE_BY:
            wanted = never_met
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
    known = [one for one in wanted if _tells(files, names, one)]
    if not known:
        raise LabeltoolError(f"model {model_id} knows none of the labels of these clips", remedy="retrain")
    return known


def _tells(files: model_folder.ModelFiles, names: Sequence[str], one: LabelledClip) -> bool:
    """Tell whether a clip can show the model right or wrong."""
    if set(one.present) & set(names):
        return True
    if files.rule.head == "softmax":
        return one.none_of_these and files.background is not None
    return one.none_of_these or any(one.verdicts.get(name) is Value.ABSENT for name in names)


def measure_on(
    project: Project,
    files: model_folder.ModelFiles,
    names: Sequence[str],
    wanted: Sequence[LabelledClip],
    report: Progress,
) -> tuple[Measured, list[dict[str, str]]]:
    """Measure a model on labelled clips; return also which files could not be heard.

    Parameters
    ----------
    names
        What each of the model's outputs is called today.
    wanted
        Each with a label among the names.
    """
    cache = cache_of(project, files.frontend, files.ear)
    hearing = hear(cache, [one.clip for one in wanted], report=report)
    by_id = {one.clip.id: one for one in wanted}
    present, absent = known_of(
        [by_id[clip.id] for clip in hearing.clips],
        list(dict.fromkeys(names)),
        head=files.rule.head,
        background=files.background,
        assumed_absent=[names[files.labels.index(name)] for name in files.card.get("assumed_absent", ())],
    )
    return measure(files, hearing.log_mels, present, absent, names=names, report=report), hearing.left_out


def _summed(results: Sequence[dict[str, Any]], name: str, labels: Sequence[str]) -> Int64:
    """Add up matrices whose rows and columns are some of the labels."""
    total = np.zeros((len(labels), len(labels)), np.int64)
    for result in results:
        places = [labels.index(label) for label in result["labels"]]
        total[np.ix_(places, places)] += np.array(result[name])
    return total


def _over_folds(results: Sequence[dict[str, Any]], label: str) -> dict[str, Any]:
    """Average what each fold found of a label by the clips it had."""
    found = [one for result in results for one in result["by_label"] if one["label"] == label and one["clips"]]
    clips_of = [one["clips"] for one in found]
    shares = {
        name: float(np.average([one[name] for one in found], weights=clips_of)) if found else None
        for name in ("recall", "int8_recall")
    }
    return {"label": label, "clips": sum(clips_of), **shares}


def _joined(results: Sequence[dict[str, Any]], name: str) -> list[tuple[float, float, int]]:
    """Put the folds' bins of confidence together."""
    bins = [one for result in results for one in result[name]]
    together = {}
    for place in sorted({metrics.bin_of(sure) for sure, _, _ in bins}):
        members = [one for one in bins if metrics.bin_of(one[0]) == place]
        counts = [count for _, _, count in members]
        sure, right = (float(np.average([one[i] for one in members], weights=counts)) for i in (0, 1))
        together[place] = (sure, right, sum(counts))
    return list(together.values())


def _cross_validate(
    project: Project,
    everything: Sequence[LabelledClip],
    waiting: Sequence[StoredClip],
    seed: int,
    report: Progress,
) -> dict[str, Any]:
    numbers = sorted({one.clip.fold for one in everything if one.clip.fold is not None})
    if len(numbers) < 2:
        raise LabeltoolError("the labelled clips are in no folds", remedy="import a data set with folds")
    results: list[dict[str, Any]] = []
    everywhere: list[dict[str, str]] = []
    none: set[str | None] = set()
    for number in numbers:

        def report_fold(stage: str, done: int, total: int, text: str = "", number: int = number) -> None:
            report(f"fold {number}: {stage}", done, total, text)

        with tempfile.TemporaryDirectory(dir=project.cache) as folder:
            settings = project.settings
            arch = settings.architecture
            ear = ear_for(project, arch)
            recipe = Recipe(arch, seed=seed, test_fold=number, patch_s=settings.patch_s, ear=ear)
            teach(
                project,
                lesson(everything, test_fold=number),
                recipe,
                None,
                Path(folder),
                report=report_fold,
                waiting=without_fold(waiting, everything, number),
            )
            files = model_folder.read(Path(folder))
            none.add(files.background)
            test = [one for one in everything if one.clip.fold == number and _tells(files, files.labels, one)]
            measured, left_out = measure_on(project, files, files.labels, test, report_fold)
            everywhere += (one for one in left_out if one not in everywhere)
        results.append({"fold": number, **measured.to_dict()})
    # The background, where there is one, is last in every fold and so here.
    labels = sorted({name for result in results for name in result["labels"]}, key=lambda name: (name in none, name))
    return {
        "model": None,
        "head": results[0]["head"],
        "labels": labels,
        "clips": sum(result["clips"] for result in results),
        **{name: float(np.mean([result[name] for result in results])) for name in _MEANS},
        **{name: _summed(results, name, labels).tolist() for name in ("confusion", "int8_confusion")},
        "by_label": [_over_folds(results, label) for label in labels],
        **{name: _joined(results, name) for name in ("reliability", "int8_reliability")},
        "folds": results,
        "left_out": everywhere,
    }
