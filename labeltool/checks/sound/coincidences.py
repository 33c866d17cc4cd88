"""Whether the spectral peaks of two recordings coincide at a distance in time more often than those of other sounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from labeltool.checks.sound.landmarks import BIN_BITS
from labeltool.type_aliases import Bools, Float64, Int64

# What is less likely for other sounds whose peaks are in the same frames and bins, in any order. Of 400 copies mixed
# under other sound (ESC-10, folds 1 to 3) the weakest has 3e-5. Of 43,000 distances of 240 recordings with landmarks in
# common 800 are below this, for peaks have some order: as many waveforms are compared within seconds.
_CHANCE = 1e-3
# A frame is below these bits of a number, its recording above them.
_FRAME_BITS = 40
# The bins of a recording's peaks, as if it had them in the neighbouring ones too.
_SMOOTHED_BINS = 25
# Peaks that are compared at once, 60 bytes each.
_AT_ONCE = 1_000_000


class Coincidences:
    """The peaks of all recordings, (n,) int64 each, as `landmarks.landmarks` returns them."""

    def __init__(self, peaks: Sequence[Int64]) -> None:
        self._peaks = np.concatenate([one + (place << _FRAME_BITS) for place, one in enumerate(peaks)])

    def beyond_chance(self, first: Int64, second: Int64, offset: Int64) -> Iterator[tuple[int, int, int, int, float]]:
        """Yield the pairs, each once, whose peaks coincide by more than chance at one of the offsets.

        Parameters
        ----------
        first, second, offset : (n,) int64
            Places of two recordings, and frames from the first to the second; those of one pair in a row.

        Yields
        ------
        first, second, frame, offset, chance
            As in `candidates.Candidate`.
        """
        for here in _runs(first):
            one = _Table(self._of(int(first[here[0]])))
            chance = _chance(*self._counts(one, second[here], offset[here]))
            for of_pair in _runs(second[here]):
                best = of_pair[chance[of_pair].argmin()]
                if chance[best] < _CHANCE:
                    other, at = int(second[here[best]]), int(offset[here[best]])
                    middle = one.middle(self._of(other) - (at << BIN_BITS))
                    yield int(first[here[0]]), other, middle, at, float(chance[best])

    def _of(self, place: int) -> Int64:
        """Return the peaks of a recording."""
        begin, end = np.searchsorted(self._peaks, [place << _FRAME_BITS, place + 1 << _FRAME_BITS])
        return self._peaks[begin:end] - (place << _FRAME_BITS)

    def _counts(self, one: _Table, second: Int64, offset: Int64) -> tuple[Float64, Float64]:
        """Return how many peaks coincide with those of others at offsets, and how many would by chance."""
        ends = [np.maximum(0, offset + frame) << BIN_BITS for frame in (0, one.frames)]
        begin, end = (np.searchsorted(self._peaks, (second << _FRAME_BITS) + at) for at in ends)
        moved = (second << _FRAME_BITS) + (offset << BIN_BITS)
        counts = np.zeros((2, len(second)))
        for part in np.array_split(np.arange(len(second)), 1 + int((end - begin).sum()) // _AT_ONCE):
            sizes = end[part] - begin[part]
            which = np.repeat(part, sizes)
            places = np.arange(len(which)) + np.repeat(begin[part] - (np.cumsum(sizes) - sizes), sizes)
            peaks = self._peaks[places] - moved[which]
            for row, values in zip(counts, (one.has(peaks), one.chance(peaks)), strict=True):
                row += np.bincount(which, values, len(second))
        return counts[0], counts[1]


class _Table:
    """A recording's peaks, each in its frame and in the next: distances by landmarks may differ by one."""

    def __init__(self, peaks: Int64) -> None:
        from scipy.ndimage import uniform_filter1d  # 0.3 s that other commands need not pay

        self._peaks = np.union1d(peaks, peaks + (1 << BIN_BITS))
        self._in_frame = np.bincount(self._peaks >> BIN_BITS)
        self.frames = len(self._in_frame)
        in_bin = np.bincount(peaks & _BIN, minlength=1 << BIN_BITS) / len(peaks)
        self._share = uniform_filter1d(in_bin, _SMOOTHED_BINS, mode="constant")

    def has(self, peaks: Int64) -> Bools:
        """Return which of some peaks it has."""
        places = np.searchsorted(self._peaks, peaks)
        return np.asarray(self._peaks[np.minimum(places, len(self._peaks) - 1)] == peaks)

    def chance(self, peaks: Int64) -> Float64:
        """Return how likely it has each of some peaks in its frames, were its own in any order."""
        return np.asarray(self._in_frame[peaks >> BIN_BITS] * self._share[peaks & _BIN])

    def middle(self, peaks: Int64) -> int:
        """Return the frame in the middle of the peaks that it has of some."""
        return int(np.median(peaks[self.has(peaks)] >> BIN_BITS))


_BIN = (1 << BIN_BITS) - 1


def _runs(values: Int64) -> list[Int64]:
    """Return the places of equal neighbours."""
    return np.split(np.arange(len(values)), np.flatnonzero(np.diff(values)) + 1) if len(values) else []


def _chance(common: Float64, expected: Float64) -> Float64:
    """Return how likely as many are in common, or more, where some are expected (Poisson)."""
    from scipy.special import gammainc  # as above

    return np.where(common > 0, gammainc(np.maximum(common, 1), expected), 1.0)
