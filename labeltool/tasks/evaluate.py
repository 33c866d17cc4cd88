"""Evaluation: a model on clips it was not trained on, on one fold, or models trained anew for every fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

from labeltool.errors import LabeltoolError
from labeltool.evaluation import over_folds
from labeltool.evaluation import report as evaluation_report
from labeltool.evaluation.operating_points import choose_points
from labeltool.evaluation.thresholds import ScoredClips, ThresholdRow, threshold_table
from labeltool.evaluation.unseen_labels import MeasuredOnAll
from labeltool.inference.clip_features import compute_features
from labeltool.networks import model_folder
from labeltool.networks.architectures import require_training
from labeltool.parallel.engine import map_in_processes
from labeltool.parallel.worker_process import PassedOn
from labeltool.project import Project
from labeltool.records import LabelledClip, Skipped, StoredClip
from labeltool.store import clips
from labeltool.store.detections.operating_points import OperatingPoint
from labeltool.tasks.measure_clips import OnClips, held_out, measure_on
from labeltool.tasks.split_project import read_units
from labeltool.training.data_split import MIN_FOLDS, folds_of
from labeltool.training.prepare import feature_cache_for, make_request
from labeltool.training.targets import build_training_set, usable_for_training
from labeltool.training.train_model import train_model
from labeltool.training.unlabelled.semi_supervised import without_fold
from labeltool.type_aliases import Progress
from labeltool.util.files.atomic_write import new_folder
from labeltool.util.files.writable import why_not

DRAWN_FOLDS = 5
"""Of a cross-validation where the data have no folds: each model is trained on four fifths, as those of ESC-50 are."""

_MEANS = tuple(field.name for field in fields(MeasuredOnAll) if field.type in ("float", "float | None"))
"""The metrics of a cross-validation that are means over its folds: all but counts and matrices."""


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
    int8_sha256
        Of its int8 file; "" for a cross-validation.
    fold
        The fold it was tested on; None: all clips it was not trained on.
    folds
        The results of a cross-validation, of which this one is the mean over folds, matrices added up; else None.
    drawn_folds
        Whether the folds of a cross-validation were drawn, where the data have none.
    report, pictures
        The folder of the written report, "" where the project cannot be written, and the file names of its charts; none
        without vl-convert.
    thresholds
        Precision and recall by label and threshold, int8, where they are wanted.
    """

    model: int | None
    int8_sha256: str = ""
    fold: int | None = None
    folds: tuple[FoldResult, ...] | None = None
    locked: bool = False
    drawn_folds: bool = False
    skipped: tuple[Skipped, ...] = ()
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
    locked: bool | None = None,
    thresholds: bool = False,
    precision: float | None = None,
) -> EvaluateResult:
    """Measure a model on labelled clips and write a report; a task of the worker.

    With `fold`, on that fold, none of whose groups the model may have been trained on; else on the locked test set
    where there is one that it has seen nothing of; else on every other labelled clip whose group it was not trained on:
    the validation clips, and those labelled since. Clips that were in its pool, or in an ancestor's, before they were
    labelled, and clips whose label was accepted automatically, are used only where the others are too few. With
    `cross_validate`, a model is trained from scratch for each fold and tested on it; where clips are in no folds, as
    many as `DRAWN_FOLDS` are drawn by whole groups, nearly equal sound together.

    Parameters
    ----------
    locked
        On the locked test set and on nothing else, or not on it.
    precision
        The wanted one: thresholds that reach it are chosen, on neither the locked test set nor the model's test fold.

    Raises
    ------
    LabeltoolError
        When the model has seen what it is to be measured on, or no clip is left to measure on.
    """
    with project.open_store() as store:
        curve = evaluation_report.learning_curve(project, store)
    if cross_validate:
        result = _cross_validate(project, seed, report, thresholds=thresholds)
        return _with_report(project, "cross-validation", result, (), curve)
    held = held_out(project, model_id, fold=fold, locked=locked, to_choose=precision is not None)
    chosen, files = held.model, held.files
    tested = measure_on(project, files, held.names, held.clips, report)
    values = _values(tested.measured)
    result = EvaluateResult(**values, model=chosen.id, fold=fold, skipped=tested.skipped, locked=held.is_locked)
    result = replace(result, int8_sha256=files.card.int8_sha256)
    if thresholds or precision is not None:
        result = _with_thresholds(result, tested.scored, precision, chosen.uid)
    name = evaluation_report.evaluation_name(chosen.id, fold)
    return _with_report(project, name, result, files.card.losses, curve)


def _with_thresholds(
    result: EvaluateResult, scored: ScoredClips, precision: float | None, model_uid: str
) -> EvaluateResult:
    rows = threshold_table([scored])
    points = () if precision is None else choose_points(rows, precision, model_uid=model_uid, source="validation")
    return replace(result, thresholds=rows, operating_points=points)


def _values(measured: MeasuredOnAll) -> dict[str, Any]:
    return {field.name: getattr(measured, field.name) for field in fields(MeasuredOnAll)}


