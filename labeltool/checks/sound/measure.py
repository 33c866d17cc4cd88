"""Measuring a sound file in one pass: the numbers behind `SoundValues`, whatever its length in bounded memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from labeltool.audio.completeness import Damage
from labeltool.audio.sound_reader import SoundReader
from labeltool.checks.sound.array_cache import Arrays
from labeltool.errors import LabeltoolError
from labeltool.type_aliases import Bools, Float32, Float64

BLOCK_S = 0.1
"""Duration of what has a level of its own."""

SILENT_DBFS = -200.0
"""Level of digital silence."""

BANDS = 128
"""Bands of a spectrum, of equal width, up to half the rate."""

_FFT = 2048
# Half of the spectra of a recording tell as much of its bandwidth as all of them.
_HOP = 2 * _FFT
# A band is empty below this density, in dB of a noise with it over all bands relative to full scale: rounding to 16
# bits leaves -101, the quietest microphones and preamplifiers some -85.
_EMPTY_DBFS = -93.0
# Of a recording that is so quiet as a whole, the bands that are this far below its loudest one are empty.
_EMPTY_BELOW_DB = 40.0
# A flat top is this many samples in a row, or more, that are equal but for two steps of 16 bits ...
_FLAT_SAMPLES = 3
_FLAT = 2.0 / 32768
# ... in the upper half of the amplitudes ...
_UPPER = 0.5
# ... which the sound comes to, or leaves, with a jump of more than this: a low tone has a flat crest without one ...
_JUMP = 8 * _FLAT
# ... and of more than this many of its own steps: sound of few bits has nothing but jumps.
_JUMP_STEPS = 1.5
# Neither a file of 16 bits nor the device's frontend has anything beyond full scale.
_FULL_SCALE = 1.0005


def measure(path: Path) -> Arrays:
    """Measure a file.

    Returns
    -------
    dict
        `single` (12,) float64: the numbers of `SoundValues` in its order; `levels` and `channel_levels` (n,) float32;
        `spectrum` (`BANDS`,) float32.

    Raises
    ------
    LabeltoolError
        When it cannot be opened, or nothing of it decoded.
    """
    with SoundReader(path) as reader:
        totals = _Totals(reader.rate_hz, reader.channels)
        damage = Damage.NONE
        try:
            for block in reader.all_channels(0, None):
                totals.not_finite += int(np.count_nonzero(~np.isfinite(block)))
                totals.add(np.nan_to_num(block, nan=0.0, posinf=1.0, neginf=-1.0))
        except LabeltoolError:
            if not totals.frames:
                raise
            damage = Damage.PARTS
        loss = reader.loss(totals.frames)
    values = totals.values()
    single = np.array([*values, loss.missing_s, damage or loss.damage, totals.not_finite], np.float64)
    mono, channels = (np.array(powers) / np.maximum(totals.block_frames, 1) for powers in totals.block_powers)
    return {
        "single": single,
        "levels": _dbfs(mono).astype(np.float32),
        "channel_levels": _dbfs(channels).astype(np.float32),
        "spectrum": _dbfs(totals.spectrum().mean(axis=1)).astype(np.float32),
    }


class _Totals:
    """Sums over a stream of decoded blocks.

    Attributes
    ----------
    frames
        Of all blocks so far.
    not_finite
        Samples of theirs that are NaN or infinite.
    block_frames : (n,) int64
        Frames in each `BLOCK_S`.
    block_powers : (2, n) float64
        Sums of squares in each: of the mono mix, and the mean of the channels'.
    """

    def __init__(self, rate_hz: int, channels: int) -> None:
        self._rate_hz, self._channels = rate_hz, channels
        self.frames = self.not_finite = 0
        self.block_frames = np.zeros(0, np.int64)
        self.block_powers = np.zeros((2, 0))
        self._sums = np.zeros(channels)
        self._peak = 0.0
        self._clipped = 0
        self._spectrum = np.zeros(_FFT // 2 + 1)
        self._spectra = 0

    def add(self, block: Float32) -> None:
        """Take the next frames, (frames, channels) float32."""
        self._add_powers(block)
        self._sums += block.sum(axis=0, dtype=np.float64)
        self._peak = max(self._peak, float(np.abs(block).max(initial=0.0)))
        self._clipped += sum(int(_clipped(channel).sum()) for channel in block.T)
        self._add_spectra(block)
        self.frames += len(block)

    def values(self) -> list[float]:
        """Return the first eight of `SoundValues`."""
        mono = float(self.block_powers[0].sum()) / max(1, self.block_frames.sum())
        means = self._sums / max(1, self.frames)
        dc = float(means[np.abs(means).argmax()])
        share = self._clipped / max(1, self.frames * self._channels)
        return [
            *(self.frames / self._rate_hz, self._rate_hz, self._channels, float(_dbfs(mono)), self._peak, dc),
            *(share, self._bandwidth_hz()),
        ]

    def _add_powers(self, block: Float32) -> None:
        places = (self.frames + np.arange(len(block))) * round(1 / BLOCK_S) // self._rate_hz
        first, grown = len(self.block_frames), int(places[-1]) + 1
        self.block_frames = np.pad(self.block_frames, (0, grown - first))
        self.block_powers = np.pad(self.block_powers, ((0, 0), (0, grown - first)))
        start = int(places[0])
        powers = np.square(block.mean(axis=1)), np.square(block).mean(axis=1)
        self.block_frames[start:] += np.bincount(places - start)
        for row, power in zip(self.block_powers, powers, strict=True):
            row[start:] += np.bincount(places - start, weights=power)

    def _add_spectra(self, block: Float32) -> None:
        if len(block) < _FFT:
            if self._spectra:
                return
            block = np.pad(block, ((0, _FFT - len(block)), (0, 0)))
        for channel in block.T:
            frames = np.lib.stride_tricks.sliding_window_view(channel, _FFT)[::_HOP]
            self._spectrum += np.square(np.abs(np.fft.rfft(frames * np.hanning(_FFT)))).sum(axis=0)
            self._spectra += len(frames)

    def spectrum(self) -> Float64:
        """Return the density of each bin of each band, (`BANDS`, bins): the power of a white noise that has it."""
        window = np.square(np.hanning(_FFT)).sum()
        density: Float64 = self._spectrum[1:] / max(1, self._spectra) / window
        return density.reshape(BANDS, -1)

    def _bandwidth_hz(self) -> float:
        """Return the upper edge of the highest band that is not empty; 0 where all are."""
        if not self._peak:
            return 0.0
        # The median of a band is that of its noise: a tone does not fill it.
        bands = _dbfs(np.median(self.spectrum(), axis=1))
        filled = np.flatnonzero(bands > min(_EMPTY_DBFS, float(bands.max()) - _EMPTY_BELOW_DB))
        return float(filled[-1] + 1) / len(bands) * self._rate_hz / 2


def _clipped(channel: Float32) -> Bools:
    """Return which samples of a channel, (frames,), are in a flat top or beyond full scale."""
    size = np.abs(channel)
    beyond: Bools = size > _FULL_SCALE
    upper = size >= _UPPER * size.max(initial=0.0)
    steps = np.abs(np.diff(channel))
    equal = (steps <= _FLAT) & upper[1:] & upper[:-1]
    edges = np.diff(np.concatenate([[False], equal, [False]]).astype(np.int8))
    firsts, lasts = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)  # samples, both included
    jumps = np.concatenate([[0.0], steps, [0.0]])
    jump = max(_JUMP, _JUMP_STEPS * float(steps.min(initial=1.0, where=steps > 0)))
    is_flat = (lasts - firsts + 1 >= _FLAT_SAMPLES) & (np.maximum(jumps[firsts], jumps[lasts + 1]) > jump)
    for first, last in zip(firsts[is_flat].tolist(), lasts[is_flat].tolist(), strict=True):
        beyond[first : last + 1] = True
    return beyond


def _dbfs(power: Any) -> Float64:
    """Return powers, full scale 1.0, in dB; digital silence has `SILENT_DBFS`."""
    return np.asarray(np.maximum(10.0 * np.log10(np.maximum(power, 1e-30)), SILENT_DBFS), np.float64)
