"""How right a model is: accuracy, confusion, recall and precision, calibration.

What is known of clips comes as in `labeltool.heads`: two masses for each output, `present` and `absent`, both zero
where nobody has checked. A label is held to be there where the first is the larger.
"""

from __future__ import annotations

import numpy as np

from labeltool.networks.heads import EVEN, Head, said
from labeltool.type_aliases import Bools, Float32, Float64, Int64

BINS = 15
"""Bins of equal width that calibration is measured by."""


def right(probabilities: Float32, present: Float32, absent: Float32, head: Head, threshold: float = EVEN) -> Float64:
    """Return how much of what was checked on each row is told right, (rows,), 0 to 1.

    Under a softmax 1 where the first label is one that is there, or one nobody denied where nothing is known to be.
    """
    answers = said(probabilities, head, threshold)
    there, checked = present > absent, (present > 0) | (absent > 0)
    if head == "sigmoid":
        return np.asarray(((answers == there) & checked).sum(axis=1) / np.maximum(1, checked.sum(axis=1)), np.float64)
    allowed = np.where(there.any(axis=1, keepdims=True), there, absent == 0)
    return np.asarray((answers & allowed).any(axis=1), np.float64)


def confusion(probabilities: Float32, present: Float32, absent: Float32, head: Head, threshold: float = EVEN) -> Int64:
    """Count answers, (labels, labels): `[i, j]` clips with label i of which j was said.

    Of a clip with several labels, those that were said rightly count on the diagonal, those that were said wrongly
    beside it, each against every label that is there; what was said and never checked counts nowhere.
    """
    answers, there = said(probabilities, head, threshold), present > absent
    wrong = answers & ((absent > present) if head == "sigmoid" else ~there)
    counts = there.astype(np.int64).T @ wrong.astype(np.int64)
    counts[np.diag_indices_from(counts)] = (answers & there).sum(axis=0)
    return counts


def recall_and_precision(
    probabilities: Float32, present: Float32, absent: Float32, head: Head, threshold: float = EVEN
) -> tuple[Float64, Float64]:
    """Return, for each label, how much of it is found, and how much of what is said is true; NaN where there is none.

    A softmax denies every label but the first; under a sigmoid only what was checked counts.
    """
    answers, there = said(probabilities, head, threshold), present > absent
    away = (absent > present) if head == "sigmoid" else ~there & there.any(axis=1, keepdims=True)
    hits = (answers & there).sum(axis=0).astype(np.float64)
    with np.errstate(invalid="ignore"):
        return hits / there.sum(axis=0), hits / (hits + (answers & away).sum(axis=0))


def confidences(probabilities: Float32, present: Float32, absent: Float32, head: Head) -> tuple[Float32, Bools]:
    """Return how sure each answer is, and whether it is right, both (answers,).

    An answer is the first label of a clip (softmax), or yes or no to each label that was checked (sigmoid).
    """
    if head == "sigmoid":
        checked = (present > 0) | (absent > 0)
        held = probabilities[checked]
        return np.maximum(held, 1 - held), (held >= EVEN) == (present > absent)[checked]
    return probabilities.max(axis=1), right(probabilities, present, absent, head) > 0


def bin_of(confidence: float) -> int:
    """Return which bin of equal width a confidence falls into."""
    return min(int(confidence * BINS), BINS - 1)


def reliability(confidence: Float32, was_right: Bools) -> tuple[Float64, Float64, Int64]:
    """Return mean confidence, share of right answers, and number of answers in each bin that has any."""
    bins = np.array([bin_of(float(sure)) for sure in confidence])
    there = np.unique(bins)
    sure = np.array([confidence[bins == one].mean() for one in there], np.float64)
    true = np.array([was_right[bins == one].mean() for one in there], np.float64)
    return sure, true, np.array([(bins == one).sum() for one in there], np.int64)


def expected_calibration_error(confidence: Float32, was_right: Bools) -> float:
    """Return how far confidence is from being right, 0 to 1, over 15 bins of equal width.

    Guo et al., "On Calibration of Modern Neural Networks", 2017.
    """
    if len(confidence) == 0:
        return 0.0
    sure, true, counts = reliability(confidence, was_right)
    return float((np.abs(sure - true) * counts).sum() / counts.sum())
