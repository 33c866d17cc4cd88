"""Training patches drawn from clips: cropped, stretched, shifted, mixed and masked, all on mel powers.

Mixing sounds of different labels and teaching the ratio is what lets a network learn from a few hundred clips
(Tokozume, Ushiku and Harada 2018, "Learning from between-class examples"); powers add as the sounds would. Crops are
drawn where the clip is loud, with the weight that `aggregate` gives them: a silent second of a dog's clip is no dog.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labeltool.audio.frontend import Frontend
from labeltool.networks.heads import Head, heard_together
from labeltool.training.distillation import Hints
from labeltool.type_aliases import Float32, Float64, Int64

# Of a mixture's amplitude: less, and a label is taught that nobody could hear.
_AUDIBLE_SHARE = np.float32(0.2)


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How hard patches are changed; all zero for none.

    Attributes
    ----------
    mix_share
        Share of the patches that are two crops mixed.
    same_label_share
        Share of the mixtures whose crops have the same label: two rains are a rain nobody has recorded.
    gain_db
        Level, up to so many decibels either way (it moves the sound against the frontend's floor).
    stretch
        Speed, a factor of up to `1 + stretch` either way.
    shift_bands
        Pitch, up to so many mel bands either way.
    tilt_db
        A random frequency response, smooth over the bands, of about so many decibels (another microphone, a wall).
    mask_share, mask_bands, mask_frames
        Share of the patches with a band and a span of frames blanked (SpecAugment, Park et al. 2019), and how wide.
    loudness_exponent
        Crops are drawn in proportion to `10 ** (exponent * loudness_db / 10)`.
    uniform_share
        Share of the crops drawn anywhere in the clip all the same.
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


class PatchSampler:
    """Endless augmented patches of some clips.

    Parameters
    ----------
    frontend
        The definition the log-mels were made with.
    log_mels : (frames, n_mels) float32 each
        One array a clip, `frontend.patch_frames` frames or more.
    targets : (clips, columns) float32
        What is known of each clip (`heads.known`), something of every one.
    augmentation
        How hard.
    rng
        Source of all randomness: same seed, same patches.
    head
        What a mixture is taught as: under a softmax the two in the proportion they are heard, under a sigmoid both.
    weights : (clips,) float64, optional
        How often a clip is drawn beside the balance of labels; one at zero never is. Default: all alike.
    hints
        Of the same clips: what a teacher makes of each crop is wanted too, in columns after those of `targets`. Of a
        mixture it is taken to be the mixture of what it makes of the two, in the proportion they are heard.
    """

    def __init__(
        self,
        frontend: Frontend,
        log_mels: Sequence[Float32],
        targets: Float32,
        augmentation: Augmentation,
        rng: np.random.Generator,
        head: Head = "softmax",
        weights: Float64 | None = None,
        hints: Hints | None = None,
    ) -> None:
        self.frontend, self.augmentation, self._rng = frontend, augmentation, rng
        self._hints = hints
        self.head = head
        lengths = np.array([len(log_mel) for log_mel in log_mels])
        if lengths.min() < frontend.patch_frames:
            raise ValueError("a clip is shorter than a patch")
        self._power = self._addable(np.concatenate(list(log_mels)))
        self._first = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        self._length = lengths
        self._start_weights = [self._weigh_starts(log_mel) for log_mel in log_mels]
        weights = np.ones(len(targets)) if weights is None else weights
        self.targets = targets
        self._clip_weights = _balanced(targets, weights)
        self._kinds = targets.argmax(axis=1)
        drawn = weights > 0
        self._same_label = {
            int(kind): np.flatnonzero(drawn & (self._kinds == kind)) for kind in np.unique(self._kinds[drawn])
        }
        self._queue: list[int] = []

    @property
    def hint_width(self) -> int:
        """How many columns a batch has beside what is known of labels."""
        return 0 if self._hints is None else self._hints.width

    def _weigh_starts(self, log_mel: Float32) -> Float64:
        """Cumulated probability of each frame a crop may start at."""
        sums = np.concatenate([[0.0], np.cumsum(log_mel.mean(axis=1, dtype=np.float64))])
        span = self.frontend.patch_frames
        return self._chances((sums[span:] - sums[:-span]) / span * self.frontend.scale_db)

    def _chances(self, loudness_db: Float64) -> Float64:
        weights = 10.0 ** (self.augmentation.loudness_exponent * (loudness_db - loudness_db.max()) / 10.0)
        share = self.augmentation.uniform_share
        return np.cumsum((1.0 - share) * weights / weights.sum() + share / len(weights))

    def batch(self, n: int) -> tuple[Float32, Float32]:
        """Draw patches.

        Returns
        -------
        patches : (n, n_mels, patch_frames) float32
            Normalised.
        targets : (n, columns) float32
            Of the clips' columns, then of the hints'.
        """
        rng, strength = self._rng, self.augmentation
        clips = self._next_clips(n)
        starts = self._starts(clips)
        power = self._crops(clips, starts)
        targets = self._wanted(clips, starts)
        mixed = np.flatnonzero(rng.random(n) < strength.mix_share)
        if len(mixed):
            partners = self._partners(clips[mixed])
            ratio = rng.random(len(mixed), dtype=np.float32)
            if self.head == "sigmoid":
                ratio = _AUDIBLE_SHARE + (1 - 2 * _AUDIBLE_SHARE) * ratio
            starts = self._starts(partners)
            power[mixed] = self._mixed(power[mixed], self._crops(partners, starts), ratio)
            alone, theirs = targets[mixed], self._wanted(partners, starts)
            targets[mixed] = ratio[:, None] * alone + (1 - ratio[:, None]) * theirs
            if self.head == "sigmoid":
                known = self.targets.shape[1]
                targets[mixed, :known] = heard_together(alone[:, :known], theirs[:, :known])
        patches = self.frontend.normalise(self._recorded_elsewhere(power))
        self._mask(patches)
        return patches, targets

    def _wanted(self, clips: Int64, starts: Int64) -> Float32:
        known = self.targets[clips]
        if self._hints is None:
            return known
        frontend = self.frontend
        middle_s = (starts * frontend.hop + frontend.patch_samples / 2) / frontend.sample_rate_hz
        return np.concatenate([known, self._hints.at(clips, middle_s)], axis=1)

    def _addable(self, frames: Float32) -> Float32:
        """Turn the clips' frames into what may be added up as sounds are."""
        return self.frontend.power_of_log(frames)

    def _mixed(self, one: Float32, other: Float32, ratio: Float32) -> Float32:
        return _mix(one, other, ratio, self.frontend.floor)

    def _recorded_elsewhere(self, power: Float32) -> Float32:
        """Change the level and the frequency response of crops, and turn them into patches, not yet normalised."""
        power *= self._responses(len(power))[:, None, :]
        return np.ascontiguousarray(self.frontend.log_of_power(power).transpose(0, 2, 1))

    def _partners(self, clips: Int64) -> Int64:
        """Choose the clip that each of these is mixed with."""
        partners = self._rng.choice(len(self.targets), len(clips), p=self._clip_weights)
        for place in np.flatnonzero(self._rng.random(len(clips)) < self.augmentation.same_label_share):
            partners[place] = self._rng.choice(self._same_label[int(self._kinds[clips[place]])])
        return partners

    def _next_clips(self, n: int) -> Int64:
        """Clips in rounds: each round every clip of the rarest kind as often as its weight asks, in random order."""
        while len(self._queue) < n:
            expected = self._clip_weights * len(self._clip_weights)
            counts = np.floor(expected + self._rng.random(len(expected))).astype(np.int64)
            self._queue.extend(self._rng.permutation(np.repeat(np.arange(len(counts)), counts)).tolist())
        drawn, self._queue = self._queue[:n], self._queue[n:]
        return np.array(drawn, dtype=np.int64)

    def _crops(self, clips: Int64, starts: Int64) -> Float32:
        """Cut one crop from each clip, stretched and shifted: `(n, frames, mels)` mel powers."""
        rng, strength, frontend = self._rng, self.augmentation, self.frontend
        n, span = len(clips), frontend.patch_frames
        speed = (1.0 + strength.stretch) ** rng.uniform(-1.0, 1.0, n)
        steps = (np.arange(span) - span / 2)[None, :] * speed[:, None] + span / 2
        frames = np.clip(np.rint(starts[:, None] + steps).astype(np.int64), 0, self._length[clips][:, None] - 1)
        shift = rng.integers(-strength.shift_bands, strength.shift_bands + 1, n)
        bands = np.clip(np.arange(frontend.n_mels)[None, :] + shift[:, None], 0, frontend.n_mels - 1)
        rows = frames + self._first[clips][:, None]
        return np.asarray(self._power[rows[:, :, None], bands[:, None, :]])

    def _starts(self, clips: Int64) -> Int64:
        """Draw the frame to start at for each clip."""
        chances = self._rng.random(len(clips))
        found = [
            min(int(np.searchsorted(self._start_weights[clip], chance)), len(self._start_weights[clip]) - 1)
            for clip, chance in zip(clips, chances, strict=True)
        ]
        return np.array(found, dtype=np.int64)

    def _responses(self, n: int) -> Float32:
        """Random gains over the bands, `(n, n_mels)` power factors: a level and a smooth curve."""
        bands = self.frontend.n_mels
        level = self._rng.uniform(-1.0, 1.0, (n, 1)) * self.augmentation.gain_db
        knots = self._rng.normal(0.0, self.augmentation.tilt_db, (n, 6))
        places = np.linspace(0.0, 5.0, bands)
        low = np.minimum(places.astype(np.int64), 4)
        share = places - low
        curve = knots[:, low] * (1.0 - share) + knots[:, low + 1] * share
        return np.asarray(10.0 ** ((level + curve) / 10.0), dtype=np.float32)

    def _mask(self, patches: Float32) -> None:
        """Blank a band and a span of frames in some patches, with the patch's mean where it is centred."""
        strength, rng = self.augmentation, self._rng
        for place in np.flatnonzero(rng.random(len(patches)) < strength.mask_share):
            _blank(patches[place], strength.mask_bands, rng)
            _blank(patches[place].T, strength.mask_frames, rng)


