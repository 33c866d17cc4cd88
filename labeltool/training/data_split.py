"""Training, validation and test parts of labelled clips, their folds, and clips by which official folds would leak."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from labeltool.errors import LabeltoolError
from labeltool.records import LabelledClip
from labeltool.settings import ExportSettings
from labeltool.training.stratified_groups import draw_parts
from labeltool.util.connected import Connected

Part = Literal["train", "validation", "test"]

PARTS: tuple[Part, ...] = ("train", "validation", "test")

MIN_FOLDS, MAX_FOLDS = 2, 100
"""Least and largest number of folds of a cross-validation; with more, a fold would be a single group."""

# Pairs that an error names; `labeltool check` lists all.
_MAX_NAMED = 5
_TRAIN, _VALIDATION, _TEST = range(3)


@dataclass(frozen=True, slots=True)
class Leak:
    """Two clips on different sides of official folds that are of one group, or of groups that belong together."""

    first: LabelledClip
    second: LabelledClip

    def __str__(self) -> str:
        clips = (self.first.clip, self.second.clip)
        named = " and ".join(f"{Path(one.path).name} (fold {one.fold})" for one in clips)
        return f"{named}, {'one group' if clips[0].group == clips[1].group else 'nearly equal sound'}"


def units_of_groups(groups: Iterable[str], pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the unit of each group: the first name among the groups that pairs join it to, directly or not."""
    connected: Connected[str] = Connected()
    for one, other in pairs:
        connected.join(*sorted((connected.root(one), connected.root(other))))
    return {group: connected.root(group) for group in groups}


def train_validation_test(
    clips: Sequence[LabelledClip],
    *,
    seed: int = 0,
    test_fold: int | None = None,
    shares: Sequence[int] = ExportSettings().split_shares,
    unit_of: Mapping[str, str] = MappingProxyType({}),
    test_units: Collection[str] = (),
) -> dict[int, Part]:
    """Split labelled clips for training, validation and test.

    With official folds the last one (or `test_fold`) is the test part and the one before it is for validation, whatever
    the shares. Clips without a fold are drawn. A unit with a clip in the test fold belongs to the test part as a whole.

    Parameters
    ----------
    clips
        Each with at least one label present.
    shares
        Of the clips, in the order of `PARTS`; `checked_shares` checks them.
    unit_of
        What stays together: the unit of each group; a group without one is its own.
    test_units
        Units of a test set that is fixed. Where there are any, they are all of it, and official folds only divide the
        others.

    Returns
    -------
    dict
        Clip id to part.
    """
    units = [unit_of.get(one.clip.group, one.clip.group) for one in clips]
    fixed = {unit: _TEST for unit in units if unit in test_units}
    rest = [(one, unit) for one, unit in zip(clips, units, strict=True) if unit not in fixed]
    official = official_parts([one for one, _ in rest], test_fold, has_test=not test_units)
    for one, unit in rest:
        if (fold := one.clip.fold) is not None and official:
            fixed[unit] = max(fixed.get(unit, _TRAIN), official[fold])
    drawn = [part for part, share in enumerate(shares) if share and not (test_units and part == _TEST)]
    wanted = [shares[part] / sum(shares[part] for part in drawn) for part in drawn]
    # What is in official folds does not count: the shares are those of what is drawn.
    loose = [(one, unit) for one, unit in rest if unit not in fixed]
    parts = draw_parts(
        [unit for _, unit in loose], [one.present for one, _ in loose], wanted, seed=seed, trained_on=_TRAIN
    )
    of_unit = {**fixed, **{unit: drawn[part] for unit, part in parts.items()}}
    return {one.clip.id: PARTS[of_unit[unit]] for one, unit in zip(clips, units, strict=True)}


