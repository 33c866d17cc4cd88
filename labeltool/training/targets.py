"""From verdicts to what a network can be taught: which clips, which labels, which targets, and which kind of head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from labeltool.errors import LabeltoolError
from labeltool.networks.heads import Head
from labeltool.records import LabelledClip, StoredClip, Value
from labeltool.training.splits import groups_of_fold
from labeltool.type_aliases import Float32

# Two people who differ on a clip, or a slip of the finger, do not make a project of several labels a clip.
_SEVERAL_FROM = 0.05
# A label needs a denial for so many of its clips, else clips on which it was not mentioned stand in for denials.
_HEARD_FOR_A_DENIAL = 4


@dataclass(frozen=True, slots=True)
class Lesson:
    """Clips to learn from.

    Attributes
    ----------
    labels
        Names in the order of the network's outputs: sorted, as ST's class list is, the background last.
    head
        "sigmoid" where clips hold several labels (see `lesson`), else "softmax".
    background
        The one of `labels` that is no label of the project: what "none of these" trains under a softmax. None where
        nobody said so.
    present, absent
        (clips, labels) float32: how far a label is known to be there, and not to be; see `labeltool.heads`. Under a
        softmax a clip with several labels is shared among them.
    several
        How many clips speak for the sigmoid.
    assumed_absent
        Labels hardly anybody denied: clips on which they were not mentioned stand in for denials.
    """

    clips: tuple[StoredClip, ...]
    labels: tuple[str, ...]
    head: Head
    background: str | None
    present: Float32
    absent: Float32
    several: int
    assumed_absent: tuple[str, ...]

    @property
    def groups(self) -> tuple[str, ...]:
        """The group of each clip."""
        return tuple(clip.group for clip in self.clips)

    @property
    def kinds(self) -> list[str]:
        """What stands for each clip in proportions: its rarest label, or that it has none."""
        counts = (self.present > 0).sum(axis=0)
        rarity = np.where(self.present > 0, 1.0 / np.maximum(counts, 1), 0.0)
        return [f"={place}" if row[place] > 0 else "" for row, place in zip(rarity, rarity.argmax(axis=1), strict=True)]

    def only(self, clips: Sequence[StoredClip]) -> Lesson:
        """Return the lesson of some of its clips, in their order."""
        place = {clip.id: index for index, clip in enumerate(self.clips)}
        rows = [place[clip.id] for clip in clips]
        return replace(self, clips=tuple(clips), present=self.present[rows], absent=self.absent[rows])


def can_teach(labelled: Sequence[LabelledClip]) -> list[LabelledClip]:
    """Return the clips of which something is known: what is there, what is not, or that none of the labels is."""
    return [one for one in labelled if one.present or one.none_of_these or _denied(one)]


def heard(labelled: Sequence[LabelledClip]) -> list[LabelledClip]:
    """Return the clips in which some label is heard."""
    return [one for one in labelled if one.present]


def no_such_fold(fold: int, clips: Sequence[LabelledClip]) -> LabeltoolError:
    """Make the error for a fold that no labelled clip is in."""
    folds = sorted({one.clip.fold for one in clips if one.clip.fold is not None})
    there = "there are folds " + ", ".join(map(str, folds)) if folds else "the clips are in no folds"
    return LabeltoolError(f"no labelled clip is in fold {fold}", remedy=there)


def lesson(labelled: Sequence[LabelledClip], *, test_fold: int | None = None) -> Lesson:
    """Gather what is to be learnt from.

    The head is a sigmoid, each label judged for itself, where at least one clip in twenty holds several labels or is
    known only for labels it does not hold, and where only one label was ever heard but for "none of these"; else it
    is a softmax, one answer a clip.

    Parameters
    ----------
    test_fold
        Left out, with every clip of another fold that shares a group with it.

    Raises
    ------
    LabeltoolError
        When there are not two things to tell apart, or the fold is not there.
    """
    clips = can_teach(labelled)
    if test_fold is not None:
        kept_back = groups_of_fold(clips, test_fold)
        if not kept_back:
            raise no_such_fold(test_fold, clips)
        clips = [one for one in clips if one.clip.group not in kept_back]
    names = tuple(sorted({name for one in clips for name in one.present}))
    # A denial of what was never heard tells nothing apart.
    clips = [one for one in clips if one.present or one.none_of_these or not _denied(one).isdisjoint(names)]
    none_of_these = any(one.none_of_these and not one.present for one in clips)
    several = sum(len(one.present) > 1 or not (one.present or one.none_of_these) for one in clips)
    alone = len(names) == 1 and not none_of_these
    head: Head = "sigmoid" if several and (alone or several >= _SEVERAL_FROM * len(clips)) else "softmax"
    background = _background(names) if none_of_these and head == "softmax" else None
    labels = names if background is None else (*names, background)
    if not names or (len(labels) < 2 and head == "softmax"):
        if names:
            told, other = f"only {names[0]!r} has clips to learn from", repr(names[0])
        else:
            told, other = "no sound is labelled that can be learnt from", "it"
        raise LabeltoolError(told, remedy=f"label clips of at least two sounds, or of one and clips without {other}")
    assumed = _hardly_denied(clips, labels) if head == "sigmoid" else ()
    present, absent = known_of(clips, labels, head=head, background=background, assumed_absent=assumed)
    return Lesson(tuple(one.clip for one in clips), labels, head, background, present, absent, several, assumed)


def known_of(
    clips: Sequence[LabelledClip],
    labels: Sequence[str],
    *,
    head: Head,
    background: str | None,
    assumed_absent: Sequence[str] = (),
) -> tuple[Float32, Float32]:
    """Return what verdicts say of some labels, `present` and `absent`, both (clips, labels) float32.

    Parameters
    ----------
    labels
        Names, without repetition.
    background
        The one of them that is no label; None where there is none.
    assumed_absent
        Those on which silence counts as a weak denial. Without it a network would learn to say yes to everything; the
        weight is Cole et al.'s (2021, "Multi-Label Learning from Single Positive Labels"), one over the number of the
        other labels.
    """
    present, absent = np.zeros((2, len(clips), len(labels)), np.float32)
    weak = 1.0 / max(1, len(labels) - 1)
    for row, one in enumerate(clips):
        nothing = one.none_of_these and not one.present
        for column, name in enumerate(labels):
            denied = one.verdicts.get(name) is Value.ABSENT or (nothing and background is None)
            if name == background:
                present[row, column] = nothing
            elif head == "sigmoid":
                present[row, column] = name in one.present
                silent = bool(one.present) and name in assumed_absent and name not in one.verdicts
                absent[row, column] = 1.0 if denied else weak if silent else 0.0
            else:
                present[row, column] = (name in one.present) / max(1, len(one.present))
                # What is known to be one thing is known not to be the others.
                absent[row, column] = denied and not one.present
    return present, absent


def _denied(one: LabelledClip) -> set[str]:
    return {name for name, value in one.verdicts.items() if value is Value.ABSENT}


def _background(names: Sequence[str]) -> str:
    """Return a name for the background that no label has."""
    name = "none"
    while name in names:
        name = f"({name})"
    return name


def _hardly_denied(clips: Sequence[LabelledClip], labels: Sequence[str]) -> tuple[str, ...]:
    present, absent = known_of(clips, labels, head="sigmoid", background=None)
    few = _HEARD_FOR_A_DENIAL * absent.sum(axis=0) < present.sum(axis=0)
    return tuple(name for name, hardly in zip(labels, few, strict=True) if hardly)
