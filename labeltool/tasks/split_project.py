"""How a project's data set is split: what stays together beside groups, and which clips are in which part.

What a recorder made at one site within a night is no independent sample of it: neighbours in time share weather, the
same animals, the recorder's own noise. A split that parts them measures how well it is remembered (Roberts et al. 2017,
"Cross-validation strategies for data with temporal, spatial, hierarchical, or phylogenetic structure").
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from labeltool.checks.fingerprints import find_pairs
from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.records import LabelledClip
from labeltool.store import Store, groups, recordings
from labeltool.training import data_split
from labeltool.training.data_split import Part
from labeltool.type_aliases import Progress
from labeltool.util.counted import counted
from labeltool.util.recorded_at import RecordedAt, recorded_at


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitOptions:
    """The options of `labeltool export` that are about the split, as JSON values.

    Attributes
    ----------
    shares
        Of the training, validation and test clips, per cent; None: as in the project's settings.
    folds
        Divide into as many folds instead; None: into three parts.
    block_hours
        Recordings of a site within a block of as many hours, counted from noon, stay together; 0: none do by time. 24:
        a night with the day halves around it.
    force
        Accept official folds that part what belongs together: it is moved whole.
    """

    shares: tuple[int, int, int] | None = None
    folds: int | None = None
    seed: int = 0
    block_hours: float = 24
    lock: bool = False
    force: bool = False

    def check(self) -> None:
        """Raise a `LabeltoolError` for options that mean nothing."""
        if self.shares is not None:
            data_split.checked_shares(self.shares)
        least, most = data_split.MIN_FOLDS, data_split.MAX_FOLDS
        if self.folds is not None and not least <= self.folds <= most:
            raise LabeltoolError(f"{self.folds} folds are none", remedy=f"a number from {least} to {most}")
        if self.folds is not None and (self.shares is not None or self.lock):
            raise LabeltoolError("folds have no shares, and no test set to lock", remedy="lock first, then --folds")


AS_SET = SplitOptions()
"""As the project's settings have it."""


@dataclass(frozen=True, slots=True)
class Units:
    """What stays together.

    Attributes
    ----------
    by_sound, by_time
        The unit of each group: by near-duplicates, and by time blocks too.
    near_duplicates
        Ids of recordings of different groups whose sound is nearly equal, pair by pair.
    times
        When and where recordings were made, of those for which that is known and counts.
    unread
        The number of recordings that cannot be read, so that their sound was not compared.
    """

    group_of: Mapping[int, str]
    by_sound: Mapping[str, str]
    by_time: Mapping[str, str]
    near_duplicates: tuple[tuple[int, int], ...]
    times: Mapping[int, RecordedAt]
    paths: Mapping[int, str]
    unread: int


def read_units(
    project: Project,
    store: Store,
    *,
    report: Progress,
    block_hours: float,
    groups_then: Mapping[int, str] = MappingProxyType({}),
) -> Units:
    """Find what stays together; fingerprints of the sound are computed where they are not cached.

    Parameters
    ----------
    block_hours
        As in `SplitOptions`.
    groups_then
        The groups of some recordings at the time of the split, where those are not the groups of now.
    """
    found, skipped = find_pairs(project, store, report)
    group_of = {**groups.recording_groups(store), **groups_then}
    pairs = tuple((one.first, one.second) for one in found if group_of[one.first] != group_of[one.second])
    edges = [(group_of[first], group_of[second]) for first, second in pairs]
    there, columns = [one for one, _ in recordings.all_recordings(store)], groups.own_columns(store)
    found_times = {one.id: recorded_at(one.path, columns.get(one.id, {}), one.duration_s) for one in there}
    times = {number: when for number, when in found_times.items() if when is not None and block_hours > 0}
    in_block: dict[str, list[str]] = {}
    for number, when in times.items():
        in_block.setdefault(when.block(block_hours), []).append(group_of[number])
    by_time = [*edges, *(pair for names in in_block.values() for pair in itertools.pairwise(names))]
    return Units(
        group_of,
        data_split.units_of_groups(group_of.values(), edges),
        data_split.units_of_groups(group_of.values(), by_time),
        pairs,
        times,
        {one.id: one.path for one in there},
        len(skipped),
    )


@dataclass(frozen=True, slots=True)
class TimeBlocks:
    """Recordings that stay together by time: their number, and those of sites and blocks.

    `smallest_gap_s` is the shortest time between recordings of one site in different parts, seconds; None where no site
    is in two.
    """

    recordings: int
    sites: int
    blocks: int
    hours: float
    smallest_gap_s: float | None


