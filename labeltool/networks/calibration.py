"""Temperature, pooling rule and threshold, chosen on validation clips."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from labeltool.errors import LabeltoolError
from labeltool.networks.heads import Head, log_loss
from labeltool.networks.postprocessing import (
    _USUAL_TEMPERATURE,
    POOLINGS,
    ClipRule,
    Pooling,
    clip_scores,
    logits,
    normalised,
)
from labeltool.type_aliases import Float32, Float64

# Of the answers that are right on validation, so many must reach the threshold.
_RIGHT_ABOVE_THRESHOLD = 0.95


# Another way to pool patches needs so many clips, and so much less log loss, to be chosen.
_FEWEST_TO_POOL_BY, _WORTH_POOLING_BY = 20, 0.01


# With fewer answers the threshold would be one clip's whim.
_FEWEST_FOR_A_THRESHOLD = 8


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
    found: list[tuple[ClipRule, Float32, Float64]] = []
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
