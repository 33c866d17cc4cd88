"""From patches to the clip: one rule for the float network, the int8 network and the MCU.

A clip's score is a weighted mean of its patches' log-probabilities, normalised to sum to one; under a sigmoid, of their
log-odds. Other poolings are a mean of probabilities and a vote. The weight grows with a patch's loudness, for a silent
patch has no information on the label. Both sums are running sums: the MCU needs neither the clip's length nor its
maximum, only an accumulator for each label and one more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from labeltool.networks.heads import Head, decide
from labeltool.type_aliases import Float32, Float64

SMALLEST_PROBABILITY = 1.0 / 512.0
"""Half an int8 step of a probability (1/256): an int8 score of 0 is anything up to here."""

DEFAULT_TEMPERATURE = 0.6
"""Before calibration. Trained on mixtures, a network is underconfident on clean sound: best on ESC-10, cross-validated
over folds 1 to 4."""


Pooling = Literal["log-mean", "mean", "majority"]
"""How patches are pooled: by the mean of their logarithms (or log-odds), of their probabilities, or of their votes."""

POOLINGS: tuple[Pooling, ...] = get_args(Pooling)


@dataclass(frozen=True, slots=True)
class ClipRule:
    """How patches are pooled to a clip.

    Attributes
    ----------
    loudness_exponent
        A patch weighs `10 ** (loudness_exponent * loudness_db / 10)`; its loudness is a mean over bands in decibels,
        so 0 is the plain mean of the patches and 1 weighs by the geometric mean of their powers.
    temperature
        Calibration (Guo et al. 2017): the mean log-probabilities are divided by it before they are normalised.
    head
        "softmax": one label a clip; "sigmoid": any number of them.
    threshold
        Least probability of a predicted label: under a softmax of the most likely, else the clip is unknown; under a
        sigmoid of each. 0 where there were too few clips to choose it.
    pooling
        What the mean is of; a vote is for the most likely label, or under a sigmoid for all from 0.5.
    """

    loudness_exponent: float = 1.0
    temperature: float = DEFAULT_TEMPERATURE
    head: Head = "softmax"
    threshold: float = 0.0
    pooling: Pooling = "log-mean"

    def __post_init__(self) -> None:
        if not (0 < self.temperature < math.inf and 0 <= self.threshold <= 1 and math.isfinite(self.loudness_exponent)):
            raise ValueError(f"a clip rule has a value out of range: {self}")


def clip_scores(patch_probabilities: Float32, patch_loudness_db: Float32, rule: ClipRule) -> Float32:
    """Score a clip from its patches.

    Parameters
    ----------
    patch_probabilities : (patches, labels) float32
        The network's outputs, float or dequantised int8; at least one patch.
    patch_loudness_db : (patches,) float32
        `Frontend.loudness_db` of the same patches, decibels.

    Returns
    -------
    (labels,) float32
        Calibrated probabilities; under a softmax they sum to one.
    """
    if len(patch_probabilities) == 0:
        raise ValueError("a clip needs at least one patch")
    # The largest loudness is subtracted only to keep the powers in range; it cancels in the ratio.
    relative = patch_loudness_db.astype(np.float64) - patch_loudness_db.max()
    weights = 10.0 ** (rule.loudness_exponent * relative / 10.0)
    if rule.pooling == "log-mean":
        mean = weights @ to_logits(patch_probabilities, rule.head, SMALLEST_PROBABILITY) / weights.sum()
    else:
        votes = decide(patch_probabilities, rule.head) if rule.pooling == "majority" else patch_probabilities
        pooled = np.asarray(weights @ votes.astype(np.float64) / weights.sum(), np.float32)
        mean = to_logits(pooled, rule.head, SMALLEST_PROBABILITY)
    return to_probabilities(mean[None], rule.head, rule.temperature).reshape(-1)


def to_logits(probabilities: Float32, head: Head, smallest: float) -> Float64:
    """Return logarithms (softmax) or log-odds (sigmoid) of probabilities of any shape, clipped by `smallest`."""
    clipped = np.maximum(probabilities.astype(np.float64), smallest)
    if head == "softmax":
        return np.asarray(np.log(clipped), np.float64)
    clipped = np.minimum(clipped, 1.0 - smallest)
    return np.asarray(np.log(clipped) - np.log1p(-clipped), np.float64)


def to_probabilities(logits: npt.NDArray[np.floating[Any]], head: Head, temperature: float = 1.0) -> Float32:
    """Return the probabilities of rows of logits, `(rows, labels)`, divided by a temperature."""
    if head == "softmax":
        return softmax(logits, temperature)
    return np.asarray(1.0 / (1.0 + np.exp(-logits.astype(np.float64) / temperature)), np.float32)


def softmax(logits: npt.NDArray[np.floating[Any]], temperature: float = 1.0) -> Float32:
    """Return the softmax of rows of logits, `(rows, labels)`, divided by a temperature."""
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max(axis=-1, keepdims=True)
    powers = np.exp(scaled)
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), dtype=np.float32)
