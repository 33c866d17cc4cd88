"""Training patches of plain samples, for networks that hear for themselves; changed as `augment` changes log-mels."""

from __future__ import annotations

import numpy as np

from labeltool.training.augment import PatchSampler
from labeltool.type_aliases import Float32, Float64, Int64

# Starts are weighed so far apart; a crop begins anywhere between two.
_GRID = 160
# Of the mel frames that `Augmentation.mask_frames` counts.
_FRAME_S = 0.02
_KNOTS = 6


class WaveSampler(PatchSampler):
    """`PatchSampler` for a frontend of the kind "pcm".

    Speed changes pitch too, as it does on tape; a frequency response is a smooth gain over the spectrum, and what is
    blanked is a stretch of time.
    """

    def _addable(self, frames: Float32) -> Float32:
        return frames

    def _weigh_starts(self, log_mel: Float32) -> Float64:
        starts = np.arange(0, len(log_mel) - self.frontend.patch_frames + 1, _GRID)
        return self._chances(10.0 * np.log10(self.frontend.mean_powers(log_mel, starts) + self.frontend.floor))

    def _starts(self, clips: Int64) -> Int64:
        places = super()._starts(clips) * _GRID + self._rng.integers(0, _GRID, len(clips))
        return np.asarray(np.minimum(places, self._length[clips] - self.frontend.patch_frames))

    def _crops(self, clips: Int64, starts: Int64) -> Float32:
        """Cut one crop from each clip, faster or slower: `(n, samples)`."""
        rng, span = self._rng, self.frontend.patch_frames
        last = self._length[clips] - 1
        speed = (1.0 + self.augmentation.stretch) ** rng.uniform(-1.0, 1.0, len(clips))
        places = starts[:, None] + (np.arange(span) - span / 2)[None, :] * speed[:, None] + span / 2
        places = np.clip(places, 0, last[:, None])
        low = np.minimum(places.astype(np.int64), np.maximum(last[:, None] - 1, 0))
        share = (places - low).astype(np.float32)
        rows = low + self._first[clips][:, None]
        samples = self._power[:, 0]
        return np.asarray(samples[rows] * (1 - share) + samples[np.minimum(rows + 1, len(samples) - 1)] * share)

    def _mixed(self, one: Float32, other: Float32, ratio: Float32) -> Float32:
        levels = [
            np.sqrt(np.maximum(np.square(crop).mean(axis=1), np.float32(self.frontend.floor))) for crop in (one, other)
        ]
        # As in `augment`, but amplitudes add here.
        target = levels[0] ** ratio * levels[1] ** (1 - ratio) / np.sqrt(np.square(ratio) + np.square(1 - ratio))
        gains = ratio * target / levels[0], (1 - ratio) * target / levels[1]
        return np.asarray(gains[0][:, None] * one + gains[1][:, None] * other, np.float32)

    def _recorded_elsewhere(self, power: Float32) -> Float32:
        rng, strength = self._rng, self.augmentation
        spectrum = np.fft.rfft(power)
        level = rng.uniform(-1.0, 1.0, (len(power), 1)) * strength.gain_db
        knots = rng.normal(0.0, strength.tilt_db, (len(power), _KNOTS))
        # Even steps of the mel scale, roughly: the knots lie closer together where it is low.
        places = np.linspace(0.0, 1.0, spectrum.shape[1]) ** 0.5 * (_KNOTS - 1)
        low = np.minimum(places.astype(np.int64), _KNOTS - 2)
        share = places - low
        curve = knots[:, low] * (1.0 - share) + knots[:, low + 1] * share
        heard = np.fft.irfft(spectrum * 10.0 ** ((level + curve) / 20.0), n=power.shape[1])
        return np.asarray(heard[:, None, :], np.float32)

    def _mask(self, patches: Float32) -> None:
        rng, strength = self._rng, self.augmentation
        widest = round(strength.mask_frames * _FRAME_S * self.frontend.sample_rate_hz)
        for place in np.flatnonzero(rng.random(len(patches)) < strength.mask_share):
            width = int(rng.integers(0, min(widest, patches.shape[2]) + 1))
            first = int(rng.integers(0, patches.shape[2] - width + 1))
            patches[place, :, first : first + width] = 0.0
