"""What the samplers of training patches share: drawing clips, crops and mixtures, and the strength of augmentation.

Mixing clips of different labels, with targets in the mixing ratio, lets a network learn from a few hundred clips
(Tokozume, Ushiku and Harada 2018, "Learning from between-class examples"). Crops are drawn where the clip is loud, with
the weights that `postprocessing` gives patches: a silent second of a clip labelled "dog" is not a dog.

There is one sampler for each kind of frontend: `log_mel`, `waveform` and `embedding`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from labeltool.audio.frontend import Frontend, mean_powers
from labeltool.networks.heads import Head, mixture_targets
from labeltool.training.unlabelled.distillation import DistillationTargets
from labeltool.type_aliases import Float32, Float64, Int64
from labeltool.util.lazy_frames import frame_counts

# Least share of a mixture's amplitude under a sigmoid: a label must be audible to be a target.
_AUDIBLE_SHARE = np.float32(0.2)
# Points of a random frequency response; it is linear in decibels between them.
RESPONSE_KNOTS = 6


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Strength of the augmentation; all zero for none.

    Attributes
    ----------
    mix_share
        Share of the patches that are mixtures of two crops.
    same_label_share
        Share of the mixtures whose crops have the same label.
    gain_db
        Largest change of the level either way, in decibels (it moves the sound against the frontend's floor).
    stretch
        Speed: a factor of up to `1 + stretch` either way.
    shift_bands
        Pitch: largest shift either way, in mel bands.
    tilt_db
        Standard deviation of a random frequency response, smooth over the bands, in decibels (another microphone, a
        wall).
    mask_share, mask_bands, mask_frames
        Share of the patches with a band and a stretch of frames blanked (SpecAugment, Park et al. 2019), and the
        largest width of each.
    loudness_exponent
        Crops are drawn in proportion to `10 ** (exponent * loudness_db / 10)`.
    uniform_share
        Share of the crops that are drawn anywhere in the clip.
    """

    mix_share: float = 0.8
    same_label_share: float = 0.25
    gain_db: float = 8.0
    stretch: float = 0.2
    shift_bands: int = 3
    tilt_db: float = 6.0
    mask_share: float = 0.3
    mask_bands: int = 8
    mask_frames: int = 10
    loudness_exponent: float = 1.0
    uniform_share: float = 0.1


@dataclass(frozen=True, slots=True)
class SampledClips:
    """The clips that patches are drawn from.

    Attributes
    ----------
    frames : (frames, columns) float32 each
        One array a clip, of `frontend.patch_frames` frames or more: log-mels, samples or embeddings.
    targets : (clips, columns) float32
        As `heads.stack_targets` returns them; no row may be all zero unless its weight is.
    head
        Targets of a mixture: under a softmax those of both clips in the mixing ratio, under a sigmoid all of both.
    weights : (clips,) float64, optional
        How often a clip is drawn beside the balance of labels; a clip of weight zero never is. Default: all alike.
    distillation_targets
        Of the same clips; a batch has them in columns after those of `targets`. Those of a mixture are the mixture of
        both, in the mixing ratio.

    Raises
    ------
    ValueError
        When a clip is shorter than a patch.
    """

    frontend: Frontend
    frames: Sequence[Float32]
    targets: Float32
    head: Head = "softmax"
    weights: Float64 | None = None
    distillation_targets: DistillationTargets | None = None

    def __post_init__(self) -> None:
        if frame_counts(self.frames).min() < self.frontend.patch_frames:
            raise ValueError("a clip is shorter than a patch")

    @property
    def distillation_width(self) -> int:
        """Number of distillation targets of a patch; 0 without them."""
        return 0 if self.distillation_targets is None else self.distillation_targets.width

    def targets_of(self, clips: Int64, starts: Int64) -> Float32:
        """Return the targets of crops, `(n, columns)`, given the clip and the first frame of each."""
        targets = self.targets[clips]
        if self.distillation_targets is None:
            return targets
        frontend = self.frontend
        middle_s = (starts * frontend.hop + frontend.patch_samples / 2) / frontend.sample_rate_hz
        return np.concatenate([targets, self.distillation_targets.at(clips, middle_s)], axis=1)


