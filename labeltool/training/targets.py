"""From verdicts to a training set: which clips, which labels, which targets, and which kind of head."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from labeltool.clip_arrays import LabelledClips
from labeltool.errors import LabeltoolError
from labeltool.inference.clip_features import draw_clips
from labeltool.networks.heads import Head
from labeltool.records import LabelledClip, StoredClip, Value
from labeltool.training.stratified_groups import groups_of_fold
from labeltool.type_aliases import Float32

# Share of clips with several labels from which the head is a sigmoid: two people who differ on a clip, or a slip of the
# finger, do not make a multi-label project.
_MULTI_LABEL_SHARE = 0.05
# Clips with a label for each on which it was rejected, at most; else clips on which it was not judged count as absent.
_MAX_PRESENT_FOR_AN_ABSENT = 4
# Windows of background that are trained on however few clips a label has.
_MIN_WINDOWS = 8


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Clips to train on.

    Attributes
    ----------
    labels
        Names in the order of the network's outputs: sorted, as ST's class list is, the background last.
    head
        "sigmoid" where clips have several labels (see `build_training_set`), else "softmax".
    background
        The one of `labels` that is no label of the project: the class of "none of these" under a softmax. None where
        no clip was labelled so.
    present, absent
        (clips, labels) float32: how far a label is known to be present, and absent; see `labeltool.networks.heads`.
        Under a softmax a clip with several labels is shared among them.
    multi_label_clips
        Number of clips that only a sigmoid can represent: with several labels, or known only for absent ones.
    assumed_absent
        Labels that were hardly ever rejected: clips on which they were not judged count as weakly absent.
    """

    clips: Sequence[StoredClip]
    labels: tuple[str, ...]
    head: Head
    background: str | None
    present: Float32
    absent: Float32
    multi_label_clips: int
    assumed_absent: tuple[str, ...]

    @property
    def groups(self) -> tuple[str, ...]:
        """The group of each clip."""
        return tuple(clip.group for clip in self.clips)

    @property
    def background_windows(self) -> int:
        """The number of its clips that are windows of background, which are no clips of the store."""
        return sum(clip.id < 0 for clip in self.clips)

    def only(self, clips: Sequence[StoredClip]) -> TrainingSet:
        """Return the training set of some of its clips, in their order."""
        ids, wanted = (np.fromiter((clip.id for clip in some), np.int64, len(some)) for some in (self.clips, clips))
        order = np.argsort(ids)
        rows = order[np.searchsorted(ids, wanted, sorter=order, side="right") - 1]
        assert np.array_equal(ids[rows], wanted), "clips of another training set"
        return replace(self, clips=clips, present=self.present[rows], absent=self.absent[rows])


def usable_for_training(labelled: Sequence[LabelledClip]) -> LabelledClips:
    """Return the clips with a verdict to train on: a label that is present or absent, or "none of these"."""
    return LabelledClips.of(labelled).where(lambda one: bool(one.present or one.none_of_these or _absent(one)))


def with_labels(labelled: Sequence[LabelledClip]) -> list[LabelledClip]:
    """Return the clips on which some label is present."""
    return [one for one in labelled if one.present]


def no_such_fold_error(fold: int, clips: Sequence[LabelledClip]) -> LabeltoolError:
    """Return the error for a fold without a labelled clip."""
    folds = sorted({one.clip.fold for one in clips if one.clip.fold is not None})
    there = "there are folds " + ", ".join(map(str, folds)) if folds else "the clips are in no folds"
    return LabeltoolError(f"no labelled clip is in fold {fold}", remedy=there)


def build_training_set(
    labelled: Sequence[LabelledClip], background: Sequence[LabelledClip] = (), *, test_fold: int | None = None
) -> TrainingSet:
    """Build the training set of labelled clips.

    The head is a sigmoid, each label judged for itself, where at least one clip in twenty has several labels or is
    known only for absent ones, where there is one label only and no clip with "none of these", and where clips have a
    label as well as others a parent of it; else it is a softmax, one label a clip.

    Parameters
    ----------
    background
        Windows without any label (`labelled_spans.TrainingClips`). Of them as many are drawn as keep the clips with
        none of the labels no more than those of the most frequent label; they do not decide the head.
    test_fold
        Excluded, with every clip of another fold that shares a group with it.

    Raises
    ------
    LabeltoolError
        When there are not two classes, or no clip is in the fold.
    """
    clips, windows = usable_for_training(labelled), LabelledClips.of(background)
    if test_fold is not None:
        test_groups = groups_of_fold(clips, test_fold)
        if not test_groups:
            raise no_such_fold_error(test_fold, clips)
        clips, windows = (_without_groups(some, test_groups) for some in (clips, windows))
    names = tuple(sorted({name for one, _ in clips.counted() for name in one.present}))
    # A clip without a label that is present on no other clip distinguishes nothing.
    clips = clips.where(lambda one: bool(one.present or one.none_of_these or not _absent(one).isdisjoint(names)))
    windows = _draw_windows(clips, names, windows)
    none_of_these = any(one.none_of_these and not one.present for one, _ in (*clips.counted(), *windows.counted()))
    with_parent = any(_has_parent_among(one, names) for one, _ in clips.counted())
    multi_label = sum(
        count
        for one, count in clips.counted()
        if len(one.present) > 1 or not (one.present or one.none_of_these) or _has_parent_among(one, names)
    )
    single = len(names) == 1 and not none_of_these
    singly = single or with_parent or multi_label >= _MULTI_LABEL_SHARE * len(clips)
    head: Head = "sigmoid" if multi_label and singly else "softmax"
    nothing = background_name(names) if none_of_these and head == "softmax" else None
    labels = names if nothing is None else (*names, nothing)
    if not names or (len(labels) < 2 and head == "softmax"):
        raise _too_few_labels(names)
    assumed = _hardly_rejected(clips, labels) if head == "sigmoid" else ()
    clips = LabelledClips(chain(clips, windows))
    # Of each kind of verdicts once, then for each clip.
    present, absent = (
        rows[np.asarray(clips.distinct_row)]
        for rows in target_arrays(clips.distinct, labels, head=head, background=nothing, assumed_absent=assumed)
    )
    return TrainingSet(clips.clips, labels, head, nothing, present, absent, multi_label, assumed)


