"""Measuring a model on labelled clips it was not trained on: which these are, with labels as they are and by level."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from labeltool.errors import LabeltoolError
from labeltool.evaluation.measure import Predictions, predict_clips
from labeltool.evaluation.thresholds import ScoredClips
from labeltool.evaluation.unseen_labels import LevelAccuracy, MeasuredOnAll, measure_on_all
from labeltool.inference.clip_features import compute_features, feature_cache_of_model
from labeltool.networks import model_folder
from labeltool.project import Project
from labeltool.records import LabelledClip, Skipped, Value
from labeltool.store import clips, groups, models
from labeltool.training.stratified_groups import groups_of_fold
from labeltool.training.targets import background_name, no_such_fold_error, target_arrays, usable_for_training
from labeltool.training.warm_start import MIN_CLIPS_TO_COMPARE
from labeltool.type_aliases import Float32, Progress


@dataclass(frozen=True, slots=True)
class OnClips:
    """What was measured on clips, the files that could not be read, and the score of each clip.

    `clips` are those that were read, `predictions` what the model predicts for each.
    """

    measured: MeasuredOnAll
    skipped: tuple[Skipped, ...]
    scored: ScoredClips
    clips: tuple[LabelledClip, ...] = ()
    predictions: Predictions | None = None


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


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The labelled clips that a model is to be measured on.

    Attributes
    ----------
    names
        Today's name of each of its outputs: clips have today's, outputs those it was trained with.
    clips
        With any verdicts; see `measure_on`.
    auto_accepted
        Ids of the project's clips with a label that was accepted automatically, so a model's own.
    """

    model: models.ModelRow
    files: model_folder.ModelFiles
    names: list[str]
    clips: list[LabelledClip]
    is_locked: bool
    auto_accepted: Collection[int] = ()


def held_out(
    project: Project,
    model_id: int | None,
    *,
    fold: int | None = None,
    locked: bool | None = None,
    to_choose: bool = False,
) -> HeldOut:
    """Return the clips a model is measured on, as `tasks.evaluate.evaluate` describes; None is the newest.

    Parameters
    ----------
    to_choose
        Whether something is to be chosen on them: then neither the locked test set nor the test fold is among them.

    Raises
    ------
    LabeltoolError
        When there is no such model, it has seen what it is to be measured on, or no clip is left.
    """
    with project.open_store() as store:
        accepted = clips.auto_accepted(store)
        labelled: Sequence[LabelledClip] = usable_for_training(clips.labelled(store))
        of_locked = usable_for_training(clips.labelled(store, which="locked"))
        chosen = models.model(store, model_id)
        renamed, groups_now = clips.current_names(store), groups.groups_now(store)
    files = model_folder.read(project.models / str(chosen.id), groups_now)
    names = files.current_labels(renamed)
    if to_choose:
        locked, labelled = False, _without_fold(labelled, files.card.test_fold)
    may_be_locked = fold is None and locked is not False
    test = _unseen_locked(files, of_locked, accepted, required=locked is True) if may_be_locked else []
    wanted = test or _unseen(files, names, labelled if fold is None else [*labelled, *of_locked], accepted, fold)
    if not any(can_be_judged(files, names, one) and not unseen_labels_of(files, names, one) for one in wanted):
        raise LabeltoolError(f"model {chosen.id} has none of the labels of these clips", remedy="retrain")
    return HeldOut(chosen, files, names, wanted, bool(test), accepted)


def _without_fold(labelled: Sequence[LabelledClip], fold: int | None) -> list[LabelledClip]:
    """Return the clips that may choose a threshold."""
    test_groups = set() if fold is None else groups_of_fold(labelled, fold)
    return [one for one in labelled if one.clip.group not in test_groups]


