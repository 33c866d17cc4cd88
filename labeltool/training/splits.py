"""Splits that do not leak: a group stays on one side, official folds are never reshuffled."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Literal

import numpy as np

from labeltool.records import LabelledClip

Part = Literal["train", "validation", "test"]

# What fewer clips would tell is chance.
_FEWEST_WORTH_HOLDING = 4


def hold_out(
    groups: Sequence[str],
    labels: Sequence[str],
    *,
    share: float,
    seed: int,
    held: Collection[str] = (),
    among: Collection[str] | None = None,
) -> list[int]:
    """Choose about a share of the items to hold out, whole groups, label by label.

    A label gives groups until its share is reached, and keeps at least two to learn from; with fewer than three it
    gives none. Where every label is too small to give its share, some of many give one. With few groups the list may
    be empty.

    Parameters
    ----------
    groups, labels
        One of each an item.
    share
        0 to 1, of each label's items.
    held
        Groups that are held out whatever the share; they count towards it.
    among
        The groups that may be held out beside those; default all.

    Returns
    -------
    list of int
        Indices, ascending.
    """
    rng = np.random.default_rng([seed, 1])
    members: dict[str, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(group, []).append(index)
    labels_of = {group: Counter(labels[index] for index in items) for group, items in members.items()}
    left: dict[str, set[str]] = {}
    for group, counts in labels_of.items():
        for label in counts:
            left.setdefault(label, set()).add(group)
    total = Counter(labels)
    taken: Counter[str] = Counter()
    taken_groups: set[str] = set()

    def take(group: str) -> None:
        counts = labels_of[group]
        taken_groups.add(group)
        taken.update(counts)
        for label in counts:
            left[label].discard(group)

    def hold(label: str, most: float) -> None:
        for group in rng.permutation(sorted(left[label])):
            counts = labels_of[group]
            # Half a group too many is nearer to the share than half a group too few.
            enough = taken[label] + counts[label] / 2 > most
            barred = among is not None and group not in among
            if enough or barred or any(len(left[other]) < 3 for other in counts):
                continue
            take(group)

    for group in labels_of.keys() & set(held):
        take(group)
    given = len(taken_groups)
    for label in sorted(left):
        hold(label, share * total[label])
    if len(taken_groups) == given and share * len(labels) >= _FEWEST_WORTH_HOLDING:
        for label in rng.permutation(sorted(left)):
            if taken.total() < share * len(labels):
                hold(label, 1)
    return sorted(index for group in taken_groups for index in members[group])


def kept_from_pools(group: str, share: float) -> bool:
    """Tell whether a group is one of those that no pool takes, so that it can check what a pool has taught.

    Its name alone decides, by a hash: the same groups in every generation, whatever the seed. About a share of them.
    """
    mark = int.from_bytes(hashlib.sha256(group.encode()).digest()[:8])
    return mark < share * 2**64


def groups_of_fold(clips: Sequence[LabelledClip], fold: int) -> set[str]:
    """Return the groups with a clip in a fold: what must not be learnt from when the fold tests."""
    return {labelled.clip.group for labelled in clips if labelled.clip.fold == fold}


def train_validation_test(
    clips: Sequence[LabelledClip], *, seed: int = 0, test_fold: int | None = None
) -> dict[int, Part]:
    """Part labelled clips for training, validation and test.

    With official folds the last (or `test_fold`) tests and the one before it validates; without, about 15 % of the
    clips each, by group. A group that reaches into the test fold is test, whole.

    Parameters
    ----------
    clips
        Each with at least one label heard; the first by name stands for a clip in the proportions.

    Returns
    -------
    dict
        Clip id to part.
    """
    folds = sorted({labelled.clip.fold for labelled in clips if labelled.clip.fold is not None})
    if len(folds) >= 3 and (test_fold is None or test_fold in folds):
        test = folds[-1] if test_fold is None else test_fold
        others = [fold for fold in folds if fold != test]
        test_groups = groups_of_fold(clips, test)
        validation_groups = groups_of_fold(clips, others[-1])
    else:
        groups = [labelled.clip.group for labelled in clips]
        labels = [labelled.present[0] for labelled in clips]
        test_groups = {groups[index] for index in hold_out(groups, labels, share=0.15, seed=seed)}
        rest = [index for index, group in enumerate(groups) if group not in test_groups]
        held = hold_out([groups[i] for i in rest], [labels[i] for i in rest], share=0.18, seed=seed)
        validation_groups = {groups[rest[index]] for index in held}

    def part(labelled: LabelledClip) -> Part:
        group = labelled.clip.group
        return "test" if group in test_groups else "validation" if group in validation_groups else "train"

    return {labelled.clip.id: part(labelled) for labelled in clips}
