"""Splits that do not leak: a group stays on one side, official folds are never reshuffled."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Literal

import numpy as np

from labeltool.records import LabelledClip

Part = Literal["train", "validation", "test"]

# A measurement on fewer clips would be chance.
_MIN_HELD_OUT = 4
# A label with fewer groups left gives none: two are kept to train on.
_MIN_GROUPS_TO_GIVE = 3


def hold_out(
    groups: Sequence[str],
    labels: Sequence[str],
    *,
    share: float,
    seed: int,
    required: Collection[str] = (),
    allowed: Collection[str] | None = None,
) -> list[int]:
    """Choose about a share of the items to hold out, whole groups, label by label.

    A label gives groups until its share is reached, and keeps at least two to train on; with fewer than three it
    gives none. Where every label is too small to give its share, some of the labels give one. With few groups the list
    may be empty.

    Parameters
    ----------
    groups, labels
        One of each an item.
    share
        0 to 1, of each label's items.
    required
        Groups that are held out whatever the share; they count towards it.
    allowed
        The groups that may be held out beside those; default all.

    Returns
    -------
    list of int
        Indices, ascending.
    """
    rng = np.random.default_rng([seed, 1])
    selection = _GroupSelection(groups, labels)
    for group in selection.labels_of.keys() & set(required):
        selection.take(group)
    n_required = len(selection.taken_groups)
    for label in sorted(selection.left):
        selection.take_until(label, share * selection.total[label], allowed, rng)
    if len(selection.taken_groups) == n_required and share * len(labels) >= _MIN_HELD_OUT:
        for label in rng.permutation(sorted(selection.left)):
            if selection.taken.total() < share * len(labels):
                selection.take_until(label, 1, allowed, rng)
    return sorted(index for group in selection.taken_groups for index in selection.members[group])


class _GroupSelection:
    """Groups chosen one after the other, and the counts of each label's items.

    Attributes
    ----------
    members
        Group to the indices of its items.
    labels_of
        Group to its items' labels, counted.
    left
        Label to the groups with it that were not taken.
    total, taken
        Items of each label: all, and those of the groups taken.
    taken_groups
        The groups taken.
    """

    def __init__(self, groups: Sequence[str], labels: Sequence[str]) -> None:
        self.members: dict[str, list[int]] = {}
        for index, group in enumerate(groups):
            self.members.setdefault(group, []).append(index)
        self.labels_of = {group: Counter(labels[index] for index in items) for group, items in self.members.items()}
        self.left: dict[str, set[str]] = {}
        for group, counts in self.labels_of.items():
            for label in counts:
                self.left.setdefault(label, set()).add(group)
        self.total = Counter(labels)
        self.taken: Counter[str] = Counter()
        self.taken_groups: set[str] = set()

    def take(self, group: str) -> None:
        """Take a group."""
        counts = self.labels_of[group]
        self.taken_groups.add(group)
        self.taken.update(counts)
        for label in counts:
            self.left[label].discard(group)

    def take_until(
        self, label: str, max_items: float, allowed: Collection[str] | None, rng: np.random.Generator
    ) -> None:
        """Take groups with a label, in random order, until `max_items` of its items are taken, about."""
        for group in rng.permutation(sorted(self.left[label])):
            counts = self.labels_of[group]
            # Half a group too many is nearer to the share than half a group too few.
            enough = self.taken[label] + counts[label] / 2 > max_items
            refused = allowed is not None and group not in allowed
            if not (enough or refused or any(len(self.left[other]) < _MIN_GROUPS_TO_GIVE for other in counts)):
                self.take(group)


def kept_from_pools(group: str, share: float) -> bool:
    """Return whether a group is never in a pool of unlabelled clips, so that it can validate what a pool trained.

    A hash of the name alone decides: the same groups in every generation, whatever the seed. About a share of them.
    """
    mark = int.from_bytes(hashlib.sha256(group.encode()).digest()[:8])
    return mark < share * 2**64


def groups_of_fold(clips: Sequence[LabelledClip], fold: int) -> set[str]:
    """Return the groups with a clip in a fold: what must not be trained on when the fold tests."""
    return {labelled.clip.group for labelled in clips if labelled.clip.fold == fold}


def official_test_fold(clips: Sequence[LabelledClip], test_fold: int | None = None) -> int | None:
    """Return the official fold that tests, `test_fold` or the last; None where groups are drawn in its place."""
    folds = {labelled.clip.fold for labelled in clips if labelled.clip.fold is not None}
    if len(folds) < 3 or not (test_fold is None or test_fold in folds):
        return None
    return max(folds) if test_fold is None else test_fold


def train_validation_test(
    clips: Sequence[LabelledClip], *, seed: int = 0, test_fold: int | None = None
) -> dict[int, Part]:
    """Split labelled clips for training, validation and test.

    With official folds the last (or `test_fold`) tests and the one before it validates; without, about 15 % of the
    clips each, by group. A group with a clip in the test fold is test, whole.

    Parameters
    ----------
    clips
        Each with at least one label present; the first by name stands for a clip in the proportions.

    Returns
    -------
    dict
        Clip id to part.
    """
    test = official_test_fold(clips, test_fold)
    if test is not None:
        others = sorted({fold for one in clips if (fold := one.clip.fold) is not None} - {test})
        test_groups = groups_of_fold(clips, test)
        validation_groups = groups_of_fold(clips, others[-1])
    else:
        groups = [labelled.clip.group for labelled in clips]
        labels = [labelled.present[0] for labelled in clips]
        test_groups = {groups[index] for index in hold_out(groups, labels, share=0.15, seed=seed)}
        rest = [index for index, group in enumerate(groups) if group not in test_groups]
        held_out = hold_out([groups[i] for i in rest], [labels[i] for i in rest], share=0.18, seed=seed)
        validation_groups = {groups[rest[index]] for index in held_out}

    def part(labelled: LabelledClip) -> Part:
        group = labelled.clip.group
        return "test" if group in test_groups else "validation" if group in validation_groups else "train"

    return {labelled.clip.id: part(labelled) for labelled in clips}
