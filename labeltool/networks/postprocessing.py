"""From patches to the clip: one rule for the float network, the int8 network and the chip.

A clip's score is a weighted mean of its patches' log-probabilities, normalised to sum to one; where each label is
judged for itself, of their log-odds. Other ways to pool them are a mean of probabilities and a vote. The weight grows
with how loud a patch is, for a silent patch knows nothing of the label. Both sums run: the chip needs neither the
clip's length nor its maximum, only an accumulator per label and one more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from labeltool.errors import LabeltoolError
from labeltool.evaluation.metrics import said
from labeltool.networks.heads import Head, log_loss

Float32 = npt.NDArray[np.float32]

SMALLEST_PROBABILITY = 1.0 / 512.0
"""Half an int8 step of a probability (1/256): what the chip calls 0 is anything up to here."""

# Taught on mixtures, a network underrates itself on clean sound: best on ESC-10, folds 1 to 4, each left out in turn.
_USUAL_TEMPERATURE = 0.6
# Of the answers that are right on validation, so many must reach the threshold.
_RIGHT_ABOVE_THRESHOLD = 0.95
# Another way to pool patches needs so many clips, and so much less log loss, to be chosen.
_FEWEST_TO_POOL_BY, _WORTH_POOLING_BY = 20, 0.01
# With fewer answers the threshold would be one clip's whim.
_FEWEST_FOR_A_THRESHOLD = 8


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


def logits(probabilities: Float32, head: Head, smallest: float) -> npt.NDArray[np.float64]:
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


def calibrate(clip_scores: Float32, present: Float32, absent: Float32 | None = None, head: Head = "softmax") -> float:
    """Find the temperature that makes clip scores honest (Guo et al. 2017).

    Parameters
    ----------
    clip_scores : (clips, labels) float32
        Scores at temperature one.
    present, absent : (clips, labels) float32
        What is known of the clips; None: nothing is known to be absent but what the head implies.

    Returns
    -------
    float
        The temperature of least `log_loss` in a grid from 0.2 to 5, held towards 0.6 as if by eight clips: a handful
        that happen to be right must not make the network cocksure.
    """
    absent = np.zeros_like(present) if absent is None else absent
    raw = logits(clip_scores, head, 1e-12)
    grid = np.geomspace(0.2, 5.0, 97)
    losses = []
    for temperature in grid:
        doubt = 8.0 * np.log(temperature / _USUAL_TEMPERATURE) ** 2
        losses.append(doubt + log_loss(head, normalised(raw, head, float(temperature)), present, absent).sum())
    return float(grid[int(np.argmin(losses))])


def pooling_named(name: str) -> Pooling:
    """Look a way to pool patches up.

    Raises
    ------
    LabeltoolError
        When there is none of that name.
    """
    for pooling in POOLINGS:
        if pooling == name:
            return pooling
    raise LabeltoolError(f"no pooling is called {name!r}", remedy="there are: " + ", ".join(POOLINGS))


def choose_rule(
    by_clip: Sequence[Float32],
    loudness_db: Sequence[Float32],
    present: Float32,
    absent: Float32,
    rule: ClipRule,
    *,
    pooling: Pooling | None = None,
) -> tuple[ClipRule, Float32]:
    """Choose on validation clips how to pool patches, each way calibrated, and the threshold.

    Another way than the usual takes its place only where it is better by two standard errors on enough clips: a few
    clips would prefer any.

    Parameters
    ----------
    by_clip : (patches, labels) float32 each
        The network's outputs.
    loudness_db : (patches,) float32 each
    present, absent : (clips, labels) float32
    rule
        With the head and the exponent.
    pooling
        The way, where it was settled beforehand.

    Returns
    -------
    ClipRule
    (clips, labels) float32
        What it makes of the clips.
    """
    found: list[tuple[ClipRule, Float32, npt.NDArray[np.float64]]] = []
    ways = (pooling,) if pooling else POOLINGS if len(by_clip) >= _FEWEST_TO_POOL_BY else POOLINGS[:1]
    for way in ways:
        plain = replace(rule, temperature=1.0, pooling=way)
        scores = np.stack([clip_scores(rows, levels, plain) for rows, levels in zip(by_clip, loudness_db, strict=True)])
        temperature = calibrate(scores, present, absent, rule.head)
        honest = normalised(logits(scores, rule.head, 1e-12), rule.head, temperature)
        calibrated = replace(plain, temperature=temperature)
        found.append((calibrated, honest, log_loss(rule.head, honest, present, absent)))
    best, usual = min(found, key=lambda one: float(one[2].mean())), found[0]
    gain = usual[2] - best[2]
    clearly = max(_WORTH_POOLING_BY, 2.0 * gain.std() / math.sqrt(len(gain)))
    chosen, honest, _ = best if gain.mean() > clearly else usual
    return replace(chosen, threshold=choose_threshold(honest, present, absent, rule.head)), honest


def choose_threshold(clip_scores: Float32, present: Float32, absent: Float32, head: Head) -> float:
    """Choose what a probability must reach to be said, on validation clips.

    Under a softmax 19 of 20 right answers reach it, so that little is lost and most of what the network has never met
    stays unsaid (the operating point of Hendrycks and Gimpel 2017), though never more than an even chance is asked.
    Under a sigmoid it is the threshold of the best F1 over all labels that were checked.

    Parameters
    ----------
    clip_scores : (clips, labels) float32
        Calibrated.
    present, absent : (clips, labels) float32

    Returns
    -------
    float
        0 to 1; with fewer than eight answers to choose by 0 under a softmax, 0.5 under a sigmoid.
    """
    if head == "softmax":
        best = clip_scores.argmax(axis=1)
        right = clip_scores.max(axis=1)[present[np.arange(len(best)), best] > 0]
        if len(right) < _FEWEST_FOR_A_THRESHOLD:
            return 0.0
        return round(min(0.5, float(np.quantile(right, 1.0 - _RIGHT_ABOVE_THRESHOLD))), 3)
    there, away = clip_scores[present > 0.5], clip_scores[absent > 0.5]
    if len(there) < _FEWEST_FOR_A_THRESHOLD or len(away) == 0:
        return 0.5
    # The nearer to an even chance, the sooner taken: of equals the first is kept.
    grid = sorted(np.linspace(0.1, 0.9, 33), key=lambda threshold: abs(threshold - 0.5))
    hits = [int((there >= threshold).sum()) for threshold in grid]
    f1 = [2 * hit / (hit + int((away >= at).sum()) + len(there)) for hit, at in zip(hits, grid, strict=True)]
    return round(float(grid[int(np.argmax(f1))]), 3)
