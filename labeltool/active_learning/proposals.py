"""Which of a pretrained model's classes a clip may be of, as new labels: specific ones, not what many clips share."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from labeltool.type_aliases import Float32, Float64

MAX_PROPOSED = 5
_MIN_PROBABILITY = 0.05
# A clip's scores are mostly those of the clips that are most similar: what only one of them is scored as is noise.
_NEIGHBOURS = 8
_WEIGHT_OF_NEIGHBOURS = 0.9
# A class counts less the more often it is scored: by this power of its mean over clips, with this much added.
_POWER, _ADDED = 0.5, 0.03
# Of two classes with nearly the same score, of which one is never scored without the other, the narrower one counts.
_NEARLY, _INCLUDED, _NARROWER = 0.9, 0.9, 0.95
# A class with this score on the clips of a label is what that label is, or what it has in common with others.
_EXPLAINED = 0.3


@dataclass(frozen=True, slots=True)
class ProposalPool:
    """Some clips of the project, to compare a clip with.

    Attributes
    ----------
    rows : (clips, width) float32
        Embeddings, each of length one.
    peaks : (clips, classes) float32
        The largest score of each class.
    """

    rows: Float32
    peaks: Float32


def propose_classes(
    classes: Sequence[str],
    row: Float32,
    peaks: Float32,
    pool: ProposalPool,
    *,
    mapped: Collection[int],
    by_label: Float64,
) -> dict[str, float]:
    """Return classes that may be a clip's label, by name, with probabilities, the highest first.

    Parameters
    ----------
    row, peaks
        Of the clip, as in the pool.
    mapped
        Classes that suggest a label already.
    by_label : (labels, classes)
        The mean scores of the clips of each label.
    """
    if not classes:
        return {}
    scores, usual = peaks.astype(np.float64), peaks.astype(np.float64)
    if len(pool.rows):
        nearest = np.argsort(-(pool.rows @ row))[:_NEIGHBOURS]
        # With few clips to compare with, the clip itself counts more.
        weight = _WEIGHT_OF_NEIGHBOURS * min(1.0, len(pool.rows) / (4 * _NEIGHBOURS))
        scores = (1.0 - weight) * scores + weight * pool.peaks[nearest].mean(axis=0)
        usual = pool.peaks.mean(axis=0).astype(np.float64)
    worth = scores / (usual + _ADDED) ** _POWER
    worth[list(mapped)] = 0.0
    if len(by_label):
        worth[by_label.max(axis=0) >= _EXPLAINED] = 0.0
    first = int(worth.argmax())
    chosen = _narrower(first, scores, worth, pool) if len(pool.rows) else first
    worth[chosen] = worth[first]
    worth[first] *= 1.0 if chosen == first else _NEARLY
    order = np.argsort(-worth, kind="stable")[:MAX_PROPOSED]
    # In the order of their worth, on the scale of the first one's score.
    scale = scores[order[0]] / max(worth[order[0]], 1e-9)
    return {classes[index]: p for index in order if (p := float(worth[index] * scale)) >= _MIN_PROBABILITY}


def _narrower(first: int, scores: Float64, worth: Float64, pool: ProposalPool) -> int:
    """Return the class that is a kind of another and fits nearly as well ("Crying, sobbing": "Baby cry"); else that."""
    totals = pool.peaks.sum(axis=0)
    like = np.flatnonzero((scores >= _NEARLY * scores[first]) & (worth > 0) & (totals < _NARROWER * totals[first]))
    common = np.minimum(pool.peaks[:, like], pool.peaks[:, [first]]).sum(axis=0)
    kinds = like[common >= _INCLUDED * totals[like]]
    return int(kinds[worth[kinds].argmax()]) if len(kinds) else first
