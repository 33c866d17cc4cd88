"""From verdicts to what a network can be taught: which clips, which labels, which targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labeltool.errors import LabeltoolError
from labeltool.frontend import Float32
from labeltool.records import LabelledClip, StoredClip
from labeltool.splits import groups_of_fold


@dataclass(frozen=True, slots=True)
class Lesson:
    """Clips to learn from.

    Attributes
    ----------
    labels
        Names in the order of the network's outputs: sorted, as ST's class list is.
    targets
        (clips, labels) float32, rows sum to one: a clip with several labels is shared among them.
    """

    clips: tuple[StoredClip, ...]
    labels: tuple[str, ...]
    targets: Float32

    @property
    def groups(self) -> tuple[str, ...]:
        """The group of each clip."""
        return tuple(clip.group for clip in self.clips)

    def only(self, clips: Sequence[StoredClip]) -> Lesson:
        """Return the lesson of some of its clips, in their order."""
        place = {clip.id: index for index, clip in enumerate(self.clips)}
        return Lesson(tuple(clips), self.labels, self.targets[[place[clip.id] for clip in clips]])


def heard(labelled: Sequence[LabelledClip]) -> list[LabelledClip]:
    """Return the clips in which some label is heard: what can be learnt from and measured on.

    A clip of which is only known what it is not, or on which the person was unsure, teaches nothing here.
    """
    return [one for one in labelled if one.present]


def no_such_fold(fold: int, clips: Sequence[LabelledClip]) -> LabeltoolError:
    """Make the error for a fold that no labelled clip is in."""
    folds = sorted({one.clip.fold for one in clips if one.clip.fold is not None})
    there = "there are folds " + ", ".join(map(str, folds)) if folds else "the clips are in no folds"
    return LabeltoolError(f"no labelled clip is in fold {fold}", remedy=there)


def lesson(labelled: Sequence[LabelledClip], *, test_fold: int | None = None) -> Lesson:
    """Gather what is to be learnt from.

    Parameters
    ----------
    test_fold
        Left out, with every clip of another fold that shares a group with it.

    Raises
    ------
    LabeltoolError
        When fewer than two labels are left, or the fold is not there.
    """
    clips = heard(labelled)
    if test_fold is not None:
        kept_back = groups_of_fold(clips, test_fold)
        if not kept_back:
            raise no_such_fold(test_fold, clips)
        clips = [one for one in clips if one.clip.group not in kept_back]
    labels = tuple(sorted({name for one in clips for name in one.present}))
    if len(labels) < 2:
        told = (
            f"only {labels[0]!r} has clips to learn from" if labels else "nothing is labelled that can be learnt from"
        )
        raise LabeltoolError(told, remedy="label clips of at least two sounds")
    place = {name: index for index, name in enumerate(labels)}
    targets = np.zeros((len(clips), len(labels)), np.float32)
    for row, one in zip(targets, clips, strict=True):
        row[[place[name] for name in one.present]] = 1 / len(one.present)
    return Lesson(tuple(one.clip for one in clips), labels, targets)
