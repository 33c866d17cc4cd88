"""Pairs of recordings with more spectral peaks in common than chance gives, at a distance in time by landmarks.

An index of all landmarks names pairs of recordings and distances at which they have some in common, of two sounds on
top of each other often a single one. For each of them all peaks are compared: of unrelated sounds few coincide.

The index has 20 bytes a landmark, and some more while it is made. The recordings are looked up in it a block at a time,
so that memory does not grow with the number of pairs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from labeltool.checks.sound.array_cache import Arrays
from labeltool.checks.sound.coincidences import Coincidences
from labeltool.type_aliases import Bools, Int32, Int64, UInt32

# Landmarks that two recordings need at one distance for their peaks to be compared there. By chance (ESC-10, folds 1 to
# 3) 100 unrelated pairs have 150 distances with one, 5 with two, a tenth with each further one: one more is asked for
# with 25 times as many pairs, and no more than some 3 million distances are looked at, each 15 us.
_PAIRS_OF_ONE_VOTE, _TIMES_A_VOTE = 2_000_000, 25
# Waveforms that are compared at most, some minutes of it, beside those of pairs that no chance brings together.
_MOST_BY_CHANCE, _NO_CHANCE = 5000, 1e-8
# Long recordings have more landmarks: they must exceed chance by this many standard deviations.
_DEVIATIONS = 7.0
# A hash that more recordings than this have is that of a hum, and tells nothing.
_MAX_SAME_HASH = 1000
# Frames that the distances of one pair's landmarks may differ by.
_STEP = 2
# 37 hours to each side.
_OFFSET_BITS = 24
# Matches that are counted at once: 80 bytes each, with what sorts them.
_AT_ONCE = 4_000_000


@dataclass(frozen=True, slots=True)
class Candidate:
    """Two recordings with peaks in common.

    Attributes
    ----------
    first, second
        Places of the recordings in what `candidates` was given; the first is smaller.
    frame
        In the first, in the middle of the common peaks.
    offset
        Frames from the first to the second.
    chance
        How likely other sounds have as many peaks in common there, if theirs were in any order.
    """

    first: int
    second: int
    frame: int
    offset: int
    chance: float


def candidates(
    landmarks: Sequence[Arrays], groups: Sequence[int], is_new: Sequence[bool] | None = None
) -> list[Candidate]:
    """Return the pairs of recordings of different groups that have peaks in common, the least likely by chance first.

    Those that chance may give are no more than `_MOST_BY_CHANCE`.

    Parameters
    ----------
    landmarks
        `hashes`, `frames` and `peaks` of each recording, as `landmarks.landmarks` returns them.
    groups
        A number for each recording's group.
    is_new
        Which recordings are compared with each other and with the rest; None: all.
    """
    counts = [len(arrays["hashes"]) for arrays in landmarks]
    if not sum(counts):
        return []
    hashes = np.concatenate([arrays["hashes"] for arrays in landmarks])
    frames = np.concatenate([arrays["frames"] for arrays in landmarks])
    owners = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    lengths = np.array([int(arrays["frames"][-1]) + 1 if len(arrays["frames"]) else 1 for arrays in landmarks])
    needed = _votes_needed(len(landmarks))
    new = np.ones(len(counts), bool) if is_new is None else np.asarray(is_new, bool)
    pairs = _Pairs(hashes, frames, owners, np.asarray(groups, np.int64), new)
    peaks = Coincidences([arrays["peaks"] for arrays in landmarks])
    found = [
        Candidate(*one) for block in pairs.blocks() for one in peaks.beyond_chance(*_voted(block, lengths, needed))
    ]
    found.sort(key=lambda one: (one.chance, one.first, one.second))
    return found[: max(_MOST_BY_CHANCE, sum(one.chance < _NO_CHANCE for one in found))]


class _Pairs:
    """All pairs of landmarks with one hash, of recordings of different groups."""

    def __init__(self, hashes: UInt32, frames: Int32, owners: Int32, groups: Int64, is_new: Bools) -> None:
        order = np.argsort(hashes, kind="stable")  # those of one hash stay in the order of their recordings
        self._owners, self._frames, self._groups, self._is_new = owners[order], frames[order], groups, is_new
        self._places = np.empty(len(order), np.int32)
        self._places[order] = np.arange(len(order), dtype=np.int32)
        ordered = hashes[order]
        del order
        ends = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]) + 1, len(ordered)).astype(np.int32)
        lengths = np.diff(ends, prepend=0).astype(np.int32)
        # Each landmark's partners are those behind it with the same hash.
        behind = np.arange(1, len(ordered) + 1, dtype=np.int32)
        self._partners = np.asarray(np.repeat(ends, lengths) - behind, np.int32)
        self._partners[np.repeat(lengths > _MAX_SAME_HASH, lengths)] = 0
        self._rows = np.searchsorted(owners, np.arange(len(groups) + 1))  # where each recording's landmarks begin

    def blocks(self) -> Iterator[tuple[Int64, Int64, Int64]]:
        """Yield first recording, second recording and offset of pairs, (pairs,) each; all of a first one at once."""
        totals = np.add.reduceat(
            np.append(self._partners[self._places].astype(np.int64), 0), np.minimum(self._rows[:-1], self._rows[-1])
        )
        totals[np.diff(self._rows) == 0] = 0
        block = np.cumsum(totals) // _AT_ONCE
        for number in np.unique(block):
            first, last = np.searchsorted(block, [number, number + 1])
            yield self._pairs_of(self._places[self._rows[first] : self._rows[last]])

    def _pairs_of(self, places: Int32) -> tuple[Int64, Int64, Int64]:
        counts = self._partners[places]
        left = np.repeat(places.astype(np.int64), counts)
        begins = np.cumsum(counts, dtype=np.int64) - counts
        right = left + 1 + np.arange(len(left)) - np.repeat(begins, counts)
        first, second = self._owners[left].astype(np.int64), self._owners[right].astype(np.int64)
        wanted = (self._groups[first] != self._groups[second]) & (self._is_new[first] | self._is_new[second])
        offset = self._frames[right[wanted]].astype(np.int64) - self._frames[left[wanted]]
        return first[wanted], second[wanted], offset


def _votes_needed(recordings: int) -> int:
    pairs = recordings * (recordings - 1) / 2
    return 1 + max(0, math.ceil(math.log(max(1.0, pairs / _PAIRS_OF_ONE_VOTE), _TIMES_A_VOTE)))


def _voted(block: tuple[Int64, Int64, Int64], lengths: Int64, min_votes: int) -> tuple[Int64, Int64, Int64]:
    """Return first, second and offset of pairs where they have more landmarks in common than chance gives."""
    first, second, offset = block
    key = ((first * len(lengths) + second) << _OFFSET_BITS) + offset + (1 << _OFFSET_BITS - 1)
    keys, counts = np.unique(key, return_counts=True)
    following = np.append(keys[1:] == keys[:-1] + 1, False)
    votes = counts + np.where(following, np.append(counts[1:], 0), 0)
    one, two = np.divmod(keys >> _OFFSET_BITS, len(lengths))
    begins = np.flatnonzero(np.diff(keys >> _OFFSET_BITS, prepend=-1))
    of_pair = np.diff(np.append(begins, len(keys)))
    by_chance = _STEP * np.repeat(np.add.reduceat(counts, begins), of_pair) / (lengths[one] + lengths[two])
    enough = votes >= np.maximum(min_votes, by_chance + _DEVIATIONS * np.sqrt(by_chance))
    return one[enough], two[enough], (keys[enough] & (1 << _OFFSET_BITS) - 1) - (1 << _OFFSET_BITS - 1)