class PatchSampler(Protocol):
    """An endless source of augmented training patches, the same for the same seed."""

    @property
    def clips(self) -> SampledClips:
        """The clips that are drawn from."""

    def batch(self, n: int) -> tuple[Float32, Float32]:
        """Draw patches.

        Returns
        -------
        patches : (n, n_mels, patch_frames) float32
            Normalised.
        targets : (n, columns) float32
            The columns of the clips' targets, then of their distillation targets.
        """


class MixtureSampler:
    """Draws clips, crops of them and mixtures of crops, by the caller's functions that cut and mix.

    Parameters
    ----------
    start_probabilities : (starts,) float64 each
        For each clip the cumulative probability of each start of a crop (`cumulative_probabilities`).
    rng
        Source of all randomness: same seed, same patches.
    start_step
        Frames between two starts; a crop begins anywhere between them.

    Attributes
    ----------
    first, length : (clips,) int64
        First frame of each clip among the frames of all, and the clip's number of frames.
    """

    def __init__(
        self,
        clips: SampledClips,
        start_probabilities: Sequence[Float64],
        augmentation: Augmentation,
        rng: np.random.Generator,
        *,
        start_step: int = 1,
    ) -> None:
        self._clips, self._augmentation, self._rng = clips, augmentation, rng
        self._start_probabilities, self._start_step = start_probabilities, start_step
        self.length = frame_counts(clips.frames)
        self.first = np.concatenate([[0], np.cumsum(self.length)[:-1]])
        weights = np.ones(len(clips.targets)) if clips.weights is None else clips.weights
        self._clip_probabilities = _balanced(clips.targets, weights)
        self._main_label = clips.targets.argmax(axis=1)
        drawn = weights > 0
        self._same_label = {
            int(label): np.flatnonzero(drawn & (self._main_label == label))
            for label in np.unique(self._main_label[drawn])
        }
        self._queue: list[int] = []

    def draw(
        self, n: int, crops_of: Callable[[Int64, Int64], Float32], mix: Callable[[Float32, Float32, Float32], Float32]
    ) -> tuple[Float32, Float32]:
        """Draw crops, a share of them mixed with a second one.

        Parameters
        ----------
        crops_of
            Clips and first frames, `(n,)` int64 each, to crops, `(n, ...)` float32.
        mix
            Two crops and the first one's share of the amplitude, `(n,)` float32, to their mixtures.

        Returns
        -------
        crops : (n, ...) float32
        targets : (n, columns) float32
        """
        rng, clips = self._rng, self._clips
        drawn = self._next_clips(n)
        starts = self._starts(drawn)
        crops, targets = crops_of(drawn, starts), clips.targets_of(drawn, starts)
        mixed = np.flatnonzero(rng.random(n) < self._augmentation.mix_share)
        if len(mixed):
            partners = self._partners(drawn[mixed])
            ratio = rng.random(len(mixed), dtype=np.float32)
            if clips.head == "sigmoid":
                ratio = _AUDIBLE_SHARE + (1 - 2 * _AUDIBLE_SHARE) * ratio
            starts = self._starts(partners)
            crops[mixed] = mix(crops[mixed], crops_of(partners, starts), ratio)
            one, other = targets[mixed], clips.targets_of(partners, starts)
            targets[mixed] = ratio[:, None] * one + (1 - ratio[:, None]) * other
            if clips.head == "sigmoid":
                columns = clips.targets.shape[1]
                targets[mixed, :columns] = mixture_targets(one[:, :columns], other[:, :columns])
        return crops, targets

    def _next_clips(self, n: int) -> Int64:
        """Draw clips in rounds: each round every clip as often as its probability asks, in random order."""
        while len(self._queue) < n:
            expected = self._clip_probabilities * len(self._clip_probabilities)
            counts = np.floor(expected + self._rng.random(len(expected))).astype(np.int64)
            self._queue.extend(self._rng.permutation(np.repeat(np.arange(len(counts)), counts)).tolist())
        drawn, self._queue = self._queue[:n], self._queue[n:]
        return np.array(drawn, dtype=np.int64)

    def _partners(self, clips: Int64) -> Int64:
        """Draw the clip that each of these is mixed with."""
        partners = self._rng.choice(len(self._clip_probabilities), len(clips), p=self._clip_probabilities)
        for place in np.flatnonzero(self._rng.random(len(clips)) < self._augmentation.same_label_share):
            partners[place] = self._rng.choice(self._same_label[int(self._main_label[clips[place]])])
        return partners

    def _starts(self, clips: Int64) -> Int64:
        """Draw the first frame of a crop of each clip."""
        chances = self._rng.random(len(clips))
        drawn = [
            min(int(np.searchsorted(chances_of_clip, chance)), len(chances_of_clip) - 1)
            for clip, chance in zip(clips, chances, strict=True)
            for chances_of_clip in [self._start_probabilities[clip]]
        ]
        starts = np.array(drawn, dtype=np.int64)
        if self._start_step == 1:
            return starts
        starts = starts * self._start_step + self._rng.integers(0, self._start_step, len(clips))
        return np.asarray(np.minimum(starts, self.length[clips] - self._clips.frontend.patch_frames))


