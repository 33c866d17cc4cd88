"""Training patches of log-mels: cropped, stretched, shifted, mixed and masked, all on mel powers.

Powers add as the sounds would.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labeltool.audio.frontend import LogMelFrontend
from labeltool.training.augmentation.samplers import (
    RESPONSE_KNOTS,
    Augmentation,
    MixtureSampler,
    SampledClips,
    cumulative_probabilities,
    random_responses_db,
)
from labeltool.type_aliases import Float32, Float64, Int64
from labeltool.util.lazy_frames import LazySequence, frame_counts

# Where all clips have more frames than this (64 MB), and few each, how likely each frame begins a crop is computed when
# a clip is drawn. Of a long clip that takes longer than a training step.
_MOST_KEPT, _SHORT = 8_000_000, 1_000


class LogMelSampler:
    """`PatchSampler` for a `LogMelFrontend`."""

    def __init__(self, clips: SampledClips, augmentation: Augmentation, rng: np.random.Generator) -> None:
        if not isinstance(clips.frontend, LogMelFrontend):
            raise TypeError("other frontends have samplers of their own")
        self.clips, self._frontend, self._augmentation, self._rng = clips, clips.frontend, augmentation, rng
        self._mixtures = MixtureSampler(clips, self._probabilities(), augmentation, rng)

    def batch(self, n: int) -> tuple[Float32, Float32]:
        """Draw patches, as `PatchSampler` has it."""
        frontend = self._frontend
        power, targets = self._mixtures.draw(n, self._crops, self._mix)
        places = np.linspace(0.0, RESPONSE_KNOTS - 1, frontend.n_features)
        gains = 10.0 ** (random_responses_db(n, places, self._augmentation, self._rng) / 10.0)
        power *= np.asarray(gains, dtype=np.float32)[:, None, :]
        patches = frontend.normalise(np.ascontiguousarray(frontend.log_of_power(power).transpose(0, 2, 1)))
        self._mask(patches)
        return patches, targets

    def _probabilities(self) -> Sequence[Float64]:
        """Return `_start_probabilities` of each clip."""
        counts = frame_counts(self.clips.frames)
        made = LazySequence(self._start_probabilities, self.clips.frames)
        return made if counts.sum() > _MOST_KEPT and counts.mean() < _SHORT else [*made]

    def _start_probabilities(self, log_mel: Float32) -> Float64:
        sums = np.concatenate([[0.0], np.cumsum(log_mel.mean(axis=1, dtype=np.float64))])
        duration = self._frontend.patch_frames
        loudness_db = (sums[duration:] - sums[:-duration]) / duration * self._frontend.scale_db
        return cumulative_probabilities(loudness_db, self._augmentation)

    def _crops(self, clips: Int64, starts: Int64) -> Float32:
        """Cut one crop from each clip, stretched and shifted: `(n, frames, mels)` mel powers."""
        rng, strength, frontend = self._rng, self._augmentation, self._frontend
        n, duration = len(clips), frontend.patch_frames
        speed = (1.0 + strength.stretch) ** rng.uniform(-1.0, 1.0, n)
        steps = (np.arange(duration) - duration / 2)[None, :] * speed[:, None] + duration / 2
        last = self._mixtures.length[clips][:, None] - 1
        frames = np.clip(np.rint(starts[:, None] + steps).astype(np.int64), 0, last)
        shift = rng.integers(-strength.shift_bands, strength.shift_bands + 1, n)
        bands = np.clip(np.arange(frontend.n_features)[None, :] + shift[:, None], 0, frontend.n_features - 1)
        crops = np.empty((n, duration, frontend.n_features), np.float32)
        # Clip by clip, from the cache's files: the powers of all clips would be as large as it is.
        for crop, clip, rows, columns in zip(crops, clips, frames, bands, strict=True):
            crop[:] = self.clips.frames[clip][rows].take(columns, axis=1)
        return frontend.power_of_log(crops)

    def _mix(self, one: Float32, other: Float32, ratio: Float32) -> Float32:
        """Mix crops `(n, frames, mels)`, with `ratio` as the first one's share of the perceived amplitude.

        Both are brought to one level first, then the mixture to a level between theirs (Tokozume et al., section 3.2).
        """
        # A crop below the frontend's floor is silence: brought to the other's level it would be noise.
        floor = np.float32(self._frontend.floor)
        levels = [np.maximum(crop.mean(axis=(1, 2), dtype=np.float32), floor) for crop in (one, other)]
        share, rest = np.square(ratio), np.square(1 - ratio)
        target = levels[0] ** ratio * levels[1] ** (1 - ratio) / (share + rest)
        gain_one, gain_other = share * target / levels[0], rest * target / levels[1]
        return np.asarray(gain_one[:, None, None] * one + gain_other[:, None, None] * other, np.float32)

    def _mask(self, patches: Float32) -> None:
        """Blank a band and a stretch of frames in some patches, with the patch's mean."""
        strength, rng = self._augmentation, self._rng
        for place in np.flatnonzero(rng.random(len(patches)) < strength.mask_share):
            _blank(patches[place], strength.mask_bands, rng)
            _blank(patches[place].T, strength.mask_frames, rng)


def _blank(patch: Float32, widest: int, rng: np.random.Generator) -> None:
    width = int(rng.integers(0, widest + 1))
    first = int(rng.integers(0, len(patch) - width + 1))
    patch[first : first + width] = patch.mean()
