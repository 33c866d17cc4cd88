"""Measure a model on labelled clips with any verdicts, today's labels against those it was trained with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labeltool.errors import LabeltoolError, SkippedFile
from labeltool.evaluation.measure import predict_clips
from labeltool.evaluation.thresholds import ScoredClips
from labeltool.evaluation.unseen_labels import MeasuredOnAll, measure_on_all
from labeltool.inference.clip_features import compute_features, feature_cache_of_model
from labeltool.networks import model_folder
from labeltool.project import Project
from labeltool.records import LabelledClip, Value
from labeltool.training.targets import background_name, target_arrays
from labeltool.type_aliases import Progress


@dataclass(frozen=True, slots=True)
class OnClips:
    """What was measured on clips, the files that could not be read, and the score of each clip."""

    measured: MeasuredOnAll
    skipped: tuple[SkippedFile, ...]
    scored: ScoredClips


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
    counted = [one for one in wanted if is_right_or_wrong(files, names, one)]
    if not counted:
        raise LabeltoolError(
            "on none of these clips is a label present, or absent that the model has", remedy="label more"
        )
    cache = feature_cache_of_model(project, files)
    features = compute_features(cache, [one.clip for one in counted], report=report)
    by_id = {one.clip.id: one for one in counted}
    tested = [by_id[clip.id] for clip in features.clips]
    present, absent = target_arrays(
        tested,
        list(dict.fromkeys(names)),
        head=files.rule.head,
        background=files.background,
        assumed_absent=[names[files.labels.index(name)] for name in files.card.assumed_absent],
    )
    unseen = [labels_without_output(files, names, one) for one in tested]
    unseen_labels = sorted({name for of_clip in unseen for name in of_clip})
    predictions = predict_clips(files, features.frames, names=names, report=report)
    measured = measure_on_all(
        predictions,
        present,
        absent,
        unseen_labels=unseen_labels,
        unseen=np.array([[name in of_clip for name in unseen_labels] for of_clip in unseen], bool),
        excluded=len(wanted) - len(counted),
    )
    scores = predictions.event_scores(files, features.frames)
    tested_groups = tuple(one.clip.group for one in tested)
    scored = ScoredClips(predictions.labels, files.rule.head, scores, present, absent, tested_groups)
    return OnClips(measured, features.skipped, scored)


def is_right_or_wrong(files: model_folder.ModelFiles, names: Sequence[str], one: LabelledClip) -> bool:
    """Return whether a prediction for the clip can be right or wrong: not where only other labels are absent."""
    if one.present or one.none_of_these:
        return True
    return files.rule.head == "sigmoid" and any(one.verdicts.get(name) is Value.ABSENT for name in names)


def labels_without_output(files: model_folder.ModelFiles, names: Sequence[str], one: LabelledClip) -> tuple[str, ...]:
    """Return the clip's labels that have no output and so make it wrong; see `MeasuredOnAll`."""
    if files.rule.head == "sigmoid":
        return tuple(name for name in one.present if name not in names)
    if set(one.present) & set(names):
        return ()
    if one.none_of_these and not one.present and files.background is None:
        return (background_name(names),)
    return one.present
