"""Training patches of embeddings, for networks over a pretrained model; drawn as `log_mel` draws log-mels."""

from __future__ import annotations

import numpy as np

from labeltool.training.augmentation.samplers import (
    Augmentation,
    MixtureSampler,
    SampledClips,
    start_probabilities,
    zero_frames,
)
from labeltool.type_aliases import Float32, Int64
from labeltool.util.lazy_frames import in_one_array


class EmbeddingSampler:
    """`PatchSampler` for an `EmbeddingFrontend`.

    Embeddings can be neither stretched nor shifted, and noise on them did not help (`benchmarks/NOTES.md`). Mixtures
    are of the activations themselves, as shares of their sum, in the ratio of the targets (mixup, Zhang et al. 2018);
    where a patch has several windows, some are set to zero, as silence would be.

    Parameters
    ----------
    clips
        The clips to draw from; the first column of their frames is the power, the others are the embedding.
    """

    def __init__(self, clips: SampledClips, augmentation: Augmentation, rng: np.random.Generator) -> None:
        self.clips, self._augmentation, self._rng = clips, augmentation, rng
        embeddings = in_one_array(clips.frames)[:, 1:]
        sums = np.maximum(np.abs(embeddings).sum(axis=1, keepdims=True), np.float32(1e-9))
        self._shares = np.asarray(embeddings / sums)
        self._mixtures = MixtureSampler(clips, start_probabilities(clips, augmentation, 1), augmentation, rng)

    def batch(self, n: int) -> tuple[Float32, Float32]:
        """Draw patches, as `PatchSampler` has it."""
        frontend, strength = self.clips.frontend, self._augmentation
        shares, targets = self._mixtures.draw(n, self._crops, _mix)
        patches = frontend.normalise(np.ascontiguousarray(shares.transpose(0, 2, 1)))
        # At least one window is left.
        zero_frames(patches, min(strength.mask_frames, frontend.patch_frames - 1), strength.mask_share, self._rng)
        return patches, targets

    def _crops(self, clips: Int64, starts: Int64) -> Float32:
        """Cut one crop from each clip: `(n, windows, width)`."""
        rows = (self._mixtures.first[clips] + starts)[:, None] + np.arange(self.clips.frontend.patch_frames)
        return np.asarray(self._shares[rows])


def _mix(one: Float32, other: Float32, ratio: Float32) -> Float32:
    return np.asarray(ratio[:, None, None] * one + (1 - ratio)[:, None, None] * other)
