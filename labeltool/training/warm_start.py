"""Warm start: whether the last model may be trained further, on what it is validated, when to start from scratch."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from labeltool.audio.frontend import Frontend
from labeltool.errors import LabeltoolError
from labeltool.networks import model_folder
from labeltool.networks.model_card import Comparison
from labeltool.project import Project
from labeltool.records import LabelledClip
from labeltool.store import Store, clips, groups, models
from labeltool.training.stratified_groups import groups_of_fold, hold_out, kept_from_pools, label_sets
from labeltool.training.targets import TrainingSet
from labeltool.type_aliases import Int64

if TYPE_CHECKING:
    import keras


MIN_CLIPS_TO_COMPARE = 8
"""Validation clips to compare models by; with fewer, a difference is chance."""


@dataclass(frozen=True, slots=True)
class Parent:
    """The model a warm start goes on from; `network` has an output for each label of the training set."""

    id: int
    files: model_folder.ModelFiles
    network: keras.Model


def newest_parent(
    project: Project,
    store: Store,
    labelled: Sequence[LabelledClip],
    training_set: TrainingSet,
    *,
    arch: str,
    frontend: Frontend,
    test_fold: int | None,
) -> Parent | None:
    """Return the newest model of an architecture, its head made for a training set, where a warm start may use it.

    None for one of another frontend, for a damaged one, and for one that has seen the test fold or the locked test set:
    its weights would leak them.
    """
    from labeltool.networks import build as networks

    newest = models.latest(store, arch)
    if newest is None:
        return None
    try:
        files = model_folder.read(project.models / str(newest.id), groups.groups_now(store))
        test_groups = groups.locked_groups(store)
        if test_fold is not None:
            test_groups |= groups_of_fold(labelled, test_fold)
        # Behind a trunk there is nothing to continue: its head takes a second.
        if files.card.trunk or files.frontend != frontend or test_groups & files.groups_seen():
            return None
        network = networks.load(files.directory / model_folder.KERAS)
    except LabeltoolError:
        return None
    # The background goes by whatever it is called now, and no label of the project takes its place.
    renamed = clips.current_names(store)
    background = training_set.background or ""
    names = [background if name == files.background else renamed.get(name, name) for name in files.labels]
    return Parent(newest.id, files, networks.widen_head(network, names, training_set.labels, training_set.head))


def choose_validation(
    training_set: TrainingSet, parent: Parent | None, *, share: float, seed: int, accepted: Collection[int] = ()
) -> Int64:
    """Choose validation clips: with a parent those that validated it, and a share of the groups it has not seen.

    Groups with a clip that was accepted automatically (`accepted`, by their ids) are chosen only where there would be
    fewer than `MIN_CLIPS_TO_COMPARE` clips without them: their labels are what an ancestor predicted.

    What an ancestor was trained on can validate nothing any more, and what validated it must not be trained on. Where
    pools have taken nearly everything, those groups that `kept_from_pools` keeps are all there is: as many of them are
    taken as it needs for the share of all clips. Groups of the pools, whose labels no ancestor was trained on, fill
    that share only where there would be fewer than `MIN_CLIPS_TO_COMPARE` clips without them; there may be none at all.
    """
    wanted = frozenset(clip.group for clip in training_set.clips) - {
        clip.group for clip in training_set.clips if clip.id in accepted
    }
    chosen = _choose(training_set, parent, wanted, (), share=share, seed=seed)
    if len(chosen) < MIN_CLIPS_TO_COMPARE and accepted:
        groups = training_set.groups
        chosen = _choose(training_set, parent, set(groups), {groups[i] for i in chosen}, share=share, seed=seed)
    return np.array(chosen, dtype=np.int64)


def _choose(
    training_set: TrainingSet,
    parent: Parent | None,
    wanted: Collection[str],
    required: Collection[str],
    *,
    share: float,
    seed: int,
) -> list[int]:
    """Choose validation clips among the groups that are wanted, and with those that are required."""
    groups, labels = training_set.groups, label_sets(training_set.present)
    if parent is None:
        return hold_out(groups, labels, share=share, seed=seed, required=required, allowed=wanted)
    files = parent.files
    validated, trained, pooled = files.groups_validated_on(), files.groups_trained_on(), files.groups_in_pools()
    unseen = [i for i, group in enumerate(groups) if group in wanted and group not in trained | pooled | validated]
    some = hold_out([groups[i] for i in unseen], [labels[i] for i in unseen], share=share, seed=seed)
    required = validated | set(required) | {groups[unseen[i]] for i in some}
    allowed = {groups[i] for i in unseen if kept_from_pools(groups[i], share)}
    chosen = hold_out(groups, labels, share=share, seed=seed, required=required, allowed=allowed)
    if len(chosen) < MIN_CLIPS_TO_COMPARE:
        required = {groups[i] for i in chosen}
        chosen = hold_out(groups, labels, share=share, seed=seed, required=required, allowed=set(wanted) - trained)
    return chosen


def scratch_state(training_set: TrainingSet) -> Comparison:
    """Return what a card keeps of the training set of the last training from scratch."""
    return Comparison(len(training_set.clips), training_set.labels)


def scratch_run_due(compared: Comparison | None, training_set: TrainingSet) -> bool:
    """Return whether to train from scratch again: the clips have doubled since, or half the labels are others.

    Doubling keeps its cost a share of all training; a warm start falls behind as data comes (Ash and Adams 2020, "On
    Warm-Starting Neural Network Training").
    """
    if compared is None:
        return True
    then, now = set(compared.labels), set(training_set.labels)
    return len(training_set.clips) >= 2 * compared.clips or 2 * len(then & now) <= len(then | now)