def _unseen_locked(
    files: model_folder.ModelFiles, of_locked: Sequence[LabelledClip], accepted: Collection[int], *, required: bool
) -> list[LabelledClip]:
    """Return the clips of the locked test set that people labelled.

    None where the model has seen any of the set, or an error if `required`.
    """
    by_people = [one for one in of_locked if one.clip.id not in accepted]
    if by_people and files.groups_seen().isdisjoint(one.clip.group for one in of_locked):
        return by_people
    if required and not by_people:
        raise LabeltoolError(
            "no test set is locked with clips that a person labelled", remedy="`labeltool export --splits --lock`"
        )
    if required:
        raise LabeltoolError(f"model {files.directory.name} has seen clips that are locked since", remedy="retrain")
    return []


def _unseen(
    files: model_folder.ModelFiles,
    names: Sequence[str],
    labelled: Sequence[LabelledClip],
    accepted: Collection[int],
    fold: int | None,
) -> list[LabelledClip]:
    model_id = files.directory.name
    if fold is None:
        trained, pooled = files.groups_trained_on(), files.groups_in_pools()
        wanted = [one for one in labelled if one.clip.group not in trained]
        unseen = [one for one in wanted if one.clip.group not in pooled and one.clip.id not in accepted]
        if sum(can_be_judged(files, names, one) for one in unseen) >= MIN_CLIPS_TO_COMPARE:
            wanted = unseen
        if not wanted:
            raise LabeltoolError(
                f"model {model_id} was trained on every labelled clip", remedy="label more, or --cross-validate"
            )
    else:
        wanted = [one for one in labelled if one.clip.fold == fold]
        if not wanted:
            raise no_such_fold_error(fold, labelled)
        # Validation clips shape the model too: they chose its temperature.
        if groups_of_fold(labelled, fold) & files.groups_seen():
            raise LabeltoolError(
                f"model {model_id} has seen fold {fold}",
                remedy=f"`labeltool retrain --test-fold {fold}` keeps it unseen",
            )
    return wanted


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
    assumed = tuple(names[files.labels.index(name)] for name in files.card.assumed_absent)
    on = _Tested(files, predictions, tested, assumed)
    scored = ScoredClips(
        predictions.labels,
        files.rule.head,
        predictions.event_scores(files, features.frames),
        *on.targets(),
        tuple(one.clip.group for one in tested),
        np.array([bool(unseen) for unseen in on.unseen_labels()], bool),
    )
    measured = replace(on.measured(), excluded=len(wanted) - len(counted), by_level=on.by_level())
    return OnClips(measured, features.skipped, scored, tuple(tested), predictions)


@dataclass(frozen=True, slots=True)
class _Tested:
    """Predictions and the clips they are for, whose labels go by the names of those predicted."""

    files: model_folder.ModelFiles
    predictions: Predictions
    clips: Sequence[LabelledClip]
    assumed_absent: Sequence[str]

    def targets(self) -> tuple[Float32, Float32]:
        return target_arrays(
            self.clips,
            self.predictions.labels,
            head=self.files.rule.head,
            background=self.files.background,
            assumed_absent=self.assumed_absent,
        )

    def unseen_labels(self) -> list[tuple[str, ...]]:
        return [unseen_labels_of(self.files, self.predictions.labels, one) for one in self.clips]

    def measured(self) -> MeasuredOnAll:
        unseen = self.unseen_labels()
        unseen_labels = sorted({name for of_clip in unseen for name in of_clip})
        is_unseen = np.array([[name in of_clip for name in unseen_labels] for of_clip in unseen], bool)
        return measure_on_all(self.predictions, *self.targets(), unseen_labels=unseen_labels, unseen=is_unseen)

    def by_level(self) -> tuple[LevelAccuracy, ...]:
        """Measure at each level above the labels themselves; none where no label has a parent."""
        hierarchy = self.clips[0].hierarchy
        found = []
        for level in range(hierarchy.levels - 1):
            names = [hierarchy.at_level(name, level) for name in self.predictions.labels]
            assumed = sorted({hierarchy.at_level(name, level) for name in self.assumed_absent})
            clips_there = [one.at_level(level) for one in self.clips]
            measured = _Tested(self.files, self.predictions.merged(names), clips_there, assumed).measured()
            labels = tuple(dict.fromkeys(names))
            found.append(LevelAccuracy(level, labels, measured.clip_accuracy, measured.int8_clip_accuracy))
        return tuple(found)
