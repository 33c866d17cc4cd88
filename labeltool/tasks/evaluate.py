"""Evaluation: a model on clips it was not trained on, on one fold, or models trained anew for every fold."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from labeltool.errors import LabeltoolError, SkippedFile
from labeltool.evaluation import metrics
from labeltool.evaluation import report as evaluation_report
from labeltool.evaluation.operating_points import choose_points
from labeltool.evaluation.thresholds import ScoredClips, ThresholdRow, threshold_table
from labeltool.evaluation.unseen_labels import MeasuredOnAll, UnseenLabel
from labeltool.networks import model_folder
from labeltool.networks.model_card import LabelMetrics, ReliabilityBin
from labeltool.project import Project
from labeltool.records import LabelledClip, StoredClip
from labeltool.store import clips, groups, models
from labeltool.store.detections.operating_points import OperatingPoint
from labeltool.tasks.measure_on import OnClips, is_right_or_wrong, labels_without_output, measure_on
from labeltool.training.prepare import make_request
from labeltool.training.splits import groups_of_fold
from labeltool.training.targets import (
    build_training_set,
    no_such_fold,
    usable_for_training,
)
from labeltool.training.train_model import train_model
from labeltool.training.unlabelled.semi_supervised import without_fold
from labeltool.training.warm_start import MIN_CLIPS_TO_COMPARE
from labeltool.type_aliases import Progress
from labeltool.util.atomic_write import new_folder
from labeltool.util.writable import why_not

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
    "clip_accuracy_of_seen_labels",
    "int8_clip_accuracy_of_seen_labels",
    "ece_of_seen_labels",
    "int8_ece_of_seen_labels",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldResult(MeasuredOnAll):
    """The metrics of the model trained without a fold, on that fold."""

    fold: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateResult(MeasuredOnAll):
    """What `labeltool evaluate --json` prints: the metrics of `MeasuredOnAll`, and these.

    Attributes
    ----------
    model
        Its id; None for a cross-validation.
    fold
        The fold it was tested on; None: all clips it was not trained on.
    folds
        The results of a cross-validation, of which this one is the mean over folds, matrices added up; else None.
    skipped
        Files that could not be read.
    report, pictures
        The folder of the written report, and the file names of its plots; none without matplotlib. "" where the project
        cannot be written.
    thresholds
        Precision and recall by label and threshold, int8, where they are wanted.
    operating_points
        The thresholds that reach the wanted precision.
    """

    model: int | None
    fold: int | None = None
    folds: tuple[FoldResult, ...] | None = None
    skipped: tuple[SkippedFile, ...] = ()
    report: str = ""
    pictures: tuple[str, ...] = ()
    thresholds: tuple[ThresholdRow, ...] = ()
    operating_points: tuple[OperatingPoint, ...] = ()


def evaluate(
    project: Project,
    *,
    report: Progress,
    model_id: int | None = None,
    fold: int | None = None,
    cross_validate: bool = False,
    seed: int = 0,
    thresholds: bool = False,
    precision: float | None = None,
) -> EvaluateResult:
    """Measure a model on labelled clips and write a report; a task of the worker.

    With `fold`, on that fold, none of whose groups the model may have been trained on; else on every labelled clip
    whose group it was not trained on: the validation clips, and those labelled since. Clips that were in its pool, or
    in an ancestor's, before they were labelled, and clips whose label was accepted automatically, are used only where
    the others are too few. With `cross_validate`, a model is trained from scratch for each fold and tested on it.

    Parameters
    ----------
    thresholds
        Whether precision and recall by threshold are wanted too.
    precision
        The wanted one: thresholds that reach it are chosen, without the frozen test set and the model's test fold.

    Raises
    ------
    LabeltoolError
        When the model was trained on the fold, or no clip is left to measure on.
    """
    with project.open_store() as store:
        accepted = clips.auto_accepted(store)
        labelled = usable_for_training(clips.labelled(store))
        unlabelled = clips.unlabelled(store) if cross_validate else []
        chosen = None if cross_validate else models.model(store, model_id)
        renamed, groups_now = clips.current_names(store), groups.groups_now(store)
        accuracies = models.accuracies(store)
        locked = groups.locked_recordings(store)
    if chosen is None:
        result = _cross_validate(project, labelled, unlabelled, seed, report, thresholds=thresholds)
        return _with_report(project, "cross-validation", result, (), accuracies)
    files = model_folder.read(project.models / str(chosen.id), groups_now)
    # The clips have today's labels, the model's outputs those it was trained with.
    names = files.current_labels(renamed)
    if precision is not None:
        labelled = _without_test_data(labelled, files.card.test_fold, locked)
    wanted = _unseen(files, names, labelled, accepted, fold, chosen.id)
    tested = measure_on(project, files, names, wanted, report)
    rows = threshold_table([tested.scored]) if thresholds else ()
    result = EvaluateResult(
        **_values(tested.measured),
        model=chosen.id,
        fold=fold,
        skipped=tested.skipped,
        thresholds=rows,
        operating_points=()
        if precision is None
        else choose_points(rows, precision, model_uid=chosen.uid, source="validation"),
    )
    name = f"model-{chosen.id}" + ("" if fold is None else f"-fold-{fold}")
    return _with_report(project, name, result, files.card.losses, accuracies)


def _values(measured: MeasuredOnAll) -> dict[str, Any]:
    return {field.name: getattr(measured, field.name) for field in fields(MeasuredOnAll)}


def _with_report(
    project: Project,
    name: str,
    result: EvaluateResult,
    losses: Sequence[tuple[int, float]],
    accuracies: Sequence[models.ModelAccuracy],
) -> EvaluateResult:
    try:
        folder, pictures = evaluation_report.write(
            project, name, result, losses=losses, models=accuracies, thresholds=result.thresholds
        )
    except OSError as error:
        if not why_not(error):
            raise
        return result
    return replace(result, report=str(folder), pictures=pictures)


def _without_test_data(
    labelled: Sequence[LabelledClip], test_fold: int | None, locked: Collection[int]
) -> list[LabelledClip]:
    """Return the clips that may choose a threshold."""
    test_groups = set() if test_fold is None else groups_of_fold(labelled, test_fold)
    wanted = [one for one in labelled if one.clip.recording_id not in locked and one.clip.group not in test_groups]
    if not wanted:
        raise LabeltoolError("only test data is labelled, which chooses no threshold", remedy="label more")
    return wanted


def _unseen(
    files: model_folder.ModelFiles,
    names: Sequence[str],
    labelled: Sequence[LabelledClip],
    accepted: Collection[int],
    fold: int | None,
    model_id: int,
) -> list[LabelledClip]:
    if fold is None:
        trained, pooled = files.groups_trained_on(), files.groups_in_pools()
        wanted = [one for one in labelled if one.clip.group not in trained]
        unseen = [one for one in wanted if one.clip.group not in pooled and one.clip.id not in accepted]
        if sum(is_right_or_wrong(files, names, one) for one in unseen) >= MIN_CLIPS_TO_COMPARE:
            wanted = unseen
        if not wanted:
            raise LabeltoolError(
                f"model {model_id} was trained on every labelled clip", remedy="label more, or --cross-validate"
            )
    else:
        wanted = [one for one in labelled if one.clip.fold == fold]
        if not wanted:
            raise no_such_fold(fold, labelled)
        # Validation clips shape the model too: they chose its temperature.
        if groups_of_fold(labelled, fold) & files.groups_seen():
            raise LabeltoolError(
                f"model {model_id} has seen fold {fold}",
                remedy=f"`labeltool retrain --test-fold {fold}` keeps it unseen",
            )
    if not any(is_right_or_wrong(files, names, one) and not labels_without_output(files, names, one) for one in wanted):
        raise LabeltoolError(f"model {model_id} has none of the labels of these clips", remedy="retrain")
    return wanted


def _cross_validate(
    project: Project,
    labelled: Sequence[LabelledClip],
    unlabelled: Sequence[StoredClip],
    seed: int,
    report: Progress,
    *,
    thresholds: bool,
) -> EvaluateResult:
    folds = sorted({one.clip.fold for one in labelled if one.clip.fold is not None})
    if len(folds) < 2:
        raise LabeltoolError("the labelled clips are in no folds", remedy="import a data set with folds")
    results: list[FoldResult] = []
    skipped: list[SkippedFile] = []
    scored: list[ScoredClips] = []
    backgrounds: set[str | None] = set()
    for fold in folds:

        def report_fold(stage: str, done: int, total: int, text: str = "", /, fold: int = fold) -> None:
            report(f"fold {fold}: {stage}", done, total, text)

        tested, background = _test_fold(project, labelled, unlabelled, fold, seed, report_fold)
        results.append(FoldResult(**_values(tested.measured), fold=fold))
        scored.append(tested.scored)
        backgrounds.add(background)
        skipped += (one for one in tested.skipped if one not in skipped)
    # The background, where there is one, is last in every fold and so here.
    labels = sorted(
        {name for result in results for name in result.labels}, key=lambda name: (name in backgrounds, name)
    )
    means: dict[str, Any] = {name: _mean_over_folds(results, name) for name in _MEANS}
    return EvaluateResult(
        **means,
        model=None,
        head=results[0].head,
        labels=tuple(labels),
        clips=sum(result.clips for result in results),
        confusion=_summed([(result.labels, result.confusion) for result in results], labels),
        int8_confusion=_summed([(result.labels, result.int8_confusion) for result in results], labels),
        by_label=tuple(_over_folds(results, label) for label in labels),
        reliability=_joined([result.reliability for result in results]),
        int8_reliability=_joined([result.int8_reliability for result in results]),
        unseen_labels=_joined_unseen(results),
        clips_of_seen_labels=sum(result.clips_of_seen_labels for result in results),
        excluded=sum(result.excluded for result in results),
        folds=tuple(results),
        skipped=tuple(skipped),
        thresholds=threshold_table(scored) if thresholds else (),
    )


def _test_fold(
    project: Project,
    labelled: Sequence[LabelledClip],
    unlabelled: Sequence[StoredClip],
    fold: int,
    seed: int,
    report: Progress,
) -> tuple[OnClips, str | None]:
    """Train without a fold and test on it; return also the model's background."""
    request = make_request(project, project.settings.learning.architecture, seed=seed, test_fold=fold)
    with new_folder(project.cache) as new:
        train_model(
            project,
            build_training_set(labelled, test_fold=fold),
            request,
            None,
            new.path,
            report=report,
            unlabelled=without_fold(unlabelled, labelled, fold),
        )
        files = model_folder.read(new.path)
        test = [one for one in labelled if one.clip.fold == fold]
        return measure_on(project, files, files.labels, test, report), files.background


