"""Training patches of embeddings, for networks that hear by a borrowed ear; drawn as `augment` draws log-mels."""

from __future__ import annotations

import numpy as np

from labeltool.training.augment import PatchSampler
from labeltool.type_aliases import Float32, Float64, Int64


class EmbeddingSampler(PatchSampler):
    """`PatchSampler` for a frontend of the kind "embedding".

    What another has heard can be neither stretched nor shifted, and noise on it taught nothing (`benchmarks/NOTES.md`).
    What is mixed are the activations themselves, as shares of their sum, in the proportion that is taught (mixup, Zhang
    et al. 2018); where a patch has several windows, some are blanked as if there had been silence.
    """

    def _addable(self, frames: Float32) -> Float32:
        heard = frames[:, 1:]
        return np.asarray(heard / np.maximum(np.abs(heard).sum(axis=1, keepdims=True), np.float32(1e-9)))

    def _weigh_starts(self, log_mel: Float32) -> Float64:
        starts = np.arange(len(log_mel) - self.frontend.patch_frames + 1)
        return self._chances(10.0 * np.log10(self.frontend.mean_powers(log_mel, starts) + self.frontend.floor))

    def _crops(self, clips: Int64, starts: Int64) -> Float32:
        """Cut one crop from each clip: `(n, windows, width)`."""
        rows = (self._first[clips] + starts)[:, None] + np.arange(self.frontend.patch_frames)
        return np.asarray(self._power[rows])

    def _mixed(self, one: Float32, other: Float32, ratio: Float32) -> Float32:
        return np.asarray(ratio[:, None, None] * one + (1 - ratio)[:, None, None] * other)

    def _recorded_elsewhere(self, power: Float32) -> Float32:
        return np.ascontiguousarray(power.transpose(0, 2, 1))

    def _mask(self, patches: Float32) -> None:
        rng, strength, windows = self._rng, self.augmentation, self.frontend.patch_frames
        for place in np.flatnonzero(rng.random(len(patches)) < strength.mask_share):
            # At least one is left.
            width = int(rng.integers(0, min(strength.mask_frames, windows - 1) + 1))
            first = int(rng.integers(0, windows - width + 1))
            patches[place, :, first : first + width] = 0.0
