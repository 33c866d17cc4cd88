"""The locked test set: what it is, and that it grows by what belongs to it, so that nothing of it is learned from.

The recordings are locked in the journal; their groups are with them, also recordings that join those later
(`store.groups.locked_groups`). Readers of clips for training leave them out (`store.clips.labelled`). What is of nearly
equal sound is found by fingerprints, and locked by rows of its own.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.store import Store, clips, groups
from labeltool.tasks.split_project import DataSplit, read_units
from labeltool.type_aliases import Progress

ANNOTATOR = "locked test set"
"""Of the rows by which a retraining locks what belongs to the locked test set: nobody's undo reverts them."""


@dataclass(frozen=True, slots=True)
class LockedSet:
    """The locked test set: its recordings and groups, its labelled clips, and the clips of each label."""

    recordings: int
    groups: int
    clips: int
    labels: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.recordings:,} recordings in {self.groups:,} groups with {self.clips:,} labelled clips"


def locked_set(store: Store) -> LockedSet:
    """Return what is locked now."""
    labelled = clips.labelled(store, which="locked")
    counts = Counter(label for one in labelled for label in one.present)
    recordings, names = groups.locked_recordings(store), groups.locked_groups(store)
    return LockedSet(len(recordings), len(names), len(labelled), dict(sorted(counts.items())))


def lock(store: Store, split: DataSplit, *, annotator: str) -> str:
    """Lock the test set of a split, with all recordings that belong to it; return what that is, in one line.

    Raises
    ------
    LabeltoolError
        When there is no test set.
    """
    if not split.test_recordings:
        raise LabeltoolError(
            "no clip is in the test set: there is nothing to lock", remedy="label clips of more groups"
        )
    groups.lock_recordings(store, split.test_recordings, annotator=annotator)
    return f"locked: {locked_set(store)}, which no model is trained on from now on; `labeltool lock` shows it"


def lock_near_duplicates(project: Project, store: Store, *, report: Progress) -> int:
    """Lock what was imported since and is of nearly equal sound as what is locked; return how many recordings."""
    locked = groups.locked_groups(store)
    if not locked:
        return 0
    units = read_units(project, store, report=report, block_hours=0)
    tested = {units.by_sound[group] for group in units.group_of.values() if group in locked}
    new = {n for n, group in units.group_of.items() if units.by_sound[group] in tested and group not in locked}
    return groups.lock_recordings(store, new, annotator=ANNOTATOR) if new else 0