def _summed(
    matrices: Sequence[tuple[Sequence[str], Sequence[Sequence[int]]]], labels: Sequence[str]
) -> tuple[tuple[int, ...], ...]:
    """Add up matrices, each with the labels of its rows and columns."""
    total = np.zeros((len(labels), len(labels)), np.int64)
    for names, matrix in matrices:
        places = [labels.index(name) for name in names]
        total[np.ix_(places, places)] += np.array(matrix)
    return tuple(map(tuple, total.tolist()))


def _mean_over_folds(results: Sequence[FoldResult], name: str) -> float | None:
    """Average a metric over the folds that have it."""
    values = [value for value in (getattr(result, name) for result in results) if value is not None]
    return float(np.mean(values)) if values else None


def _joined_unseen(results: Sequence[FoldResult]) -> tuple[UnseenLabel, ...]:
    """Add up the clips of the labels that were unseen in some fold."""
    labels = sorted({one.label for result in results for one in result.unseen_labels})
    by_label = {
        label: [one for result in results for one in result.unseen_labels if one.label == label] for label in labels
    }
    return tuple(
        UnseenLabel(label, sum(one.clips for one in rows), sum(one.unknown for one in rows))
        for label, rows in by_label.items()
    )


def _over_folds(results: Sequence[FoldResult], label: str) -> LabelMetrics:
    """Average the folds' recalls of a label, weighted by its clips in each."""
    rows = [one for result in results for one in result.by_label if one.label == label and one.clips]
    clips_of = [one.clips for one in rows]

    def mean(recalls: Sequence[float | None]) -> float | None:
        return float(np.average([recall or 0.0 for recall in recalls], weights=clips_of)) if rows else None

    recall, int8_recall = mean([one.recall for one in rows]), mean([one.int8_recall for one in rows])
    return LabelMetrics(label, sum(clips_of), recall, None, int8_recall, None)


def _joined(reliabilities: Sequence[Sequence[ReliabilityBin]]) -> tuple[ReliabilityBin, ...]:
    """Merge the folds' bins of confidence."""
    bins = [one for reliability in reliabilities for one in reliability]
    merged = []
    for index in sorted({metrics.bin_index(confidence) for confidence, _, _ in bins}):
        members = [one for one in bins if metrics.bin_index(one[0]) == index]
        counts = [count for _, _, count in members]
        confidence, accuracy = (float(np.average([one[i] for one in members], weights=counts)) for i in (0, 1))
        merged.append((confidence, accuracy, sum(counts)))
    return tuple(merged)