def _with_report(
    project: Project,
    name: str,
    result: EvaluateResult,
    losses: Sequence[tuple[int, float]],
    curve: Sequence[evaluation_report.CurvePoint],
) -> EvaluateResult:
    try:
        folder, pictures = evaluation_report.write(
            project, name, result, losses=losses, curve=curve, thresholds=result.thresholds
        )
    except OSError as error:
        if not why_not(error):
            raise
        return result
    return replace(result, report=str(folder), pictures=pictures)


def _cross_validate(project: Project, seed: int, report: Progress, *, thresholds: bool) -> EvaluateResult:
    with project.open_store() as store:
        labelled: Sequence[LabelledClip] = usable_for_training(clips.labelled(store))
        unlabelled = clips.unlabelled_to_train_on(store)
    require_training(project.settings.learning.architecture)
    folds = sorted({one.clip.fold for one in labelled if one.clip.fold is not None})
    is_drawn = len(folds) < MIN_FOLDS
    if is_drawn:
        labelled = _with_folds(project, labelled, seed, report)
        folds = sorted({one.clip.fold for one in labelled if one.clip.fold is not None})
    results: list[FoldResult] = []
    skipped: list[Skipped] = []
    scored: list[ScoredClips] = []
    backgrounds: set[str | None] = set()
    _compute_features(project, labelled, seed, report)
    test_fold = partial(_test_fold, project, labelled, unlabelled, seed, PassedOn(report))
    tests = map_in_processes(test_fold, folds, report=report, name_of="fold {}".format, apart=True)
    for fold, tested, background in sorted(tests, key=lambda one: one[0]):
        results.append(FoldResult(**_values(tested.measured), fold=fold))
        scored.append(tested.scored)
        backgrounds.add(background)
        skipped += (one for one in tested.skipped if one not in skipped)
    # The background, where there is one, is last in every fold and so here.
    labels = sorted(
        {name for result in results for name in result.labels}, key=lambda name: (name in backgrounds, name)
    )
    means: dict[str, Any] = {name: over_folds.mean_over_folds(results, name) for name in _MEANS}
    return EvaluateResult(
        **means,
        model=None,
        head=results[0].head,
        labels=tuple(labels),
        clips=sum(result.clips for result in results),
        confusion=over_folds.summed([(result.labels, result.confusion) for result in results], labels),
        int8_confusion=over_folds.summed([(result.labels, result.int8_confusion) for result in results], labels),
        by_label=tuple(over_folds.label_over_folds(results, label) for label in labels),
        reliability=over_folds.joined_reliability([result.reliability for result in results]),
        int8_reliability=over_folds.joined_reliability([result.int8_reliability for result in results]),
        unseen_labels=over_folds.joined_unseen(results),
        clips_of_seen_labels=sum(result.clips_of_seen_labels for result in results),
        excluded=sum(result.excluded for result in results),
        by_level=over_folds.levels_over_folds(results),
        folds=tuple(results),
        skipped=tuple(skipped),
        drawn_folds=is_drawn,
        thresholds=threshold_table(scored) if thresholds else (),
    )


def _compute_features(project: Project, labelled: Sequence[LabelledClip], seed: int, report: Progress) -> None:
    """Compute, on all workers, the features that each fold needs: its own worker would compute them alone."""
    request = make_request(project, project.settings.learning.architecture, seed=seed)
    compute_features(
        feature_cache_for(project, request), [one.clip for one in labelled], report=report, require_any=False
    )


def _with_folds(project: Project, labelled: Sequence[LabelledClip], seed: int, report: Progress) -> list[LabelledClip]:
    """Return clips of no data set with folds in folds that are drawn by whole groups, near-duplicates together.

    Raises
    ------
    LabeltoolError
        When there are too few groups.
    """
    loose = [replace(one, clip=replace(one.clip, fold=None)) for one in labelled]
    with project.open_store() as store:
        unit_of = read_units(project, store, report=report, block_hours=0).by_sound
    groups_there = len({unit_of.get(one.clip.group) for one in loose})
    if groups_there < DRAWN_FOLDS:
        raise LabeltoolError(
            f"{groups_there} groups of labelled clips are too few for {DRAWN_FOLDS} folds", remedy="label more"
        )
    fold_of = folds_of(loose, DRAWN_FOLDS, seed=seed, unit_of=unit_of)
    return [replace(one, clip=replace(one.clip, fold=fold_of[one.clip.id])) for one in loose]


def _test_fold(
    project: Project,
    labelled: Sequence[LabelledClip],
    unlabelled: Sequence[StoredClip],
    seed: int,
    report_all: Progress,
    fold: int,
) -> tuple[int, OnClips, str | None]:
    """Train without a fold and test on it, in a worker; return the fold too, and the model's background."""

    def report(stage: str, done: int, total: int, text: str = "", /) -> None:
        report_all(f"fold {fold}: {stage}", done, total, text)

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
        return fold, measure_on(project, files, files.labels, test, report), files.background
