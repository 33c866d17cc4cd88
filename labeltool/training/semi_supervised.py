"""Clips that nobody has answered, made ready to learn from."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from labeltool.audio.feature_cache import FeatureCache
from labeltool.errors import files_of
from labeltool.inference.clip_features import Hearing, hear, some_of
from labeltool.project import Project
from labeltool.records import LabelledClip, StoredClip
from labeltool.training.splits import groups_of_fold, kept_from_pools
from labeltool.training.targets import Lesson
from labeltool.training.unlabelled_pool import Pool
from labeltool.type_aliases import Float32, Int64, Progress

if TYPE_CHECKING:
    from labeltool.pretrained.model import Ear

# More clips without a verdict than this are not learnt from: listening to them all would take longer than they teach.
# Without a teacher, no more than so many for each that people labelled: the first lessons must stay short.
_MOST_CLIPS, _MOST_CLIPS_EACH = 500, 8


def without_fold(
    waiting: Sequence[StoredClip], labelled: Sequence[LabelledClip], test_fold: int | None
) -> list[StoredClip]:
    """Return clips less those of the fold to be kept unseen, and of its groups."""
    if test_fold is None:
        return list(waiting)
    kept_back = groups_of_fold(labelled, test_fold) | {clip.group for clip in waiting if clip.fold == test_fold}
    return [clip for clip in waiting if clip.group not in kept_back]


def may_teach(waiting: Sequence[StoredClip], checked: Collection[str], share: float) -> list[StoredClip]:
    """Return the clips a pool may take: no group that checks the network, and none of the share kept from pools."""
    return [clip for clip in waiting if clip.group not in checked and not kept_from_pools(clip.group, share)]


@dataclass(frozen=True, slots=True)
class Gathered:
    """What there is to learn from beside the labels.

    Attributes
    ----------
    pool
        Empty where clips hold several labels and there is no teacher: by their own word networks got no better there,
        measured in `benchmarks/NOTES.md`.
    hearing
        The pool's clips, and the files that could not be heard, by the teacher neither.
    hints : (moments, width) float32 each
        One a clip of the lesson, empty for those that check; None without a teacher, and for a network that hears by
        an ear: what that is told already is no hint.
    """

    pool: Pool
    hearing: Hearing
    hints: list[Float32] | None


def gather(
    project: Project,
    cache: FeatureCache,
    lessons: Lesson,
    held_out: Int64,
    waiting: Sequence[StoredClip],
    *,
    teacher: Ear | None,
    share: float,
    seed: int,
    report: Progress,
) -> Gathered:
    """Hear what waits for an answer, a part of it where there is much, and let the teacher tell of it if there is one.

    Parameters
    ----------
    held_out
        Indices of the lesson's validation clips: their groups are not learnt from.
    share
        Of the groups: so many are kept from pools.
    teacher
        A borrowed ear, opened with its embedding.

    Raises
    ------
    LabeltoolError
        When the teacher cannot hear any more what people labelled.
    """
    if lessons.head == "sigmoid" and teacher is None:
        return Gathered(Pool(), Hearing([], [], []), None)
    wanted = may_teach(waiting, {lessons.groups[i] for i in held_out}, share)
    most = _MOST_CLIPS if teacher else min(_MOST_CLIPS, _MOST_CLIPS_EACH * len(lessons.clips))
    hearing = hear(cache, some_of(wanted, most, seed=seed), report=report, need=False)
    groups = [clip.group for clip in hearing.clips]
    if teacher is None:
        return Gathered(Pool(hearing.log_mels, groups), hearing, None)
    from labeltool.pretrained.clip_cache import embed_clips
    from labeltool.training.distillation import hints_for
    from labeltool.training.label_propagation import told_by_ear
    from labeltool.training.linear_probe import teach_each_label

    learnt = np.setdiff1d(np.arange(len(lessons.clips)), held_out)
    known = [lessons.clips[i] for i in learnt]
    folder, clips = project.cache / "teacher", [*known, *hearing.clips]
    embeddings, failed = embed_clips(teacher, folder, clips, report=report)
    hinted = cache.frontend.kind != "embedding"
    hints, too = hints_for(teacher, folder, clips, cache.frontend, report=report) if hinted else ({}, {})
    failed |= too
    for clip in known:
        if clip.key in failed:
            raise failed[clip.key]
    heard = [place for place, clip in enumerate(hearing.clips) if clip.key not in failed]
    hearing = Hearing(
        [hearing.clips[place] for place in heard],
        [hearing.log_mels[place] for place in heard],
        [*hearing.left_out, *(one for one in files_of(failed.values()) if one not in hearing.left_out)],
    )
    rows = np.stack([embeddings[clip.key] for clip in (*known, *hearing.clips)])
    targets = absent = None
    if lessons.head == "sigmoid":
        targets, absent = teach_each_label(rows, lessons.present[learnt], lessons.absent[learnt])
    elif np.count_nonzero(lessons.present[learnt].sum(axis=0)) > 1:
        targets = told_by_ear(rows, lessons.present[learnt], [clip.group for clip in known])
    pool_hints = [hints[clip.key] for clip in hearing.clips] if hinted else None
    pool = Pool(hearing.log_mels, [groups[place] for place in heard], targets, absent, pool_hints)
    nothing = np.empty((0, 0), np.float32)
    return Gathered(pool, hearing, [hints.get(clip.key, nothing) for clip in lessons.clips] if hinted else None)
