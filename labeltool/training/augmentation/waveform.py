"""Training patches of plain samples, for networks without a frontend; changed as `log_mel` changes log-mels."""

from __future__ import annotations

import numpy as np

from labeltool.training.augmentation.samplers import (
    RESPONSE_KNOTS,
    Augmentation,
    MixtureSampler,
    SampledClips,
    random_responses_db,
    start_probabilities,
    zero_frames,
)
from labeltool.type_aliases import Float32, Int64
from labeltool.util.lazy_frames import in_one_array

# Samples between two starts whose loudness is computed; a crop begins anywhere between them.
_START_STEP = 160
# Seconds of the mel frames that `Augmentation.mask_frames` counts.
_FRAME_S = 0.02


class WaveformSampler:
    """`PatchSampler` for a `SampleFrontend`.

    Speed changes pitch too, as it does on tape; a frequency response is a smooth gain over the spectrum, and a stretch
    of time is blanked.
    """

    def __init__(self, clips: SampledClips, augmentation: Augmentation, rng: np.random.Generator) -> None:
        self.clips, self._augmentation, self._rng = clips, augmentation, rng
        self._samples = in_one_array(clips.frames)[:, 0]
        probabilities = start_probabilities(clips, augmentation, _START_STEP)
        self._mixtures = MixtureSampler(clips, probabilities, augmentation, rng, start_step=_START_STEP)

    def batch(self, n: int) -> tuple[Float32, Float32]:
        """Draw patches, as `PatchSampler` has it."""
        frontend, strength = self.clips.frontend, self._augmentation
        samples, targets = self._mixtures.draw(n, self._crops, self._mix)
        patches = frontend.normalise(self._filter(samples)[:, None, :])
        longest = round(strength.mask_frames * _FRAME_S * frontend.sample_rate_hz)
        zero_frames(patches, min(longest, patches.shape[2]), strength.mask_share, self._rng)
        return patches, targets

    def _crops(self, clips: Int64, starts: Int64) -> Float32:
        """Cut one crop from each clip, faster or slower: `(n, samples)`."""
        rng, duration = self._rng, self.clips.frontend.patch_frames
        last = self._mixtures.length[clips] - 1
        speed = (1.0 + self._augmentation.stretch) ** rng.uniform(-1.0, 1.0, len(clips))
        places = starts[:, None] + (np.arange(duration) - duration / 2)[None, :] * speed[:, None] + duration / 2
        places = np.clip(places, 0, last[:, None])
        low = np.minimum(places.astype(np.int64), np.maximum(last[:, None] - 1, 0))
        share = (places - low).astype(np.float32)
        rows, samples = low + self._mixtures.first[clips][:, None], self._samples
        return np.asarray(samples[rows] * (1 - share) + samples[np.minimum(rows + 1, len(samples) - 1)] * share)

    def _mix(self, one: Float32, other: Float32, ratio: Float32) -> Float32:
        """Mix crops `(n, samples)` as `LogMelSampler` does, but amplitudes add."""
        floor = np.float32(self.clips.frontend.floor)
        levels = [np.sqrt(np.maximum(np.square(crop).mean(axis=1), floor)) for crop in (one, other)]
        target = levels[0] ** ratio * levels[1] ** (1 - ratio) / np.sqrt(np.square(ratio) + np.square(1 - ratio))
        gains = ratio * target / levels[0], (1 - ratio) * target / levels[1]
        return np.asarray(gains[0][:, None] * one + gains[1][:, None] * other, np.float32)

    def _filter(self, samples: Float32) -> Float32:
        """Change the level and the frequency response of crops, `(n, samples)`."""
        spectrum = np.fft.rfft(samples)
        # Roughly even steps of the mel scale: the knots lie closer together at low frequencies.
        places = np.linspace(0.0, 1.0, spectrum.shape[1]) ** 0.5 * (RESPONSE_KNOTS - 1)
        gains_db = random_responses_db(len(samples), places, self._augmentation, self._rng)
        return np.asarray(np.fft.irfft(spectrum * 10.0 ** (gains_db / 20.0), n=samples.shape[1]), np.float32)
