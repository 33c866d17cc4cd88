"""Nearly equal sound in recordings of different groups: candidates by common landmarks, confirmed by their waveforms.

A candidate is a pair of recordings with several landmarks in common at one distance in time (`sound/candidates.py`).
It is confirmed where the phases of the two waveforms agree (`sound/waveforms.py`): sounds that are only similar, or
that repeat themselves, have no phases in common. What was found is kept in the cache.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from labeltool.checks.sound.array_cache import ArrayCache, Arrays
from labeltool.checks.sound.candidates import Candidate, candidates
from labeltool.checks.sound.landmarks import FRAMES_PER_S, landmarks
from labeltool.checks.sound.waveforms import agreement
from labeltool.errors import LabeltoolError
from labeltool.parallel.engine import map_in_processes, processes_for
from labeltool.project import Project
from labeltool.records import Skipped
from labeltool.store import Store, recordings
from labeltool.store.groups import recording_groups
from labeltool.type_aliases import Progress
from labeltool.util.connected import Connected
from labeltool.util.files.atomic_write import write_bytes
from labeltool.util.files.bounded_read import MAX_TABLE_BYTES, read_bytes
from labeltool.util.files.no_links import make_folder
from labeltool.util.files.writable import kept

# Raised whenever landmarks, candidates or their confirmation are computed in another way.
_VERSION = 2
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


class _Kept(msgspec.Struct, frozen=True):
    """What is kept: the state of the project that `pairs` are of, and every candidate that was looked at."""

    state: str
    pairs: tuple[tuple[str, str], ...]
    looked: tuple[_Looked, ...]


def find_pairs(project: Project, store: Store, report: Progress) -> tuple[list[NearDuplicate], tuple[Skipped, ...]]:
    """Return pairs of recordings of different groups that have sound in common, and the files that cannot be read.

    Of recordings that are all connected by pairs there are only as many pairs as connect them. They are computed where
    recordings or groups have changed since the last time.

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
    found, skipped = cache.arrays(store, report, "fingerprinting")
    known = [_Known(one.id, one.path, one.samples_sha256 or sha256) for one, sha256 in recordings.all_recordings(store)]
    known = [one for one in known if one.id in found]
    groups = recording_groups(store)
    state = hashlib.sha256(repr([(one.key, groups[one.id]) for one in known]).encode()).hexdigest()
    kept_pairs = _read(folder)
    if kept_pairs.state != state:
        kept_pairs = _compared(known, [found[one.id] for one in known], groups, state, folder, report)
    ids = {one.key: one.id for one in known}
    looked = {(one.first, one.second): one for one in kept_pairs.looked}
    pairs = [_near_duplicate(looked[pair], ids) for pair in kept_pairs.pairs]
    return sorted(pairs, key=lambda one: -one.score), skipped


@dataclass(frozen=True, slots=True)
class _Known:
    """A recording that has landmarks: its id and path, and the key of its samples."""

    id: int
    path: str
    key: str


def _compared(
    known: Sequence[_Known],
    arrays: Sequence[Arrays],
    groups: Mapping[int, str],
    state: str,
    folder: Path,
    report: Progress,
) -> _Kept:
    """Look at the candidates, as far as they were not looked at before and are not connected already.

    What was looked at is written now and then: an interrupted run is gone on with.
    """
    report("comparing fingerprints", 0, 0)
    numbers = {name: number for number, name in enumerate(sorted(set(groups.values())))}
    found = candidates(arrays, [numbers[groups[one.id]] for one in known])
    looked = {(one.first, one.second): one for one in _read(folder).looked}
    connected: Connected[str] = Connected()
    pairs = []
    for done in range(0, len(found), _AT_ONCE):
        report("comparing waveforms", done, len(found))
        batch = [(known[one.first], known[one.second], one) for one in found[done : done + _AT_ONCE]]
        batch = [(first, second, one) for first, second, one in batch if not connected.joins(first.key, second.key)]
        new = [one for one in batch if (one[0].key, one[1].key) not in looked]
        processes = processes_for(len(new), at_least=_WORTH_A_PROCESS)
        for one in map_in_processes(_look_at, new, processes, if_killed=_unread):
            looked[one.first, one.second] = one
        if new:
            _write(folder, _to_keep("", (), looked))
        for first, second, _ in batch:
            if looked[first.key, second.key].score >= MIN_AGREEMENT and not connected.joins(first.key, second.key):
                connected.join(first.key, second.key)
                pairs.append((first.key, second.key))
    report("comparing waveforms", len(found), len(found))
    keys = {one.key for one in known}
    looked = {pair: one for pair, one in looked.items() if keys.issuperset(pair)}
    is_whole = all(one.score != _UNREAD for one in looked.values())
    result = _to_keep(state if is_whole else "", pairs, looked)  # else it is gone on with the next time
    _write(folder, result)
    return result


def _to_keep(state: str, pairs: Sequence[tuple[str, str]], looked: Mapping[tuple[str, str], _Looked]) -> _Kept:
    return _Kept(state, tuple(pairs), tuple(one for one in looked.values() if one.score != _UNREAD))


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


def _near_duplicate(one: _Looked, ids: Mapping[str, int]) -> NearDuplicate:
    return NearDuplicate(ids[one.first], ids[one.second], one.start_s, one.offset_s, one.score)


def _read(folder: Path) -> _Kept:
    try:
        return msgspec.msgpack.decode(read_bytes(kept(folder / _FILE), MAX_TABLE_BYTES), type=_Kept)
    except (OSError, ValueError, RecursionError):  # none, damaged, or of others
        return _Kept("", (), ())


def _write(folder: Path, content: _Kept) -> None:
    try:
        make_folder(folder)
        write_bytes(folder / _FILE, msgspec.msgpack.encode(content))
    except OSError as error:
        raise LabeltoolError(f"the cache cannot be written: {error.strerror}", file=folder) from error