@dataclass(frozen=True, slots=True)
class DataSplit:
    """A data set that was split.

    Attributes
    ----------
    part_of
        Clip id to part; where it was divided into folds, "test" for the clips of the locked test set, else "train".
    fold_of
        Clip id to fold, without those of the locked test set; empty where it was divided into parts.
    near_duplicates
        Paths of recordings of different groups whose sound is nearly equal, where one of them has a clip here.
    time_blocks
        None where no recordings stay together by time.
    test_recordings
        Ids of all recordings that belong to the test set, those without a label too.
    unread
        As in `Units`.
    """

    part_of: Mapping[int, Part]
    fold_of: Mapping[int, int]
    is_official: bool
    is_locked: bool
    near_duplicates: tuple[tuple[str, str], ...]
    time_blocks: TimeBlocks | None
    test_recordings: frozenset[int]
    unread: int

    def notes(self) -> list[str]:
        """Return what a person should know, a line each."""
        found = []
        if self.near_duplicates:
            found.append(
                f"{counted(len(self.near_duplicates), 'pair')} of nearly equal sound stayed together beside the "
                "groups (summary.json names them); `labeltool check near-duplicate --join` makes each one group"
            )
        if self.unread:
            found.append(f"{counted(self.unread, 'recording')} could not be read, so that their sound was not compared")
        if (blocks := self.time_blocks) is not None:
            gap = blocks.smallest_gap_s
            apart = "" if gap is None else f"; {_duration(gap)} at least between two parts at one site"
            found.append(
                f"{counted(blocks.recordings, 'recording')} of {counted(blocks.sites, 'site')} stayed together by "
                f"blocks of {blocks.hours:g} hours, {blocks.blocks} in all{apart}; `--block-hours` changes that"
            )
        if self.is_locked:
            found.append(f"the test set is the locked one: {counted(len(self.test_recordings), 'recording')}")
        return found


def split(
    clips: Sequence[LabelledClip],
    units: Units,
    options: SplitOptions,
    *,
    shares: Sequence[int],
    test_fold: int | None,
    locked: Collection[str],
) -> DataSplit:
    """Split labelled clips, each with a label present.

    Parameters
    ----------
    shares
        As in `SplitOptions`, those in force.
    test_fold
        As for `data_split.train_validation_test`.
    locked
        Groups of the locked test set; none: there is no such set.

    Raises
    ------
    LabeltoolError
        When official folds part what belongs together, or are of another number than asked for.
    """
    # Whoever made official folds decided about time too.
    by_time = all(one.clip.fold is None for one in clips)
    unit_of = units.by_time if by_time else units.by_sound
    test_units = {unit_of.get(group, group) for group in locked}
    free = [one for one in clips if unit_of[one.clip.group] not in test_units]
    folds = {fold for one in free if (fold := one.clip.fold) is not None}
    official = data_split.official_parts(free, test_fold, has_test=not test_units)
    sides = official if options.folds is None else {fold: fold for fold in folds}
    if not options.force:
        data_split.refuse_leaks(data_split.find_leaks(free, sides, unit_of))
    fold_of: Mapping[int, int] = {}
    if options.folds is None:
        part_of = data_split.train_validation_test(
            *(clips,), seed=options.seed, test_fold=test_fold, shares=shares, unit_of=unit_of, test_units=test_units
        )
    else:
        fold_of = data_split.folds_of(free, options.folds, seed=options.seed, unit_of=unit_of)
        part_of = {one.clip.id: "train" if one.clip.id in fold_of else "test" for one in clips}
    tested = test_units | {unit_of[one.clip.group] for one in clips if part_of[one.clip.id] == "test"}
    side_of = {one.clip.recording_id: fold_of.get(one.clip.id, part_of[one.clip.id]) for one in clips}
    return DataSplit(
        part_of,
        fold_of,
        bool(sides),
        bool(test_units),
        tuple(
            (units.paths[one], units.paths[other]) for one, other in units.near_duplicates if {one, other} & {*side_of}
        ),
        _time_blocks(units.times, side_of, options.block_hours) if by_time else None,
        frozenset(number for number, group in units.group_of.items() if unit_of[group] in tested),
        units.unread,
    )


def _time_blocks(
    times: Mapping[int, RecordedAt], side_of: Mapping[int, object], block_hours: float
) -> TimeBlocks | None:
    """Return the time blocks of a split; None where each recording is alone in its block."""
    used = {number: times[number] for number in side_of if number in times}
    blocks = {one.block(block_hours) for one in used.values()}
    if len(blocks) == len(used):
        return None
    gap_s = smallest_gap_s([*used.values()], [side_of[number] for number in used])
    return TimeBlocks(len(used), len({one.site for one in used.values()}), len(blocks), block_hours, gap_s)


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.0f} min"


def smallest_gap_s(times: Sequence[RecordedAt], parts: Sequence[object]) -> float | None:
    """Return the shortest time between recordings of one site that are in different parts, seconds.

    None where no site has two parts; 0 where recordings touch or overlap.
    """
    by_site: dict[str, list[tuple[datetime, float, int]]] = {}
    for place, one in enumerate(times):
        by_site.setdefault(one.site, []).append((one.start, one.duration_s, place))
    gaps = [
        max(0.0, (later[0] - earlier[0]).total_seconds() - earlier[1])
        for of_site in by_site.values()
        for earlier, later in itertools.pairwise(sorted(of_site))
        if parts[earlier[2]] != parts[later[2]]
    ]
    return min(gaps, default=None)