def _without_groups(labelled: LabelledClips, groups: Collection[str]) -> LabelledClips:
    return labelled.pick([row for row, clip in enumerate(labelled.clips) if clip.group not in groups])


def _draw_windows(clips: LabelledClips, names: Sequence[str], background: LabelledClips) -> LabelledClips:
    """Draw as many windows of background as keep the classes balanced, always the same."""
    counts = Counter[str]()
    for one, count in clips.counted():
        counts.update(dict.fromkeys(one.present, count))
    most = max((counts[name] for name in names), default=0)
    nothing = sum(count for one, count in clips.counted() if one.none_of_these and not one.present)
    drawn = {clip.id for clip in draw_clips(background.clips, max(_MIN_WINDOWS, most - nothing), seed=0)}
    return background.pick([row for row, id_ in enumerate(background.clips.ids) if id_ in drawn])


def _too_few_labels(names: Sequence[str]) -> LabeltoolError:
    problem = f"only {names[0]!r} has clips to train on" if names else "no clip has a label to train on"
    other = repr(names[0]) if names else "it"
    return LabeltoolError(problem, remedy=f"label clips of at least two sounds, or of one and clips without {other}")


def target_arrays(
    clips: Sequence[LabelledClip],
    labels: Sequence[str],
    *,
    head: Head,
    background: str | None,
    assumed_absent: Sequence[str] = (),
) -> tuple[Float32, Float32]:
    """Return the targets of some labels, `present` and `absent`, both (clips, labels) float32.

    Parameters
    ----------
    background
        The one of them that is no label; None where there is none.
    assumed_absent
        Labels that count as weakly absent where they were not judged. Without it a network would predict every label
        everywhere; the weight is Cole et al.'s (2021, "Multi-Label Learning from Single Positive Labels"), one over the
        number of the other labels.
    """
    present, absent = np.zeros((2, len(clips), len(labels)), np.float32)
    weak = 1.0 / max(1, len(labels) - 1)
    for row, one in enumerate(clips):
        names, verdicts = one.present, one.all_verdicts
        nothing = one.none_of_these and not names
        for column, name in enumerate(labels):
            value = verdicts.get(name)
            rejected = value is Value.ABSENT or (nothing and background is None and value is not Value.UNSURE)
            if name == background:
                present[row, column] = nothing
            elif head == "sigmoid":
                present[row, column] = value is Value.PRESENT
                not_judged = bool(names) and name in assumed_absent and name not in verdicts
                absent[row, column] = 1.0 if rejected else weak if not_judged else 0.0
            else:
                present[row, column] = (name in names) / max(1, len(names))
                # Under a softmax the label that is present implies that the others are absent.
                absent[row, column] = rejected and not names
    return present, absent


def _absent(one: LabelledClip) -> set[str]:
    return {name for name, value in one.all_verdicts.items() if value is Value.ABSENT}


def _has_parent_among(one: LabelledClip, names: Sequence[str]) -> bool:
    return any(
        value is Value.PRESENT and name in names and name not in one.verdicts
        for name, value in one.all_verdicts.items()
    )


def background_name(names: Sequence[str]) -> str:
    """Return a name for the background that none of some labels has."""
    name = "none"
    while name in names:
        name = f"({name})"
    return name


def _hardly_rejected(clips: LabelledClips, labels: Sequence[str]) -> tuple[str, ...]:
    kinds, counts = zip(*clips.counted(), strict=True)
    present, absent = target_arrays(kinds, labels, head="sigmoid", background=None)
    few = _MAX_PRESENT_FOR_AN_ABSENT * (counts @ absent) < counts @ present
    return tuple(name for name, hardly in zip(labels, few, strict=True) if hardly)
