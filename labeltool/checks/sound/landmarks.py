"""Landmarks of a recording: pairs of spectral peaks, which survive encoding, gain, cuts and other sounds on top.

References
----------
Wang 2003, "An industrial-strength audio search algorithm".
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from labeltool.audio import files
from labeltool.checks.sound.array_cache import Arrays
from labeltool.type_aliases import Float32, Int64

RATE_HZ = 16_000
"""Higher frequencies are the first that encoders and other sample rates change."""
HOP = 256
FRAMES_PER_S = RATE_HZ / HOP
BIN_BITS = 10
"""Of a peak as a number: its frame, and its bin in as many bits."""

_FFT = 1024
# Hours are read a part at a time; a frame's neighbours are read with it.
_PART_FRAMES = 2048
# A peak is the largest of its neighbourhood: 200 Hz and 0.18 s wide.
_BINS, _FRAMES = 6, 5
# Below 60 Hz there is hum and wind.
_LOWEST_BIN = 4
# A peak has twice the median power of its bin, and is above the noise of 16 bits (20 dB).
_PROMINENCE, _FLOOR = 0.3, -5.5
# The most prominent ones of each second in each of some bands of equal width in octaves: what sounds louder in one band
# leaves the peaks of the others. Of 398 copies mixed under other sound (ESC-10, folds 1 to 3) 40 peaks of all bands
# together leave 16 without two landmarks in common, 80 in 8 bands 6, 120 in 8 bands 4.
_BANDS, _PEAKS_PER_S = 8, 80
# Each peak is paired with the next ones that are at least 2 frames later, at most 0.8 s and 1.5 kHz away.
_PAIRS = 5
_MIN_FRAMES, _MAX_FRAMES, _MAX_BINS = 2, 48, 96
_MAX_TRIED = 40


def landmarks(path: Path) -> Arrays:
    """Return a file's landmarks, `hashes` (n,) uint32 and `frames` (n,) int32, and all its `peaks` (m,) int64.

    Both are in the order of the frames. A hash is of the peak's bin, and of the distance to the other peak in bins and
    frames.

    Raises
    ------
    LabeltoolError
        When the file cannot be read.
    """
    count = max(1, int(files.duration_s(path) * FRAMES_PER_S))
    parts = [_peaks_of_part(path, first) for first in range(0, count, _PART_FRAMES)]
    frames, bins = (np.concatenate(column) for column in zip(*parts, strict=True))
    first, other = _pairs(frames, bins)
    steps = bins[other] - bins[first] + _MAX_BINS
    hashes = (bins[first] * (2 * _MAX_BINS + 1) + steps) * (_MAX_FRAMES + 1) + frames[other] - frames[first]
    peaks = (frames << BIN_BITS) + bins
    return {"hashes": hashes.astype(np.uint32), "frames": frames[first].astype(np.int32), "peaks": peaks}


def _peaks_of_part(path: Path, first: int) -> tuple[Int64, Int64]:
    """Return the frames and the bins of the peaks from a frame on."""
    before = min(first, _FRAMES)
    start_s = (first - before) * HOP / RATE_HZ
    end_s = (first + _PART_FRAMES + _FRAMES) * HOP / RATE_HZ
    pcm = files.read_pcm(path, start_s, min(end_s, files.duration_s(path)), RATE_HZ)
    frames, bins = _peaks(_log_spectra(pcm.astype(np.float32) / 32768.0))
    inside = (frames >= before) & (frames < before + _PART_FRAMES)
    return frames[inside] + (first - before), bins[inside]


def _log_spectra(samples: Float32) -> Float32:
    """Return log10 of the power spectra of frames that are centred at multiples of `HOP`, (frames, bins)."""
    padded = np.pad(samples, (_FFT // 2, _FFT // 2))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[::HOP]
    spectra = np.fft.rfft(frames * np.hanning(_FFT).astype(np.float32), axis=1)
    return np.asarray(np.log10(np.square(np.abs(spectra)) + 1e-10), np.float32)


def _peaks(spectra: Float32) -> tuple[Int64, Int64]:
    """Return the frames and the bins of the most prominent peaks, in the order of frames, then bins."""
    from scipy.ndimage import maximum_filter  # 0.3 s that other commands need not pay

    prominence = spectra - np.median(spectra, axis=0)
    largest = maximum_filter(prominence, (2 * _FRAMES + 1, 2 * _BINS + 1), mode="constant", cval=-np.inf)
    is_peak = (prominence == largest) & (prominence > _PROMINENCE) & (spectra > _FLOOR)
    is_peak[:, :_LOWEST_BIN] = False
    frames, bins = np.nonzero(is_peak)
    octaves = np.log2(np.arange(_LOWEST_BIN, _FFT // 2 + 1) / _LOWEST_BIN)
    bands = (octaves / octaves[-1] * _BANDS).astype(np.int64)[bins - _LOWEST_BIN]
    places = (frames / FRAMES_PER_S).astype(np.int64) * (_BANDS + 1) + bands  # the last bin has a band of its own
    order = np.lexsort((-prominence[frames, bins], places))
    rank = np.arange(len(order)) - np.searchsorted(places[order], places[order])
    chosen = np.sort(order[rank < _PEAKS_PER_S // _BANDS])
    return frames[chosen].astype(np.int64), bins[chosen].astype(np.int64)


def _pairs(frames: Int64, bins: Int64) -> tuple[Int64, Int64]:
    """Return the indices of the peaks that are paired: each with the next `_PAIRS` that are near enough."""
    firsts, others = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for step in range(1, min(_MAX_TRIED, len(frames))):
        later, higher = frames[step:] - frames[:-step], np.abs(bins[step:] - bins[:-step])
        near = np.flatnonzero((later >= _MIN_FRAMES) & (later <= _MAX_FRAMES) & (higher <= _MAX_BINS))
        firsts.append(near)
        others.append(near + step)
    first, other = np.concatenate(firsts), np.concatenate(others)
    order = np.lexsort((other, first))
    first, other = first[order], other[order]
    kept = np.arange(len(first)) - np.searchsorted(first, first) < _PAIRS
    return first[kept], other[kept]