def _blank(patch: Float32, widest: int, rng: np.random.Generator) -> None:
    width = int(rng.integers(0, widest + 1))
    first = int(rng.integers(0, len(patch) - width + 1))
    patch[first : first + width] = patch.mean()


def _mix(one: Float32, other: Float32, ratio: Float32, floor: float) -> Float32:
    """Mix crops `(n, frames, mels)` so that `ratio` is the first one's share of the amplitude as it is heard.

    Both are brought to one level first, then the mixture to a level between theirs (Tokozume et al., section 3.2).
    """
    # A crop below the frontend's floor is silence: raising it to the other's level would only teach noise.
    levels = [np.maximum(crop.mean(axis=(1, 2), dtype=np.float32), np.float32(floor)) for crop in (one, other)]
    share, rest = np.square(ratio), np.square(1 - ratio)
    target = levels[0] ** ratio * levels[1] ** (1 - ratio) / (share + rest)
    gain_one, gain_other = share * target / levels[0], rest * target / levels[1]
    return np.asarray(gain_one[:, None, None] * one + gain_other[:, None, None] * other, np.float32)


def _balanced(targets: Float32, weights: Float64) -> Float64:
    """Weigh clips by the inverse square root of their label's share: rare ones are heard more, not endlessly."""
    totals = np.maximum(weights @ targets.astype(np.float64), 1e-9)
    weights = weights * (targets / np.sqrt(totals)).sum(axis=1) / np.maximum(targets.sum(axis=1), 1e-9)
    return np.asarray(weights / weights.sum(), dtype=np.float64)