def official_parts(clips: Sequence[LabelledClip], test_fold: int | None, *, has_test: bool) -> dict[int, int]:
    """Return the part of each official fold; without `has_test` no fold tests.

    Empty, and all is drawn, where there are fewer than three to test by, or the one that is to test is not among them.
    """
    folds = sorted({fold for one in clips if (fold := one.clip.fold) is not None})
    if not has_test:
        return {**dict.fromkeys(folds, _TRAIN), folds[-1]: _VALIDATION} if len(folds) > 1 else {}
    if len(folds) < 3 or test_fold not in (None, *folds):
        return {}
    test = folds[-1] if test_fold is None else test_fold
    others = [fold for fold in folds if fold != test]
    return {**dict.fromkeys(others, _TRAIN), others[-1]: _VALIDATION, test: _TEST}


def folds_of(
    clips: Sequence[LabelledClip], count: int, *, seed: int = 0, unit_of: Mapping[str, str] = MappingProxyType({})
) -> dict[int, int]:
    """Divide labelled clips into folds, 1 to `count`, for a cross-validation; official folds stay.

    What is in no official fold is drawn, so that the folds have equal shares of each label. A unit with clips in
    several official folds is in the first of those that have most of its clips.

    Raises
    ------
    LabeltoolError
        When there are official folds of another number.
    """
    official = sorted({fold for one in clips if (fold := one.clip.fold) is not None})
    if official and official != list(range(1, count + 1)):
        named = ", ".join(map(str, official))
        raise LabeltoolError(
            f"the clips have official folds ({named}), not {count}", remedy="they are kept as they are"
        )
    units = [unit_of.get(one.clip.group, one.clip.group) for one in clips]
    of_unit: dict[str, list[int]] = {}
    for one, unit in zip(clips, units, strict=True):
        if one.clip.fold is not None:
            of_unit.setdefault(unit, []).append(one.clip.fold)
    fixed = {unit: min(folds, key=lambda fold: (-folds.count(fold), fold)) - 1 for unit, folds in of_unit.items()}
    labels = [one.present or ("",) for one in clips]
    parts = draw_parts(units, labels, [1 / count] * count, seed=seed, fixed=fixed)
    return {one.clip.id: parts[unit] + 1 for one, unit in zip(clips, units, strict=True)}


def checked_shares(shares: Sequence[int]) -> tuple[int, int, int]:
    """Return shares, per cent, of the training, validation and test clips.

    Raises
    ------
    LabeltoolError
        When they are not three that add up to 100, or nothing is left to train on.
    """
    if len(shares) != len(PARTS) or min(shares) < 0 or sum(shares) != 100 or not shares[_TRAIN]:
        raise LabeltoolError(
            f"shares {','.join(map(str, shares))} are not those of a split",
            remedy="three whole numbers that add up to 100, of training, validation and test: 70,15,15",
        )
    return (shares[0], shares[1], shares[2])


def find_leaks(clips: Sequence[LabelledClip], sides: Mapping[int, object], unit_of: Mapping[str, str]) -> list[Leak]:
    """Return, for each unit whose clips official folds put on different sides, two of them.

    Parameters
    ----------
    clips
        Those without a fold do not count.
    sides
        Fold to its side.
    unit_of
        As for `train_validation_test`.
    """
    members: dict[str, list[LabelledClip]] = {}
    for one in clips:
        if one.clip.fold in sides:
            members.setdefault(unit_of.get(one.clip.group, one.clip.group), []).append(one)
    leaks = []
    for of_unit in members.values():
        pairs = [
            Leak(first, second)
            for first, second in ((of_unit[0], other) for other in of_unit[1:])
            if sides[first.clip.fold or 0] != sides[second.clip.fold or 0]
        ]
        leaks += pairs[:1]
    return leaks


def refuse_leaks(leaks: Sequence[Leak]) -> None:
    """Raise a `LabeltoolError` that names what official folds part, where they part anything."""
    if leaks:
        more = f"; and {len(leaks) - _MAX_NAMED} more" if len(leaks) > _MAX_NAMED else ""
        raise LabeltoolError(
            f"the official folds part what belongs together: {'; '.join(map(str, leaks[:_MAX_NAMED]))}{more}",
            remedy="`--force` moves the whole of each to the part that tests, or else validates",
        )
