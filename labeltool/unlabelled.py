"""Clips that nobody has answered, made ready to learn from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np

from labeltool.features import FeatureCache
from labeltool.hearing import Hearing, files_of, hear
from labeltool.lessons import Lesson
from labeltool.pool import Pool
from labeltool.project import Project
from labeltool.records import LabelledClip, StoredClip
from labeltool.splits import groups_of_fold, kept_from_pools

if TYPE_CHECKING:
    import numpy.typing as npt

    from labeltool.ears.ear import Ear

# More clips without a verdict than this are not learnt from: listening to them all would take longer than they teach.
# By the network's own word, no more than so many for each that people labelled: the first lessons must stay short.
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


def gather(
    project: Project,
    cache: FeatureCache,
    lessons: Lesson,
    held_out: npt.NDArray[np.int64],
    waiting: Sequence[StoredClip],
    *,
    teacher: Ear | None,
    share: float,
    seed: int,
    report: Callable[..., None],
) -> tuple[Pool, Hearing]:
    """Hear what waits for an answer, a part of it where there is much, and let the teacher label it if there is one.

    Parameters
    ----------
    held_out
        Indices of the lesson's validation clips: their groups are not learnt from.
    share
        Of the groups: so many are kept from pools.
    teacher
        A borrowed ear, opened with its embedding.

    Returns
    -------
    pool
        Empty where clips hold several labels and there is no teacher: by their own word networks got no better there,
        measured in `benchmarks/NOTES.md`.
    hearing
        The pool's clips, and the files that could not be heard, by the teacher neither.

    Raises
    ------
    LabeltoolError
        When the teacher cannot hear any more what people labelled.
    """
    if lessons.head == "sigmoid" and teacher is None:
        return Pool(), Hearing([], [], [])
    wanted = may_teach(waiting, {lessons.groups[i] for i in held_out}, share)
    most = _MOST_CLIPS if teacher else min(_MOST_CLIPS, _MOST_CLIPS_EACH * len(lessons.clips))
    if len(wanted) > most:
        rng = np.random.default_rng([seed, 2])
        wanted = [wanted[i] for i in sorted(rng.choice(len(wanted), most, replace=False))]
    hearing = hear(cache, wanted, report=report, need=False)
    targets = absent = None
    if teacher is not None:
        from labeltool.teacher import embed_clips, teach_each_label, teach_rest

        learnt = np.setdiff1d(np.arange(len(lessons.clips)), held_out)
        known = [lessons.clips[i] for i in learnt]
        embeddings, failed = embed_clips(teacher, project.cache / "teacher", [*known, *hearing.clips], report=report)
        for clip in known:
            if clip.key in failed:
                raise failed[clip.key]
        heard = [place for place, clip in enumerate(hearing.clips) if clip.key in embeddings]
        hearing = Hearing(
            [hearing.clips[place] for place in heard],
            [hearing.log_mels[place] for place in heard],
            [*hearing.left_out, *(one for one in files_of(failed.values()) if one not in hearing.left_out)],
        )
        rows = np.stack([embeddings[clip.key] for clip in (*known, *hearing.clips)])
        if lessons.head == "sigmoid":
            targets, absent = teach_each_label(rows, lessons.present[learnt], lessons.absent[learnt])
        else:
            targets = teach_rest(rows, lessons.present[learnt])
    return Pool(hearing.log_mels, [clip.group for clip in hearing.clips], targets, absent), hearing
