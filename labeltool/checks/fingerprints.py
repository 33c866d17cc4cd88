"""Nearly equal sound in recordings of different groups: candidates by common landmarks, confirmed by their waveforms.

A candidate is a pair of recordings whose spectral peaks coincide at a distance in time at which they have landmarks in
common (`sound/candidates.py`). It is confirmed where the phases of the two waveforms agree (`sound/waveforms.py`):
sounds that are only similar, or that repeat themselves, have no phases in common. What was found is kept in the cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from labeltool.checks.sound.array_cache import ArrayCache, Arrays, gone
from labeltool.checks.sound.candidates import Candidate, candidates
from labeltool.checks.sound.landmarks import FRAMES_PER_S, landmarks
from labeltool.checks.sound.waveforms import agreement
from labeltool.errors import LabeltoolError
from labeltool.parallel.engine import map_in_processes, processes_for
from labeltool.project import Project
from labeltool.records import Skipped, skipped_files
from labeltool.store import Store, recordings
from labeltool.store.groups import recording_groups
from labeltool.type_aliases import Progress
from labeltool.util.connected import Connected
from labeltool.util.files.atomic_write import write_bytes
from labeltool.util.files.bounded_read import MAX_TABLE_BYTES, read_bytes
from labeltool.util.files.no_links import make_folder
from labeltool.util.files.writable import kept, writing_to

# Raised whenever landmarks, candidates or their confirmation are computed in another way.
_VERSION = 3
_FILE = f"pairs-{_VERSION}.msgpack"
# Candidates that are looked at between two looks at what is connected by now.
_AT_ONCE = 1024
# Fewer than this are looked at here: a spawned process costs more than it saves.
_WORTH_A_PROCESS = 48
# Unrelated sounds reach 0.05, what was mixed under a sound twice as strong 0.1 and more (ESC-10, folds 1 to 3).
MIN_AGREEMENT = 0.08
# The score where a file of a candidate could not be read.
_UNREAD = -1.0


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """Two recordings of different groups that have a sound in common.

    Attributes
    ----------
    first, second
        Ids of the recordings, the smaller first.
    start_s
        A moment of the common sound, in seconds of the first.
    offset_s
        What is at t in the first is at t + `offset_s` in the second.
    score
        How far the waveforms agree: 1 where one is the other whatever its level, less where it was encoded or mixed.
    """

    first: int
    second: int
    start_s: float
    offset_s: float
    score: float


class _Looked(msgspec.Struct, frozen=True, array_like=True):
    """A candidate that was looked at, as it is kept: the recordings' keys, moment and offset in seconds, the score."""

    first: str
    second: str
    start_s: float
    offset_s: float
    score: float

    @property
    def agrees(self) -> bool:
        """Whether both have a sound in common."""
        return self.score >= MIN_AGREEMENT


class _Kept(msgspec.Struct, frozen=True):
    """What is kept: the group of each recording, by its key, when it was compared with the others; what was seen."""

    compared: dict[str, str] = {}
    looked: tuple[_Looked, ...] = ()


def find_pairs(project: Project, store: Store, report: Progress) -> tuple[list[NearDuplicate], tuple[Skipped, ...]]:
    """Return pairs of recordings of different groups that have sound in common, and the files that cannot be read.

    Of recordings that are all connected by pairs there are only as many pairs as connect them. Recordings are compared
    where they are new, or of another group than the last time; where none is, nothing but the result is read.

    Returns
    -------
    pairs
        Those that agree best first.
    skipped

    Raises
    ------
    LabeltoolError
        When the cache cannot be written.
    """
    folder = project.cache / "checks"
    cache = ArrayCache(folder / f"landmarks-{_VERSION}", landmarks)
    groups, stored = recording_groups(store), recordings.all_recordings(store)
    there = [_Known(one.id, one.path, one.samples_sha256 or sha256, groups[one.id]) for one, sha256 in stored]
    kept_pairs = _of_these(_read(folder), there)
    if any(one.is_new(kept_pairs) for one in there):
        found, skipped = cache.arrays(store, report, "fingerprinting")
        known = [one for one in there if one.id in found]
        if any(one.is_new(kept_pairs) for one in known):  # not so where files that cannot be read are all that is new
            kept_pairs = _compared(known, [found[one.id] for one in known], kept_pairs, folder, report)
    else:
        skipped = skipped_files(gone(one.path for one in there).values())
    by_key = {one.key: one for one in there}
    connected, pairs = Connected[str](), []
    for one in sorted(kept_pairs.looked, key=lambda one: (-one.score, one.first, one.second)):
        first, second = by_key[one.first], by_key[one.second]
        if one.agrees and first.group != second.group and not connected.joins(one.first, one.second):
            connected.join(one.first, one.second)
            pairs.append(NearDuplicate(first.id, second.id, one.start_s, one.offset_s, one.score))
    return pairs, skipped


