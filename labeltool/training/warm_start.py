"""Going on from the last model: whether that may be, on what it is checked, and when to begin from scratch again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from labeltool.audio.frontend import Frontend
from labeltool.errors import LabeltoolError
from labeltool.networks import model_folder
from labeltool.project import Project
from labeltool.records import LabelledClip
from labeltool.store import Store, clips, models
from labeltool.training.splits import groups_of_fold, hold_out, kept_from_pools
from labeltool.training.targets import Lesson
from labeltool.type_aliases import Int64

if TYPE_CHECKING:
    import keras


FEWEST_TO_JUDGE_BY = 8
"""Clips; what fewer tell of a model is chance."""


@dataclass(frozen=True, slots=True)
class Parent:
    """The model a warm start goes on from; `network` has an output for each of the lesson's labels."""

    id: int
    files: model_folder.ModelFiles
    network: keras.Model


def newest_parent(
    project: Project,
    store: Store,
    labelled: Sequence[LabelledClip],
    lessons: Lesson,
    *,
    arch: str,
    frontend: Frontend,
    test_fold: int | None,
) -> Parent | None:
    """Return the newest model, its head made for the lesson's labels, where training may go on from it.

    Not from one of another architecture or frontend, not from one that is damaged (what it knew can be learnt again),
    and not from one that has seen the fold to be kept unseen: its weights would carry the fold over.
    """
    from labeltool.networks import build as networks

    newest = models.latest(store)
    if newest is None:
        return None
    try:
        files = model_folder.read(project.models / str(newest.id))
        unseen = groups_of_fold(labelled, test_fold) if test_fold is not None else set()
        same = files.card["architecture"] == arch
        if not same or files.frontend != frontend or unseen & files.groups_seen():
            return None
        network = networks.load(files.directory / model_folder.KERAS)
    except LabeltoolError:
        return None
    today = clips.names_today(store)
    # The background goes by whatever it is called now: no label of the project stands in its place.
    names = [lessons.background if name == files.background else today.get(name, name) for name in files.labels]
    told = [name if name is not None else "" for name in names]
    return Parent(newest.id, files, networks.widen_head(network, told, lessons.labels, lessons.head))


def validation_of(lessons: Lesson, parent: Parent | None, *, share: float, seed: int) -> Int64:
    """Choose validation clips: of a warm start the parent's, and a share of the groups it has never met.

    What an ancestor has learnt from can check nothing any more, and what checked it must not be learnt from. Where a
    pool has met nearly everything, those that are kept from pools (`splits.kept_from_pools`) are all there is: as many
    of them are taken as it needs for the share of all clips. Groups that it met in its pool, and whose answers it was
    never told, fill that share only where there would be fewer than `FEWEST_TO_JUDGE_BY` clips without them; there may
    be none at all.
    """
    if parent is None:
        return np.array(hold_out(lessons.groups, lessons.kinds, share=share, seed=seed), dtype=np.int64)
    checked, learnt, pooled = parent.files.groups_checked(), parent.files.groups_learnt(), parent.files.groups_pooled()
    groups, kinds = lessons.groups, lessons.kinds

    fresh = [i for i, group in enumerate(groups) if group not in learnt | pooled | checked]
    some = hold_out([groups[i] for i in fresh], [kinds[i] for i in fresh], share=share, seed=seed)
    held = checked | {groups[fresh[i]] for i in some}
    spared = {groups[i] for i in fresh if kept_from_pools(groups[i], share)}
    chosen = hold_out(groups, kinds, share=share, seed=seed, held=held, among=spared)
    if len(chosen) < FEWEST_TO_JUDGE_BY:
        held = {groups[i] for i in chosen}
        chosen = hold_out(groups, kinds, share=share, seed=seed, held=held, among=set(groups) - learnt)
    return np.array(chosen, dtype=np.int64)


def state(lessons: Lesson) -> dict[str, Any]:
    """Return what a card remembers of the lesson that was last learnt from scratch."""
    return {"clips": len(lessons.clips), "labels": list(lessons.labels)}


def due(compared: Mapping[str, Any] | None, lessons: Lesson) -> bool:
    """Tell whether to try from scratch again: the clips have doubled since, or half the labels are others.

    Doubling keeps the price a share of all training; a warm start falls behind as data comes (Ash and Adams 2020, "On
    Warm-Starting Neural Network Training").
    """
    if compared is None:
        return True
    then, now = set(compared["labels"]), set(lessons.labels)
    return len(lessons.clips) >= 2 * compared["clips"] or 2 * len(then & now) <= len(then | now)
