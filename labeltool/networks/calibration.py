"""Temperature, pooling rule and threshold, chosen on validation clips."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from labeltool.errors import LabeltoolError
from labeltool.networks.heads import Head, log_loss
from labeltool.networks.postprocessing import (
    DEFAULT_TEMPERATURE,
    POOLINGS,
    ClipRule,
    Pooling,
    clip_scores,
    to_logits,
    to_probabilities,
)
from labeltool.type_aliases import Float32, Float64

# Temperatures to choose from.
_TEMPERATURES = np.geomspace(0.2, 5.0, 97)
# Validation clips that the expected temperature counts as much as.
_PRIOR_CLIPS = 24.0
# Probability off 0 and 1 where clip scores become logits again.
_SMALLEST = 1e-12
# Share of the right predictions on validation clips that must reach the threshold.
_RIGHT_ABOVE_THRESHOLD = 0.95
# Clips, and improvement of the log loss, that another pooling needs to be chosen.
_MIN_CLIPS_TO_CHOOSE_POOLING, _MIN_POOLING_GAIN = 20, 0.01
# With fewer right predictions a single clip would decide on the threshold.
_MIN_CLIPS_FOR_THRESHOLD = 8


def choose_temperature(
    clip_scores: Float32,
    present: Float32,
    absent: Float32 | None = None,
    head: Head = "softmax",
    expected: float = DEFAULT_TEMPERATURE,
) -> float:
    """Return the temperature that calibrates clip scores (Guo et al. 2017).

    Parameters
    ----------
    clip_scores : (clips, labels) float32
        Scores at temperature one.
    present, absent : (clips, labels) float32
        Targets of the clips; None: nothing is known to be absent beside what the head implies.

    Returns
    -------
    float
        The temperature of least `log_loss` in a grid from 0.2 to 5, with a prior on the expected one worth 24 clips: a
        few that happen to be right must not make the network overconfident.
    """
    absent = np.zeros_like(present) if absent is None else absent
    logits = to_logits(clip_scores, head, _SMALLEST)
    losses = []
    for temperature in _TEMPERATURES:
        prior = _PRIOR_CLIPS * np.log(temperature / expected) ** 2
        losses.append(prior + log_loss(head, to_probabilities(logits, head, float(temperature)), present, absent).sum())
    return float(_TEMPERATURES[int(np.argmin(losses))])


def pooling_named(name: str) -> Pooling:
    """Return the pooling of a name, with its type.

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
    """Choose the pooling on validation clips, each one calibrated, and the threshold.

    Another pooling than the default is chosen only where it is better by two standard errors on enough clips: on a few
    clips any may be best by chance.

    Parameters
    ----------
    by_clip : (patches, labels) float32 each
        The network's outputs.
    loudness_db : (patches,) float32 each
    present, absent : (clips, labels) float32
    rule
        With the head, the exponent and the temperature that `choose_temperature` expects.
    pooling
        The one to use; None: chosen.

    Returns
    -------
    ClipRule
    (clips, labels) float32
        Its scores of the clips.
    """
    found: list[tuple[ClipRule, Float32, Float64]] = []
    enough = len(by_clip) >= _MIN_CLIPS_TO_CHOOSE_POOLING
    for each in (pooling,) if pooling else POOLINGS if enough else POOLINGS[:1]:
        plain = replace(rule, temperature=1.0, pooling=each)
        scores = np.stack([clip_scores(rows, levels, plain) for rows, levels in zip(by_clip, loudness_db, strict=True)])
        temperature = choose_temperature(scores, present, absent, rule.head, rule.temperature)
        calibrated = to_probabilities(to_logits(scores, rule.head, _SMALLEST), rule.head, temperature)
        losses = log_loss(rule.head, calibrated, present, absent)
        found.append((replace(plain, temperature=temperature), calibrated, losses))
    best, default = min(found, key=lambda one: float(one[2].mean())), found[0]
    gain = default[2] - best[2]
    min_gain = max(_MIN_POOLING_GAIN, 2.0 * gain.std() / math.sqrt(len(gain)))
    chosen, scores, _ = best if gain.mean() > min_gain else default
    return replace(chosen, threshold=choose_threshold(scores, present, absent, rule.head)), scores


def choose_threshold(clip_scores: Float32, present: Float32, absent: Float32, head: Head) -> float:
    """Choose the least probability of a predicted label on validation clips.

    Under a softmax 19 of 20 right predictions reach it, so that little is lost and most sounds of no label stay below
    it (the operating point of Hendrycks and Gimpel 2017); it is 0.5 at most. Under a sigmoid it is the threshold of the
    best F1 over all labels that were checked.

    Parameters
    ----------
    clip_scores : (clips, labels) float32
        Calibrated.
    present, absent : (clips, labels) float32

    Returns
    -------
    float
        0 to 1; with fewer than eight clips to choose by 0 under a softmax, 0.5 under a sigmoid.
    """
    if head == "softmax":
        best = clip_scores.argmax(axis=1)
        right = clip_scores.max(axis=1)[present[np.arange(len(best)), best] > 0]
        if len(right) < _MIN_CLIPS_FOR_THRESHOLD:
            return 0.0
        return round(min(0.5, float(np.quantile(right, 1.0 - _RIGHT_ABOVE_THRESHOLD))), 3)
    positive, negative = clip_scores[present > 0.5], clip_scores[absent > 0.5]
    if len(positive) < _MIN_CLIPS_FOR_THRESHOLD or len(negative) == 0:
        return 0.5
    # Nearest to 0.5 first: of equals the first is chosen.
    grid = sorted(np.linspace(0.1, 0.9, 33), key=lambda threshold: abs(threshold - 0.5))
    f1 = []
    for threshold in grid:
        hits = int((positive >= threshold).sum())
        f1.append(2 * hits / (hits + int((negative >= threshold).sum()) + len(positive)))
    return round(float(grid[int(np.argmax(f1))]), 3)