@dataclass(frozen=True, slots=True)
class _Known:
    """A recording: its id and path, the key of its samples and its group."""

    id: int
    path: str
    key: str
    group: str

    def is_new(self, kept: _Kept) -> bool:
        """Whether it is to be compared."""
        return kept.compared.get(self.key) != self.group


def _of_these(kept: _Kept, there: Sequence[_Known]) -> _Kept:
    """Return what is kept of recordings that are there.

    Those that another connected which is gone are compared again.
    """
    keys = {one.key for one in there}
    lost = {
        key
        for one in kept.looked
        if one.agrees and not keys.issuperset(pair := (one.first, one.second))
        for key in pair
    }
    compared = {key: group for key, group in kept.compared.items() if key in keys - lost}
    return _Kept(compared, tuple(one for one in kept.looked if keys.issuperset((one.first, one.second))))


def _compared(
    known: Sequence[_Known], arrays: Sequence[Arrays], before: _Kept, folder: Path, report: Progress
) -> _Kept:
    """Look at the candidates, as far as they were not looked at before and are not connected already.

    What was looked at is written now and then: an interrupted run is gone on with.
    """
    report("comparing fingerprints", 0, 0)
    numbers = {name: number for number, name in enumerate(sorted({one.group for one in known}))}
    found = candidates(arrays, [numbers[one.group] for one in known], [one.is_new(before) for one in known])
    looked = {(one.first, one.second): one for one in before.looked}
    connected, unread = Connected[str](), set[str]()
    for one in before.looked:
        if one.agrees:
            connected.join(one.first, one.second)
    for done in range(0, len(found), _AT_ONCE):
        report("comparing waveforms", done, len(found))
        batch = [(known[one.first], known[one.second], one) for one in found[done : done + _AT_ONCE]]
        batch = [(first, second, one) for first, second, one in batch if not connected.joins(first.key, second.key)]
        new = [one for one in batch if (one[0].key, one[1].key) not in looked]
        processes = processes_for(len(new), at_least=_WORTH_A_PROCESS)
        for one in map_in_processes(_look_at, new, processes, if_killed=_unread):
            if one.score == _UNREAD:
                unread |= {one.first, one.second}
            else:
                looked[one.first, one.second] = one
        if new:
            _write(folder, _Kept(before.compared, tuple(looked.values())))
        for pair in ((first.key, second.key) for first, second, _ in batch):
            if pair in looked and looked[pair].agrees:
                connected.join(*pair)
    report("comparing waveforms", len(found), len(found))
    # Those that could not be read are compared again the next time.
    compared = before.compared | {one.key: one.group for one in known if one.key not in unread}
    result = _Kept(compared, tuple(looked.values()))
    _write(folder, result)
    return result


def _look_at(pair: tuple[_Known, _Known, Candidate]) -> _Looked:
    """Compare the waveforms of a candidate."""
    first, second, one = pair
    start_s, offset_s = one.frame / FRAMES_PER_S, one.offset / FRAMES_PER_S
    try:
        score, offset_s = agreement(first.path, second.path, start_s, offset_s)
    except LabeltoolError:  # for example, its disk is away
        return _unread(pair)
    return _Looked(first.key, second.key, round(start_s, 3), round(offset_s, 4), round(score, 4))


def _unread(pair: tuple[_Known, _Known, Candidate]) -> _Looked:
    first, second, _ = pair
    return _Looked(first.key, second.key, 0.0, 0.0, _UNREAD)


def _read(folder: Path) -> _Kept:
    try:
        return msgspec.msgpack.decode(read_bytes(kept(folder / _FILE), MAX_TABLE_BYTES), type=_Kept)
    except (OSError, ValueError, RecursionError):  # none, damaged, or of others
        return _Kept()


def _write(folder: Path, content: _Kept) -> None:
    with writing_to(folder, "the cache"):
        make_folder(folder)
        write_bytes(folder / _FILE, msgspec.msgpack.encode(content))
