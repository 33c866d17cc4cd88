"""Semi-supervised training: which unlabelled clips to use, their features, and what a teacher model predicts for them.

The result is a `pool.Pool`, which `fit` trains on beside the labelled clips.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labeltool.audio.feature_cache import FeatureCache
from labeltool.audio.frontend import EmbeddingFrontend
from labeltool.audio.trunk_frontend import TrunkFrontend
from labeltool.inference.clip_features import ClipFeatures, compute_features, draw_clips
from labeltool.records import LabelledClip, StoredClip, skipped_files
from labeltool.training.fit import TrainingSettings
from labeltool.training.stratified_groups import groups_of_fold, kept_from_pools
from labeltool.training.targets import TrainingSet
from labeltool.training.unlabelled.pool import Pool
from labeltool.type_aliases import Float32, Int64, Progress
from labeltool.util.lazy_frames import pick
from labeltool.util.time_limit import NO_LIMIT, TimeIsUp, TimeLimit

if TYPE_CHECKING:
    from labeltool.pretrained.model import PretrainedModel

# Clips of a pool at most: computing features of more takes longer than it is worth. Without a teacher model, also at
# most this number for each labelled clip: the first trainings must stay short.
_MAX_CLIPS, _MAX_CLIPS_A_LABELLED_ONE = 500, 8


def without_fold(
    unlabelled: Sequence[StoredClip], labelled: Sequence[LabelledClip], test_fold: int | None
) -> Sequence[StoredClip]:
    """Return unlabelled clips less those of the test fold, and of its groups."""
    if test_fold is None:
        return unlabelled
    excluded = groups_of_fold(labelled, test_fold) | {clip.group for clip in unlabelled if clip.fold == test_fold}
    return _without_groups(unlabelled, excluded)


def pool_candidates(
    unlabelled: Sequence[StoredClip], validation_groups: Collection[str], share: float
) -> Sequence[StoredClip]:
    """Return the clips a pool may take: no validation group, and none of the share of groups kept from pools."""
    kept = {group for group in {clip.group for clip in unlabelled} if kept_from_pools(group, share)}
    return _without_groups(unlabelled, kept.union(validation_groups))


def _without_groups(clips: Sequence[StoredClip], groups: Collection[str]) -> Sequence[StoredClip]:
    return pick(clips, np.flatnonzero(np.fromiter((clip.group not in groups for clip in clips), bool, len(clips))))


@dataclass(frozen=True, slots=True)
class Teacher:
    """A pretrained model, opened with its embedding, and the folder where its embeddings are cached."""

    model: PretrainedModel
    directory: Path


@dataclass(frozen=True, slots=True)
class UnlabelledData:
    """What there is to train on beside the labels.

    Attributes
    ----------
    pool
        Without targets where there is no teacher model: `label_propagation.propagate_labels` estimates them. Empty
        without one behind a trunk, and under a sigmoid but for networks over embeddings: others got worse by it, and no
        better by self-training, measured in `benchmarks/NOTES.md`.
    features
        The pool's clips, and the files that could not be read.
    distillation_targets : (moments, width) float32 each
        One array a clip of the training set, empty for validation clips; None without a teacher model, and for a
        network over embeddings or behind a pretrained trunk, to which they would be no news.
    """

    pool: Pool
    features: ClipFeatures
    distillation_targets: list[Float32] | None


def gather_unlabelled(
    cache: FeatureCache,
    training_set: TrainingSet,
    held_out: Int64,
    unlabelled: Sequence[StoredClip],
    settings: TrainingSettings,
    *,
    teacher: Teacher | None,
    report: Progress,
    limit: TimeLimit = NO_LIMIT,
) -> UnlabelledData:
    """Compute the features of unlabelled clips, of a part of them where there are many, and the teacher's targets.

    Parameters
    ----------
    held_out
        Indices of the validation clips of the training set: their groups are not trained on.
    settings
        Their seed draws the clips, and their validation share is the share of groups kept from pools.
    teacher
        Without one nothing is known of the pool's labels.
    limit
        Features get half of the time until then. Where a teacher needs more than there is, there is no pool.

    Raises
    ------
    LabeltoolError
        When a labelled clip cannot be read any more for the teacher.
    """
    behind_trunk = isinstance(cache.frontend, TrunkFrontend)
    over_embeddings = behind_trunk or isinstance(cache.frontend, EmbeddingFrontend)
    if teacher is None and (behind_trunk or (training_set.head == "sigmoid" and not over_embeddings)):
        return UnlabelledData(Pool(), ClipFeatures([], [], ()), None)
    groups = training_set.groups  # made anew each time
    validation_groups = {groups[i] for i in held_out}
    candidates = pool_candidates(unlabelled, validation_groups, settings.validation_share)
    of_labelled = _MAX_CLIPS_A_LABELLED_ONE * len(training_set.clips)
    drawn = draw_clips(candidates, _MAX_CLIPS if teacher else min(_MAX_CLIPS, of_labelled), seed=settings.seed)
    features = compute_features(cache, drawn, report=report, require_any=False, limit=limit.after(0.5))
    if teacher is None or (over_embeddings and not features.clips):
        return UnlabelledData(Pool(features.frames, [clip.group for clip in features.clips]), features, None)
    train = np.setdiff1d(np.arange(len(training_set.clips)), held_out)
    try:
        return _with_teacher(teacher, cache, training_set, train, features, limit.stopping(report))
    except TimeIsUp:
        return UnlabelledData(Pool(), ClipFeatures([], [], ()), None)


def _with_teacher(
    teacher: Teacher,
    cache: FeatureCache,
    training_set: TrainingSet,
    train: Int64,
    features: ClipFeatures,
    report: Progress,
) -> UnlabelledData:
    """Return the pool with the targets that a teacher model and the clips to train on give it."""
    from labeltool.pretrained.clip_cache import embed_clips
    from labeltool.training.unlabelled.distillation import compute_distillation_targets

    labelled = [training_set.clips[i] for i in train]
    clips = [*labelled, *features.clips]
    embeddings, failed = embed_clips(teacher.model, teacher.directory, clips, report=report)
    moments: dict[str, Float32] | None = None
    if not isinstance(cache.frontend, EmbeddingFrontend | TrunkFrontend):
        moments, unread = compute_distillation_targets(
            teacher.model, teacher.directory, clips, cache.frontend, report=report
        )
        failed |= unread
    for clip in labelled:
        if clip.key in failed:
            raise failed[clip.key]
    kept = [place for place, clip in enumerate(features.clips) if clip.key not in failed]
    features = ClipFeatures(
        [features.clips[place] for place in kept],
        pick(features.frames, kept),
        tuple(dict.fromkeys((*features.skipped, *skipped_files(failed.values())))),
    )
    rows = np.stack([embeddings[clip.key] for clip in (*labelled, *features.clips)])
    pool = replace(
        _estimated_targets(training_set, train, rows),
        frames=features.frames,
        groups=[clip.group for clip in features.clips],
        distillation_targets=None if moments is None else [moments[clip.key] for clip in features.clips],
    )
    nothing = np.empty((0, 0), np.float32)
    return UnlabelledData(
        pool, features, None if moments is None else [moments.get(clip.key, nothing) for clip in training_set.clips]
    )


def _estimated_targets(training_set: TrainingSet, train: Int64, embeddings: Float32) -> Pool:
    """Return a pool's targets alone, by embeddings of the clips to train on and then of the pool."""
    from labeltool.training.unlabelled.label_propagation import propagate_by_embeddings
    from labeltool.training.unlabelled.linear_probe import label_by_probes

    present = training_set.present[train]
    if training_set.head == "sigmoid":
        targets, absent = label_by_probes(embeddings, present, training_set.absent[train])
        return Pool(targets=targets, absent=absent)
    if np.count_nonzero(present.sum(axis=0)) > 1:
        found = propagate_by_embeddings(embeddings, present, [training_set.clips[i].group for i in train])
        return Pool(targets=found.targets, cross_predicted=found.cross_predicted)
    return Pool()
