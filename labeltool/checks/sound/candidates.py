"""Pairs of recordings with landmarks in common, found through an index of all landmarks.

The index has 20 bytes a landmark, and some more while it is made. The recordings are looked up in it a block at a time,
so that memory does not grow with the number of pairs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from labeltool.checks.sound.array_cache import Arrays
from labeltool.type_aliases import Int32, Int64, UInt32

# This many landmarks at one distance make a candidate in a small project. By chance (ESC-10, folds 1 to 3) 5 of 100
# unrelated pairs have 2, and of each further one they have a tenth ...
_MIN_VOTES = 2
# ... so one more is asked for with ten times as many pairs: candidates by chance stay some 5,000.
_PAIRS_OF_MIN_VOTES, _TIMES_A_VOTE = 100_000, 10
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
    """Two recordings with landmarks in common.

    Attributes
    ----------
    first, second
        Places of the recordings in what `candidates` was given; the first is smaller.
    frame
        In the first, in the middle of the common landmarks.
    offset
        Frames from the first to the second.
    votes
        Number of common landmarks at this offset.
    """

    first: int
    second: int
    frame: int
    offset: int
    votes: int


def candidates(landmarks: Sequence[Arrays], groups: Sequence[int]) -> list[Candidate]:
    """Return the pairs of recordings of different groups that have landmarks in common, those with most first.

    Parameters
    ----------
    landmarks
        `hashes` and `frames` of each recording, as `landmarks.landmarks` returns them.
    groups
        A number for each recording's group.
    """
    counts = [len(arrays["hashes"]) for arrays in landmarks]
    if not sum(counts):
        return []
    hashes = np.concatenate([arrays["hashes"] for arrays in landmarks])
    frames = np.concatenate([arrays["frames"] for arrays in landmarks])
    owners = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    lengths = np.array([int(arrays["frames"][-1]) + 1 if len(arrays["frames"]) else 1 for arrays in landmarks])
    needed = _votes_needed(len(landmarks))
    pairs = _Pairs(hashes, frames, owners, np.asarray(groups, np.int64))
    found = [one for block in pairs.blocks() for one in _voted(block, lengths, needed)]
    found.sort(key=lambda one: (-one[3], one[:3]))
    return [_with_frame(landmarks, *one) for one in found]


class _Pairs:
    """All pairs of landmarks with one hash, of recordings of different groups."""

    def __init__(self, hashes: UInt32, frames: Int32, owners: Int32, groups: Int64) -> None:
        order = np.argsort(hashes, kind="stable")  # those of one hash stay in the order of their recordings
        self._owners, self._frames, self._groups = owners[order], frames[order], groups
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
        apart = self._groups[self._owners[left]] != self._groups[self._owners[right]]
        left, right = left[apart], right[apart]
        offset = self._frames[right].astype(np.int64) - self._frames[left]
        return self._owners[left].astype(np.int64), self._owners[right].astype(np.int64), offset


def _votes_needed(recordings: int) -> int:
    pairs = recordings * (recordings - 1) / 2
    return _MIN_VOTES + max(0, math.ceil(math.log(max(1.0, pairs / _PAIRS_OF_MIN_VOTES), _TIMES_A_VOTE)))


def _voted(block: tuple[Int64, Int64, Int64], lengths: Int64, min_votes: int) -> list[tuple[int, int, int, int]]:
    """Return first, second, offset and votes of the pairs that have more at one offset than chance gives."""
    first, second, offset = block
    key = ((first * len(lengths) + second) << _OFFSET_BITS) + offset + (1 << _OFFSET_BITS - 1)
    keys, counts = np.unique(key, return_counts=True)
    following = np.append(keys[1:] == keys[:-1] + 1, False)
    votes = counts + np.where(following, np.append(counts[1:], 0), 0)
    pair = keys >> _OFFSET_BITS
    begins = np.flatnonzero(np.diff(pair, prepend=-1))
    by_chance = np.add.reduceat(counts, begins) if len(begins) else counts
    one, two = pair[begins] // len(lengths), pair[begins] % len(lengths)
    by_chance = _STEP * by_chance / (lengths[one] + lengths[two])
    needed = np.maximum(min_votes, by_chance + _DEVIATIONS * np.sqrt(by_chance))
    most = np.maximum.reduceat(votes, begins) if len(begins) else votes
    found = []
    for place in np.flatnonzero(most >= needed).tolist():
        end = begins[place + 1] if place + 1 < len(begins) else len(keys)
        best = begins[place] + int(votes[begins[place] : end].argmax())
        at = int(keys[best] & (1 << _OFFSET_BITS) - 1) - (1 << _OFFSET_BITS - 1)
        found.append((int(one[place]), int(two[place]), at, int(most[place])))
    return found


def _with_frame(landmarks: Sequence[Arrays], first: int, second: int, offset: int, votes: int) -> Candidate:
    """Return a candidate with the middle of its common landmarks."""
    one, two = (landmarks[place] for place in (first, second))
    places = [(arrays["hashes"].astype(np.int64) << 32) + arrays["frames"] for arrays in (one, two)]
    common = np.isin(places[0] + offset, np.concatenate([places[1], places[1] - 1]))
    return Candidate(first, second, int(np.median(one["frames"][common])), offset, votes)
