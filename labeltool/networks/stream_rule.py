"""From the patches of an endless stream to events: the rule of the package's `c/aed_stream.c`, bit for bit.

A patch whose loudest band stays below the gate contains nothing. Every other patch counts alike, however loud: a quiet
sound after a loud one is found at once. The values that the model's clip rule pools are smoothed exponentially; the
result, calibrated as the clip rule calibrates, is cut by two thresholds for each label (hysteresis).

Arithmetic is float32 in a fixed order, as in the frontend, by the logarithm and power of `device_math`: the C has the
same operations. Integers would be as exact, but need a logarithm and a power of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from labeltool.audio.device.device_math import exp2, log2, sequential_sum
from labeltool.networks.heads import DEFAULT_THRESHOLD
from labeltool.networks.postprocessing import SMALLEST_PROBABILITY, ClipRule
from labeltool.type_aliases import Bools, Float32

_SMALLEST, _LARGEST = np.float32(SMALLEST_PROBABILITY), np.float32(1.0 - SMALLEST_PROBABILITY)


@dataclass(frozen=True, slots=True)
class StreamRule:
    """What makes an event in a stream. The defaults did well on recordings joined of ESC-10's folds 1 and 2.

    Attributes
    ----------
    gain
        Share of the newest patch in the smoothed values, above 0, at most 1.
    release
        An event goes on while its label's probability is at least this share of the threshold, 0 to 1.
    hold_patches
        Patches below that, or below the gate, which do not end an event.
    min_patches
        Events of fewer patches are dropped.
    thresholds
        Probability at which an event of each label begins, in the order of the network's outputs; empty where there
        were too few validation clips to choose them.
    """

    gain: float = 0.7
    release: float = 0.8
    hold_patches: int = 1
    min_patches: int = 2
    thresholds: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not (0 < self.gain <= 1 and 0 <= self.release <= 1 and self.hold_patches >= 0 and self.min_patches >= 1):
            raise ValueError(f"a stream rule has a value out of range: {self}")
        if not all(0 <= threshold <= 1 for threshold in self.thresholds):
            raise ValueError("a threshold of the stream rule is not from 0 to 1")


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """An event: index of its label, its first and last patch (counted from 0), its largest smoothed probability."""

    label: int
    first_patch: int
    last_patch: int
    peak: float


class Smoother:
    """Smooths the scores of a stream's patches: from the network's outputs to one probability a patch and label.

    Parameters
    ----------
    gate_db
        A patch below it contains nothing.
    """

    def __init__(self, clip: ClipRule, gain: float, labels: int, gate_db: float) -> None:
        self._clip = clip
        self._gain = np.float32(gain)
        self._gate_db = np.float32(gate_db)
        # Under a softmax "nothing" is one more class, the last: of silence no label may be the most likely.
        self._classes = labels + (clip.head == "softmax")
        self._nothing = self._values(np.zeros((1, labels), np.float32), np.ones(1, bool))[0]
        self._state = self._nothing

    def push(self, probabilities: Float32, peak_db: Float32) -> tuple[Float32, Bools]:
        """Add patches.

        Parameters
        ----------
        probabilities : (patches, labels) float32
            The network's dequantised outputs.
        peak_db : (patches,) float32

        Returns
        -------
        (patches, labels) float32
            Smoothed and calibrated; under a softmax what they lack to one is the probability of nothing.
        (patches,) bool
            Which patches are below the gate.
        """
        is_quiet = np.asarray(~(peak_db >= self._gate_db))
        values = self._values(probabilities, is_quiet)
        smoothed = np.empty_like(values)
        for row, value in enumerate(values):
            self._state = self._state + self._gain * (value - self._state)
            smoothed[row] = self._state
        return self._calibrated(smoothed)[:, : probabilities.shape[1]], is_quiet

    def _values(self, probabilities: Float32, is_quiet: Bools) -> Float32:
        """Return what is smoothed of each patch, (patches, classes): log-probabilities, probabilities or votes."""
        patches, labels = probabilities.shape
        classes = np.zeros((patches, self._classes), np.float32)
        if self._clip.pooling != "majority":
            classes[:, :labels] = probabilities
        elif self._clip.head == "sigmoid":
            classes[:, :labels] = probabilities >= DEFAULT_THRESHOLD
        else:
            classes[np.arange(patches), probabilities.argmax(axis=1)] = 1.0
        classes[is_quiet] = 0.0
        classes[is_quiet, labels:] = 1.0
        return self._logits(classes) if self._clip.pooling == "log-mean" else classes

    def _logits(self, probabilities: Float32) -> Float32:
        clipped = np.maximum(probabilities, _SMALLEST)
        if self._clip.head == "softmax":
            return log2(clipped)
        clipped = np.minimum(clipped, _LARGEST)
        return np.asarray(log2(clipped) - log2(np.float32(1) - clipped), np.float32)

    def _calibrated(self, smoothed: Float32) -> Float32:
        logits = smoothed if self._clip.pooling == "log-mean" else self._logits(smoothed)
        logits = logits / np.float32(self._clip.temperature)
        if self._clip.head == "sigmoid":
            return np.asarray(np.float32(1) / (np.float32(1) + exp2(-logits)), np.float32)
        powers = exp2(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(powers / sequential_sum(powers)[:, None], np.float32)


@dataclass(slots=True)
class _OpenEvent:
    first: int
    last: int
    peak: np.float32


@dataclass(slots=True)
class EventFinder:
    """Finds events in smoothed probabilities, patch by patch.

    Attributes
    ----------
    several
        Whether the labels are independent; else only the most probable one begins an event.
    background
        Index of the label that stands for none of the others; None without one.
    """

    rule: StreamRule
    several: bool
    thresholds: tuple[float, ...]
    background: int | None
    _open: dict[int, _OpenEvent] = field(default_factory=dict)
    _patches: int = 0

    def push(self, probabilities: Float32, is_quiet: Bools) -> list[StreamEvent]:
        """Add what `Smoother.push` returned; return the events that ended, by end, then by label."""
        begins_at = np.array(self.thresholds, np.float32)
        begins = (probabilities >= begins_at) & ~is_quiet[:, None]
        goes_on = (probabilities >= begins_at * np.float32(self.rule.release)) & ~is_quiet[:, None]
        if not self.several:
            begins &= np.arange(probabilities.shape[1]) == probabilities.argmax(axis=1)[:, None]
        if self.background is not None:
            begins[:, self.background] = False
        ended: list[StreamEvent] = []
        # Most patches of a long recording neither are part of an event nor end one.
        for row in range(len(probabilities)):
            for label in sorted({*self._open, *np.flatnonzero(begins[row]).tolist()}):
                ended += self._step(label, probabilities[row, label], bool(goes_on[row, label]))
            self._patches += 1
        return ended

    def end(self) -> list[StreamEvent]:
        """End the stream: events that are still on end with their last patch."""
        return [event for label in sorted(self._open) for event in self._close(label)]

    def _step(self, label: int, probability: np.float32, goes_on: bool) -> list[StreamEvent]:
        event = self._open.get(label)
        if event is None:
            self._open[label] = _OpenEvent(self._patches, self._patches, probability)
        elif goes_on:
            event.last, event.peak = self._patches, max(event.peak, probability)
        elif self._patches - event.last > self.rule.hold_patches:
            return self._close(label)
        return []

    def _close(self, label: int) -> list[StreamEvent]:
        event = self._open.pop(label)
        if event.last - event.first + 1 < self.rule.min_patches:
            return []
        return [StreamEvent(label, event.first, event.last, float(event.peak))]
