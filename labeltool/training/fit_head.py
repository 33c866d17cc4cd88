"""Training of a `DenseHead` on the features of frozen layers, in about a second; NumPy alone.

Windows are drawn at random, loud ones more often, and mixed in pairs (mixup, Zhang et al. 2018). One thread computes
all: the same seed gives the same head, with and without other work on the machine.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from labeltool.networks.dense_head import DenseHead
from labeltool.networks.heads import Head
from labeltool.networks.postprocessing import to_probabilities
from labeltool.type_aliases import Float32, Float64, Int8, Int64

# Adam's (Kingma and Ba 2015).
_MEAN_DECAY, _SQUARE_DECAY, _EPSILON = 0.9, 0.999, 1e-8
# Deviation, in parts of the mean one, that is added to that of each feature: nearly constant ones stay small.
_LEAST_DEVIATION = 0.05
# Windows that mean and deviation of the features are measured on, at most.
_MAX_STANDARD = 8192
# Parts of a cross-validation.
_PARTS = 3
# Distance of a probability from 1 in the gradient of an absent label under a softmax.
_SMALLEST = 1e-4


@dataclass(frozen=True, slots=True)
class HeadSettings:
    """How a head is trained.

    Attributes
    ----------
    hidden_units
        Of each hidden layer; () is a linear head.
    steps, batch
        Number of steps, and pairs of windows in each.
    learning_rate, weight_decay
        Of AdamW (Loshchilov and Hutter 2019); the rate falls to zero along a cosine.
    mixing
        Parameter of the Beta distribution of the share of each window in a pair; 0: nothing is mixed.
    smoothing
        Share of the targets that is spread over all labels.
    loudness_exponent
        A window is drawn in proportion to its power to this.
    balance
        0: each clip is drawn as often; 1: each label.
    """

    hidden_units: tuple[int, ...] = (56,)
    steps: int = 1200
    batch: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.5
    mixing: float = 0.5
    smoothing: float = 0.1
    loudness_exponent: float = 0.5
    balance: float = 0.5


@dataclass(frozen=True, slots=True)
class HeadData:
    """Clips to train a head on.

    Attributes
    ----------
    scale, zero_point
        Of the features: `real = scale * (code - zero_point)`.
    codes : (windows, width) int8 for each clip
        At least one window.
    loudness_db : (windows,) float32 for each clip
        Decibels.
    present, absent : (clips, labels) float32
        As in `labeltool.networks.heads`; estimated ones may be soft.
    weights : (clips,) float32
        How sure the targets are, 0 to 1: how often a clip is drawn.
    """

    activation: Head
    scale: float
    zero_point: int
    codes: Sequence[Int8]
    loudness_db: Sequence[Float32]
    present: Float32
    absent: Float32
    weights: Float32

    def __len__(self) -> int:
        return len(self.codes)

    def only(self, places: Int64) -> HeadData:
        """Return some of the clips."""
        return replace(
            self,
            codes=[self.codes[i] for i in places],
            loudness_db=[self.loudness_db[i] for i in places],
            present=self.present[places],
            absent=self.absent[places],
            weights=self.weights[places],
        )


def fit_head(data: HeadData, settings: HeadSettings, *, seed: int = 0) -> DenseHead:
    """Train a head; the same data, settings and seed give the same one."""
    from threadpoolctl import threadpool_limits

    # The order of sums, and so the last bit, depends on the number of threads.
    with threadpool_limits(limits=1, user_api="blas"):
        return _Fit(data, settings, seed).run()


class _Fit:
    """Training of one head."""

    def __init__(self, data: HeadData, settings: HeadSettings, seed: int) -> None:
        self.data, self.settings = data, settings
        self.rng = np.random.default_rng([seed, 3])
        self.rows = np.concatenate(list(data.codes))
        self.clip = np.repeat(np.arange(len(data)), [len(one) for one in data.codes])
        self.mean, self.gain = _standardisation(self.rows)
        widths = [self.rows.shape[1], *settings.hidden_units, data.present.shape[1]]
        self.kernels = []
        for place, (inputs, outputs) in enumerate(pairwise(widths), 1):
            deviation = np.sqrt((1.0 if place == len(widths) - 1 else 2.0) / inputs)
            self.kernels.append(self.rng.normal(0.0, deviation, (inputs, outputs)).astype(np.float32))
        self.biases = [np.zeros(outputs, np.float32) for outputs in widths[1:]]
        self.targets = _smoothed(data, settings.smoothing)
        # Which labels of which clips were judged.
        self.known = (data.present + data.absent) > 0

    def run(self) -> DenseHead:
        """Do all steps and return the head."""
        settings = self.settings
        shape = (settings.steps, settings.batch)
        chances = np.cumsum(_chances(self.data, settings))
        places = [self._draw(chances, shape) for _ in range(2)]
        mixing = settings.mixing
        shares = self.rng.beta(mixing, mixing, shape).astype(np.float32) if mixing else np.ones(shape, np.float32)
        adam = _AdamW([*self.kernels, *self.biases], len(self.kernels), settings)
        for step in range(settings.steps):
            one, other, share = places[0][step], places[1][step], shares[step][:, None]
            rows = share * self.rows[one] + (1.0 - share) * self.rows[other]
            present, absent = self._mixed_targets(self.clip[one], self.clip[other], share)
            adam.step(self._gradients((rows - self.mean) * self.gain, present, absent), step)
        return self._head()

    def _draw(self, chances: Float64, shape: tuple[int, int]) -> Int64:
        drawn = np.searchsorted(chances, self.rng.random(shape) * chances[-1], side="right")
        return np.asarray(np.minimum(drawn, len(chances) - 1), np.int64)

    def _mixed_targets(self, one: Int64, other: Int64, share: Float32) -> tuple[Float32, Float32]:
        present, absent = (share * target[one] + (1.0 - share) * target[other] for target in self.targets)
        if self.data.activation == "sigmoid":
            # What is not known of one of them is not known of the pair.
            known = (self.known[one] & self.known[other]).astype(np.float32)
            return present * known, absent * known
        return present, absent

    def _gradients(self, rows: Float32, present: Float32, absent: Float32) -> list[Float32]:
        """Return the gradients of the mean log loss by kernels, then by biases."""
        inputs = [rows]
        for kernel, bias in zip(self.kernels[:-1], self.biases[:-1], strict=True):
            inputs.append(np.maximum(inputs[-1] @ kernel + bias, 0.0))
        logits = inputs[-1] @ self.kernels[-1] + self.biases[-1]
        slope = _slope(self.data.activation, logits, present, absent) / np.float32(len(rows))
        kernels: list[Float32] = []
        biases: list[Float32] = []
        for place in range(len(self.kernels) - 1, -1, -1):
            kernels.insert(0, inputs[place].T @ slope)
            biases.insert(0, slope.sum(axis=0))
            if place:
                slope = (slope @ self.kernels[place].T) * (inputs[place] > 0)
        return [*kernels, *biases]

    def _head(self) -> DenseHead:
        """Return the head for the features themselves, standardisation included in the first layer."""
        data = self.data
        first = self.kernels[0] * self.gain[:, None]
        bias = self.biases[0] - (self.mean - np.float32(data.zero_point)) @ first
        kernels = (np.asarray(first / np.float32(data.scale), np.float32), *self.kernels[1:])
        biases = (np.asarray(bias, np.float32), *self.biases[1:])
        return DenseHead(data.activation, data.scale, data.zero_point, kernels, biases)


class _AdamW:
    """AdamW over arrays that it changes in place; the first ones decay."""

    def __init__(self, arrays: list[Float32], decaying: int, settings: HeadSettings) -> None:
        self.arrays, self.decaying, self.settings = arrays, decaying, settings
        self.means = [np.zeros_like(one) for one in arrays]
        self.squares = [np.zeros_like(one) for one in arrays]

    def step(self, gradients: list[Float32], number: int) -> None:
        """Do a step, numbered from 0."""
        settings = self.settings
        rate = settings.learning_rate * 0.5 * (1.0 + np.cos(np.pi * number / settings.steps))
        mean_part, square_part = 1.0 - _MEAN_DECAY ** (number + 1), 1.0 - _SQUARE_DECAY ** (number + 1)
        for place, (array, gradient) in enumerate(zip(self.arrays, gradients, strict=True)):
            mean, square = self.means[place], self.squares[place]
            mean += np.float32(1.0 - _MEAN_DECAY) * (gradient - mean)
            square += np.float32(1.0 - _SQUARE_DECAY) * (gradient * gradient - square)
            if place < self.decaying:
                array *= np.float32(1.0 - rate * settings.weight_decay)
            root = np.sqrt(square * np.float32(1.0 / square_part)) + np.float32(_EPSILON)
            array -= np.float32(rate / mean_part) * mean / root


def _standardisation(rows: Int8) -> tuple[Float32, Float32]:
    """Return the mean of each feature, and the factor that gives it one deviation."""
    some = rows[:: max(1, -(-len(rows) // _MAX_STANDARD))].astype(np.float32)
    deviation = some.std(axis=0)
    gain = 1.0 / np.maximum(deviation + _LEAST_DEVIATION * deviation.mean(), 1e-3)
    return some.mean(axis=0), gain.astype(np.float32)


def _smoothed(data: HeadData, smoothing: float) -> tuple[Float32, Float32]:
    """Return the targets with a share of each spread: over all labels (softmax), or to the opposite (sigmoid)."""
    present, absent = data.present.astype(np.float32), data.absent.astype(np.float32)
    if data.activation == "softmax":
        spread = present.sum(axis=1, keepdims=True) / present.shape[1]
        return present + np.float32(smoothing) * (spread - present), absent
    moved = np.float32(smoothing / 2.0) * (absent - present)
    return present + moved, absent - moved


def _chances(data: HeadData, settings: HeadSettings) -> Float64:
    """Return how often each window is drawn, up to a factor: loud windows, sure clips, rare labels."""
    mass = data.weights.astype(np.float64) @ data.present
    shares = data.present / np.maximum(data.present.sum(axis=1, keepdims=True), 1e-9)
    rarity = shares @ np.maximum(mass, 1e-9) ** -settings.balance
    rarity[data.present.sum(axis=1) == 0] = np.median(rarity)
    chances = []
    for levels, factor in zip(data.loudness_db, rarity * data.weights, strict=True):
        powers = 10.0 ** (settings.loudness_exponent * (levels.astype(np.float64) - levels.max()) / 10.0)
        chances.append(factor * powers / powers.sum())
    found = np.concatenate(chances)
    return found if found.sum() > 0 else np.ones_like(found)


def _slope(activation: Head, logits: Float32, present: Float32, absent: Float32) -> Float32:
    """Return the derivative of `heads.log_loss` by the logits, `(rows, labels) float32`."""
    probabilities = to_probabilities(logits, activation)
    if activation == "sigmoid":
        return np.asarray(probabilities * (present + absent) - present, np.float32)
    slope = probabilities * present.sum(axis=1, keepdims=True) - present
    if absent.any():
        odds = absent * probabilities / np.maximum(1.0 - probabilities, _SMALLEST)
        slope += odds - probabilities * odds.sum(axis=1, keepdims=True)
    return np.asarray(slope, np.float32)


def cross_validated_scores(
    data: HeadData, groups: Sequence[str], settings: HeadSettings, *, seed: int
) -> list[Float32]:
    """Predict each clip's windows with a head that was trained without its group.

    What calibrates a clip rule (`calibration.choose_rule`) where few clips are held out.

    Parameters
    ----------
    groups
        Of the clips; a group stays in one of the parts, for each of which a head is trained.

    Returns
    -------
    list of (windows, labels) float32
    """
    from threadpoolctl import threadpool_limits

    names = sorted(set(groups))
    order = np.random.default_rng([seed, 5]).permutation(len(names))
    part_of = {names[place]: number % _PARTS for number, place in enumerate(order)}
    part = np.array([part_of[group] for group in groups])
    scores: list[Float32] = [np.zeros((0, data.present.shape[1]), np.float32)] * len(data)

    def predict_part(number: int) -> None:
        train = np.flatnonzero(part != number)
        head = fit_head(data.only(train if len(train) else np.arange(len(data))), settings, seed=seed)
        for place in np.flatnonzero(part == number):
            scores[place] = head.predict(data.codes[int(place)])

    # Heads side by side, each by one thread; the limit around them stays when the first is done.
    with threadpool_limits(limits=1, user_api="blas"), ThreadPoolExecutor(min(_PARTS, os.cpu_count() or 1)) as pool:
        list(pool.map(predict_part, np.unique(part).tolist()))
    return scores
