"""From patches to the clip: one rule for the float network, the int8 network and the chip.

A clip's score is a weighted mean of its patches' log-probabilities, normalised to sum to one; where each label is
judged for itself, of their log-odds. Other ways to pool them are a mean of probabilities and a vote. The weight grows
with how loud a patch is, for a silent patch knows nothing of the label. Both sums run: the chip needs neither the
clip's length nor its maximum, only an accumulator per label and one more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from labeltool.errors import LabeltoolError
from labeltool.networks.heads import Head, said
from labeltool.type_aliases import Float32, Float64

SMALLEST_PROBABILITY = 1.0 / 512.0
"""Half an int8 step of a probability (1/256): what the chip calls 0 is anything up to here."""

# Taught on mixtures, a network underrates itself on clean sound: best on ESC-10, folds 1 to 4, each left out in turn.
_USUAL_TEMPERATURE = 0.6


Pooling = Literal["log-mean", "mean", "majority"]
"""How patches are pooled: the mean of their logarithms (or log-odds), of their probabilities, or of their votes."""

POOLINGS: tuple[Pooling, ...] = get_args(Pooling)


@dataclass(frozen=True, slots=True)
class ClipRule:
    """How patches make a clip.

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
        What a label's probability must reach to be said: of one label a clip the first, else the clip is unknown; of
        several each. 0 where it was not chosen: too few clips to choose it on.
    pooling
        What the mean is of; a vote is for the likeliest label, or for all that are more likely there than not.
    """

    loudness_exponent: float = 1.0
    temperature: float = _USUAL_TEMPERATURE
    head: Head = "softmax"
    threshold: float = 0.0
    pooling: Pooling = "log-mean"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, described: Mapping[str, Any]) -> ClipRule:
        """Make the rule that `to_dict` described.

        Raises
        ------
        LabeltoolError
            When the fields are not those of a rule.
        """
        try:
            words = {"head": get_args(Head), "pooling": POOLINGS}
            for name, known in words.items():
                if name in described and described[name] not in known:
                    raise ValueError(f"no {name} is called {described[name]!r}")
            fields: dict[str, Any] = {
                name: value if name in words else float(value) for name, value in described.items()
            }
            return cls(**fields)
        except (TypeError, ValueError) as error:
            raise LabeltoolError(f"not a clip rule: {error}", remedy="made by a newer version?") from error


def clip_scores(patch_probabilities: Float32, patch_loudness_db: Float32, rule: ClipRule) -> Float32:
    """Score a clip from its patches.

    Parameters
    ----------
    patch_probabilities : (patches, labels) float32
        The network's outputs, float or dequantised int8; at least one patch.
    patch_loudness_db : (patches,) float32
        `Frontend.loudness_db` of the same patches, decibels.
    rule
        The model's.

    Returns
    -------
    (labels,) float32
        Calibrated probabilities; under a softmax they sum to one.
    """
    if len(patch_probabilities) == 0:
        raise ValueError("a clip needs at least one patch")
    # The largest loudness is taken off only to keep the powers in range; it cancels in the ratio.
    relative = patch_loudness_db.astype(np.float64) - patch_loudness_db.max()
    weights = 10.0 ** (rule.loudness_exponent * relative / 10.0)
    if rule.pooling == "log-mean":
        mean = weights @ logits(patch_probabilities, rule.head, SMALLEST_PROBABILITY) / weights.sum()
    else:
        votes = said(patch_probabilities, rule.head) if rule.pooling == "majority" else patch_probabilities
        pooled = np.asarray(weights @ votes.astype(np.float64) / weights.sum(), np.float32)
        mean = logits(pooled, rule.head, SMALLEST_PROBABILITY)
    return normalised(mean[None], rule.head, rule.temperature).reshape(-1)


def logits(probabilities: Float32, head: Head, smallest: float) -> Float64:
    """Return logarithms (softmax) or log-odds (sigmoid) of probabilities of any shape, held `smallest` off the ends."""
    held = np.maximum(probabilities.astype(np.float64), smallest)
    if head == "softmax":
        return np.asarray(np.log(held), np.float64)
    held = np.minimum(held, 1.0 - smallest)
    return np.asarray(np.log(held) - np.log1p(-held), np.float64)


def normalised(logits: npt.NDArray[np.floating[Any]], head: Head, temperature: float = 1.0) -> Float32:
    """Turn rows of logits, `(rows, labels)`, divided by a temperature, into probabilities."""
    if head == "softmax":
        return softmax(logits, temperature)
    return np.asarray(1.0 / (1.0 + np.exp(-logits.astype(np.float64) / temperature)), np.float32)


def softmax(logits: npt.NDArray[np.floating[Any]], temperature: float = 1.0) -> Float32:
    """Normalise rows of logits, `(rows, labels)`, divided by a temperature."""
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max(axis=-1, keepdims=True)
    powers = np.exp(scaled)
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), dtype=np.float32)
