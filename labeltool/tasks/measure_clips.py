"""Measuring a model on labelled clips, with the labels as they are and at each level of detail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from labeltool.errors import LabeltoolError, SkippedFile
from labeltool.evaluation.measure import Predictions, predict_clips
from labeltool.evaluation.thresholds import ScoredClips
from labeltool.evaluation.unseen_labels import LevelAccuracy, MeasuredOnAll, measure_on_all
from labeltool.inference.clip_features import compute_features, feature_cache_of_model
from labeltool.networks import model_folder
from labeltool.project import Project
from labeltool.records import LabelledClip, Value
from labeltool.training.targets import background_name, target_arrays
from labeltool.type_aliases import Float32, Progress


@dataclass(frozen=True, slots=True)
class OnClips:
    """What was measured on clips, the files that could not be read, and the score of each clip."""

    measured: MeasuredOnAll
    skipped: tuple[SkippedFile, ...]
    scored: ScoredClips


def can_be_judged(files: model_folder.ModelFiles, names: Sequence[str], one: LabelledClip) -> bool:
    """Return whether a prediction for the clip can be right or wrong: not where only other labels are absent."""
    if one.present or one.none_of_these:
        return True
    verdicts = one.all_verdicts
    return files.rule.head == "sigmoid" and any(verdicts.get(name) is Value.ABSENT for name in names)


def unseen_labels_of(files: model_folder.ModelFiles, names: Sequence[str], one: LabelledClip) -> tuple[str, ...]:
    """Return the clip's labels that have no output and so make it wrong; see `MeasuredOnAll`."""
    if files.rule.head == "sigmoid":
        return tuple(name for name in one.present if name not in names)
    if set(one.present) & set(names):
        return ()
    if one.none_of_these and not one.present and files.background is None:
        return (background_name(names),)
    return one.present


def measure_on(
    project: Project,
    files: model_folder.ModelFiles,
    names: Sequence[str],
    wanted: Sequence[LabelledClip],
    report: Progress,
) -> OnClips:
    """Measure a model on labelled clips.

    Parameters
    ----------
    names
        Today's name of each of the model's outputs.
    wanted
        Clips with any verdicts: those that cannot be right or wrong are excluded and counted.

    Raises
    ------
    LabeltoolError
        When none is left.
    """
    counted = [one for one in wanted if can_be_judged(files, names, one)]
    if not counted:
        raise LabeltoolError(
            "on none of these clips is a label present, or absent that the model has", remedy="label more"
        )
    cache = feature_cache_of_model(project, files)
    features = compute_features(cache, [one.clip for one in counted], report=report)
    by_id = {one.clip.id: one for one in counted}
    tested = [by_id[clip.id] for clip in features.clips]
    predictions = predict_clips(files, features.frames, names=names, report=report)
    assumed = [names[files.labels.index(name)] for name in files.card.assumed_absent]
    measured = _measure(files, predictions, tested, assumed, excluded=len(wanted) - len(counted))
    by_level = _by_level(files, predictions, tested, assumed)
    scored = ScoredClips(
        predictions.labels,
        files.rule.head,
        predictions.event_scores(files, features.frames),
        *_targets(files, predictions, tested, assumed),
        tuple(one.clip.group for one in tested),
    )
    return OnClips(replace(measured, by_level=by_level), features.skipped, scored)


def _targets(
    files: model_folder.ModelFiles,
    predictions: Predictions,
    tested: Sequence[LabelledClip],
    assumed_absent: Sequence[str],
) -> tuple[Float32, Float32]:
    return target_arrays(
        tested,
        predictions.labels,
        head=files.rule.head,
        background=files.background,
        assumed_absent=assumed_absent,
    )


def _measure(
    files: model_folder.ModelFiles,
    predictions: Predictions,
    tested: Sequence[LabelledClip],
    assumed_absent: Sequence[str],
    *,
    excluded: int = 0,
) -> MeasuredOnAll:
    """Measure predictions on the clips they are for, whose labels go by the names of those predicted."""
    present, absent = _targets(files, predictions, tested, assumed_absent)
    unseen = [unseen_labels_of(files, predictions.labels, one) for one in tested]
    unseen_labels = sorted({name for of_clip in unseen for name in of_clip})
    return measure_on_all(
        predictions,
        present,
        absent,
        unseen_labels=unseen_labels,
        unseen=np.array([[name in of_clip for name in unseen_labels] for of_clip in unseen], bool),
        excluded=excluded,
    )


def _by_level(
    files: model_folder.ModelFiles,
    predictions: Predictions,
    tested: Sequence[LabelledClip],
    assumed_absent: Sequence[str],
) -> tuple[LevelAccuracy, ...]:
    """Measure predictions at each level above the labels themselves; none where no label has a parent."""
    hierarchy = tested[0].hierarchy
    found = []
    for level in range(hierarchy.levels - 1):
        names = [hierarchy.at_level(name, level) for name in predictions.labels]
        assumed = sorted({hierarchy.at_level(name, level) for name in assumed_absent})
        measured = _measure(files, predictions.merged(names), [one.at_level(level) for one in tested], assumed)
        labels = tuple(dict.fromkeys(names))
        found.append(LevelAccuracy(level, labels, measured.clip_accuracy, measured.int8_clip_accuracy))
    return tuple(found)
