"""Splits that do not leak: a group stays on one side, official folds are never reshuffled."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Literal

from labeltool.records import LabelledClip

Part = Literal["train", "validation", "test"]


def hold_out(groups: Sequence[str], labels: Sequence[str], *, share: float, seed: int) -> list[int]:
    """Choose about a share of the items to hold out, whole groups, labels in proportion.

    A label is never held out entirely: the groups of one that would be stay where they can be learnt from. With few
    groups the list may be empty.

    Parameters
    ----------
    groups, labels
        One of each an item.
    share
        0 to 0.5.

    Returns
    -------
    list of int
        Indices, ascending.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    n_splits = min(round(1 / share), len(set(groups)))
    if n_splits < 2:
        return []
    folds = StratifiedGroupKFold(n_splits=n_splits, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # Labels with fewer clips than parts: told of, and put right below.
        warnings.simplefilter("ignore", UserWarning)
        _, held = next(folds.split(groups, labels, groups))
    held_groups = {groups[index] for index in held}
    left = {label for label, group in zip(labels, groups, strict=True) if group not in held_groups}
    for label, group in zip(labels, groups, strict=True):
        if label not in left:
            held_groups.discard(group)
    return [index for index, group in enumerate(groups) if group in held_groups]


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
