"""One label against the rest, from few examples: a logistic regression over segments, and what is left to be found.

The segments that nobody judged are weak negatives: all together weigh as much as the examples, for most of them are
something else. With five examples this ranks nearly as well as with hundreds, and takes milliseconds.

The number of events is estimated by calibrating the probabilities (Platt 1999) in a Bayesian way: slope and shift of
their log-odds have a prior, weighted by how well they fit the annotations, each scored by a classifier that was not
trained on it. The first examples, which a person chose because the label is present, count like the others and bias
this a little; random checks among the unlikely candidates show what the classifier misses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labeltool.type_aliases import Bools, Float32, Float64, Int64

_REGULARISATION = 10.0
_NEWTON_STEPS = 12
# At most this many weak negatives settle the classifier, however long the recordings are.
_MAX_WEAK = 4096
_FOLDS = 5

# Prior of slope and shift, wide and not tuned: few examples, and the weak negatives among which positives are, keep the
# classifier's own probabilities from 0 and 1.
_SLOPE, _SLOPE_SPREAD = 2.5, 0.4
_SHIFT_SPREAD = 1.0
_DRAWS = 500
_SMALLEST = 1e-6
_INTERVAL = (0.05, 0.95)


@dataclass(frozen=True, slots=True)
class Annotations:
    """What people judged.

    Attributes
    ----------
    rows : (annotations, axes) float32
        Embeddings of the spans.
    present : (annotations,) bool
    direct : (annotations,) bool
        Whether the label itself was judged, not another one that is present there.
    """

    rows: Float32
    present: Bools
    direct: Bools


@dataclass(frozen=True, slots=True)
class Estimate:
    """How many events there are, an interval (meant for 90 %, 6 and 7 of 10 when measured), and the share found."""

    events: float
    low: int
    high: int
    recall: float


class EventClassifier:
    """Probability of a label for segments, by the annotations so far.

    Parameters
    ----------
    annotations
        At least one of them present.
    unlabelled : (segments, axes) float32
        Segments that nobody judged.
    """

    def __init__(self, annotations: Annotations, unlabelled: Float32) -> None:
        self._annotations = annotations
        chosen = np.random.default_rng(0).permutation(len(unlabelled))[:_MAX_WEAK]
        self._weak = unlabelled[np.sort(chosen)]
        self._weights = self._fit(np.ones(len(annotations.present), bool))

    def probabilities(self, rows: Float32) -> Float64:
        """Return the probability of the label in each row, (rows,) float64."""
        return _probabilities(self._weights, rows)

    def left_out(self) -> Float64:
        """Return the probability of each annotated span by a classifier that was trained without it."""
        present = self._annotations.present
        folds = np.empty(len(present), np.int64)
        for value in (True, False):
            folds[present == value] = np.arange((present == value).sum()) % _FOLDS
        scores = np.empty(len(present))
        for fold in range(_FOLDS):
            kept = folds != fold
            if present[kept].any():
                scores[~kept] = _probabilities(self._fit(kept), self._annotations.rows[~kept])
            else:
                scores[~kept] = self.probabilities(self._annotations.rows[~kept])
        return scores

    def mismatched(self, rows: Float32, probabilities: Float64) -> Bools:
        """Return where the nearest annotation contradicts the classifier, (rows,) bool."""
        annotated = self._annotations.rows
        distances = (annotated**2).sum(axis=1) - 2.0 * rows @ annotated.T
        return np.asarray(self._annotations.present[distances.argmin(axis=1)] != (probabilities >= 0.5))

    def _fit(self, kept: Bools) -> Float64:
        annotations = self._annotations
        rows = np.concatenate([annotations.rows[kept], self._weak]).astype(np.float64)
        present = np.concatenate([annotations.present[kept], np.zeros(len(self._weak), bool)])
        examples = max(1, int(annotations.present[kept].sum()))
        others = ~annotations.present[kept] & ~annotations.direct[kept]
        # Other labels' spans weigh as much as the examples too: a project may have hundreds of them.
        other_weight = min(1.0, examples / max(1, int(others.sum())))
        weights = np.concatenate(
            [np.where(others, other_weight, 1.0), np.full(len(self._weak), examples / max(1, len(self._weak)))]
        )
        return _logistic_regression(rows, present, weights)


def estimate(
    classifier: EventClassifier,
    annotations: Annotations,
    probabilities: Float64,
    listed: Bools,
    accepted: int,
    *,
    seed: int = 0,
) -> Estimate:
    """Estimate the number of events.

    Parameters
    ----------
    probabilities : (candidates,) float64
        Of the candidates that nobody judged.
    listed : (candidates,) bool
        Those that count as found.
    """
    rng = np.random.default_rng(seed)
    slopes = _SLOPE * np.exp(rng.normal(0.0, _SLOPE_SPREAD, (_DRAWS, 1)))
    shifts = rng.normal(0.0, _SHIFT_SPREAD, (_DRAWS, 1))
    predicted = _sigmoid(slopes * _log_odds(classifier.left_out()[annotations.direct]) + shifts)
    likelihood = np.where(annotations.present[annotations.direct], predicted, 1.0 - predicted)
    evidence = np.log(np.maximum(likelihood, _SMALLEST)).sum(axis=1)
    weights = np.exp(evidence - evidence.max())
    chosen = rng.choice(_DRAWS, _DRAWS, p=weights / weights.sum())
    present = _sigmoid(slopes[chosen] * _log_odds(probabilities) + shifts[chosen])
    drawn = rng.random(present.shape) < present
    total = accepted + drawn.sum(axis=1)
    found = accepted + drawn[:, listed].sum(axis=1)
    low, high = np.quantile(total, _INTERVAL)
    recall = float((found / np.maximum(total, 1)).mean())
    return Estimate(float(total.mean()), int(np.floor(low)), int(np.ceil(high)), recall)


def _log_odds(probabilities: Float64) -> Float64:
    certain = np.clip(probabilities, _SMALLEST, 1.0 - _SMALLEST)
    return np.asarray(np.log(certain) - np.log1p(-certain))


def question_order(probabilities: Float64, mismatched: Bools, count: int, *, seed: int) -> Int64:
    """Return the candidates to check next, the most informative first.

    In turn: a mismatch (the nearest annotation contradicts the classifier; Zhao et al. 2020) or else the least certain
    one; the most probable one; and now and then a random one of the rest, the unlikely ones too, as a check.

    Parameters
    ----------
    seed
        Draws the checks, and decides whose turn it is first: the number of annotations so far.
    """
    rng = np.random.default_rng(seed)
    uncertain = np.lexsort((np.abs(probabilities - 0.5), ~mismatched)).tolist()
    probable = np.argsort(-probabilities, kind="stable").tolist()
    checks = rng.permutation(len(probabilities)).tolist()
    turns: Sequence[list[int]] = (uncertain, probable, uncertain, checks)
    order: dict[int, None] = {}
    turn = seed
    while len(order) < min(count, len(probabilities)):
        queue = turns[turn % len(turns)]
        while queue and queue[0] in order:
            queue.pop(0)
        order[queue[0]] = None
        turn += 1
    return np.fromiter(order, np.int64)


def _logistic_regression(rows: Float64, present: Bools, weights: Float64) -> Float64:
    """Fit by Newton's method with a quadratic penalty; the last weight is the constant, which has none."""
    inputs = np.concatenate([rows, np.ones((len(rows), 1))], axis=1)
    penalty = np.full(inputs.shape[1], 1.0 / _REGULARISATION)
    penalty[-1] = 1e-6
    found = np.zeros(inputs.shape[1])
    for _ in range(_NEWTON_STEPS):
        predicted = _sigmoid(inputs @ found)
        slope = inputs.T @ (weights * (predicted - present)) + penalty * found
        curve = (inputs.T * (weights * predicted * (1.0 - predicted))) @ inputs
        step = np.linalg.solve(curve + np.diag(penalty), slope)
        found -= step
        if np.abs(step).max() < 1e-6:
            break
    return found


def _probabilities(weights: Float64, rows: Float32) -> Float64:
    return _sigmoid(rows @ weights[:-1] + weights[-1])


def _sigmoid(values: Float64) -> Float64:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(values, -40.0, 40.0))))