def cumulative_probabilities(loudness_db: Float64, augmentation: Augmentation) -> Float64:
    """Return the cumulative probability of each start of a crop, given the crops' loudness in decibels."""
    weights = 10.0 ** (augmentation.loudness_exponent * (loudness_db - loudness_db.max()) / 10.0)
    share = augmentation.uniform_share
    return np.cumsum((1.0 - share) * weights / weights.sum() + share / len(weights))


def start_probabilities(clips: SampledClips, augmentation: Augmentation, step: int) -> list[Float64]:
    """Return `cumulative_probabilities` of each clip, for crops `step` frames apart, by the frontend's mean powers."""
    frontend, result = clips.frontend, []
    for frames in clips.frames:
        starts = np.arange(0, len(frames) - frontend.patch_frames + 1, step)
        loudness_db = 10.0 * np.log10(mean_powers(frames[:, 0], starts, frontend.patch_frames) + frontend.floor)
        result.append(cumulative_probabilities(loudness_db, augmentation))
    return result


def random_responses_db(n: int, places: Float64, augmentation: Augmentation, rng: np.random.Generator) -> Float64:
    """Draw frequency responses: a random level and a smooth random curve.

    Parameters
    ----------
    places : (bands,) float64
        Where each band lies among the curve's knots, 0 to `RESPONSE_KNOTS - 1`.

    Returns
    -------
    (n, bands) float64
        Gains in decibels.
    """
    level = rng.uniform(-1.0, 1.0, (n, 1)) * augmentation.gain_db
    knots = rng.normal(0.0, augmentation.tilt_db, (n, RESPONSE_KNOTS))
    low = np.minimum(places.astype(np.int64), RESPONSE_KNOTS - 2)
    share = places - low
    curve = knots[:, low] * (1.0 - share) + knots[:, low + 1] * share
    return np.asarray(level + curve)


def zero_frames(patches: Float32, longest: int, share: float, rng: np.random.Generator) -> None:
    """Set a stretch of at most `longest` frames to zero in a share of the patches, `(n, rows, frames)`, in place."""
    for place in np.flatnonzero(rng.random(len(patches)) < share):
        width = int(rng.integers(0, longest + 1))
        first = int(rng.integers(0, patches.shape[2] - width + 1))
        patches[place, :, first : first + width] = 0.0


def _balanced(targets: Float32, weights: Float64) -> Float64:
    """Return how likely each clip is drawn: weighed by the inverse square root of its label's share.

    Clips of rare labels are drawn more often, but not as often as those of common ones.
    """
    totals = np.maximum(weights @ targets.astype(np.float64), 1e-9)
    weights = weights * (targets / np.sqrt(totals)).sum(axis=1) / np.maximum(targets.sum(axis=1), 1e-9)
    return np.asarray(weights / weights.sum(), dtype=np.float64)
