"""Metrics of predictions: accuracy, confusion, recall and precision, calibration.

Labels of clips come as in `labeltool.networks.heads`: two masses for each output, `present` and `absent`, both zero
where nobody has checked. A label counts as present where the first is the larger.
"""

from __future__ import annotations

import numpy as np

from labeltool.networks.heads import DEFAULT_THRESHOLD, Head, decide
from labeltool.type_aliases import Bools, Float32, Float64, Int64

BINS = 15
"""Bins of equal width by which calibration is measured."""


def correct_share(
    probabilities: Float32, present: Float32, absent: Float32, head: Head, threshold: float = DEFAULT_THRESHOLD
) -> Float64:
    """Return the share of each row's checked labels that are predicted correctly, (rows,), 0 to 1.

    Under a softmax 1 where the most probable label is present, or, where no label is known to be, not known absent.
    """
    predicted = decide(probabilities, head, threshold)
    is_present, checked = present > absent, (present > 0) | (absent > 0)
    if head == "sigmoid":
        correct = ((predicted == is_present) & checked).sum(axis=1)
        return np.asarray(correct / np.maximum(1, checked.sum(axis=1)), np.float64)
    allowed = np.where(is_present.any(axis=1, keepdims=True), is_present, absent == 0)
    return np.asarray((predicted & allowed).any(axis=1), np.float64)


def confusion(
    probabilities: Float32, present: Float32, absent: Float32, head: Head, threshold: float = DEFAULT_THRESHOLD
) -> Int64:
    """Count predictions, (labels, labels): `[i, j]` is the number of clips with label i for which j was predicted.

    For a clip with several labels, correct predictions count on the diagonal, and a wrong one against every label that
    is present; a prediction that nobody has checked is not counted.
    """
    predicted, is_present = decide(probabilities, head, threshold), present > absent
    wrong = predicted & ((absent > present) if head == "sigmoid" else ~is_present)
    counts = is_present.astype(np.int64).T @ wrong.astype(np.int64)
    counts[np.diag_indices_from(counts)] = (predicted & is_present).sum(axis=0)
    return counts


def recall_and_precision(
    probabilities: Float32, present: Float32, absent: Float32, head: Head, threshold: float = DEFAULT_THRESHOLD
) -> tuple[Float64, Float64]:
    """Return the recall and the precision of each label, both (labels,); NaN where undefined.

    Under a softmax every label but the present ones is absent; under a sigmoid only checked labels count.
    """
    predicted, is_present = decide(probabilities, head, threshold), present > absent
    is_absent = (absent > present) if head == "sigmoid" else ~is_present & is_present.any(axis=1, keepdims=True)
    true_positives = (predicted & is_present).sum(axis=0).astype(np.float64)
    false_positives = (predicted & is_absent).sum(axis=0)
    with np.errstate(invalid="ignore"):
        return true_positives / is_present.sum(axis=0), true_positives / (true_positives + false_positives)


def confidences(probabilities: Float32, present: Float32, absent: Float32, head: Head) -> tuple[Float32, Bools]:
    """Return the confidence of each prediction, and whether it is correct, both (predictions,).

    A prediction is the most probable label of a clip (softmax), or yes or no to each checked label (sigmoid).
    """
    if head == "sigmoid":
        checked = (present > 0) | (absent > 0)
        predicted = probabilities[checked]
        return np.maximum(predicted, 1 - predicted), (predicted >= DEFAULT_THRESHOLD) == (present > absent)[checked]
    return probabilities.max(axis=1), correct_share(probabilities, present, absent, head) > 0


def bin_index(confidence: float) -> int:
    """Return the bin of equal width that a confidence falls into."""
    return min(int(confidence * BINS), BINS - 1)


def reliability(confidence: Float32, was_correct: Bools) -> tuple[Float64, Float64, Int64]:
    """Return mean confidence, accuracy and number of predictions of each bin that holds any."""
    bins = np.array([bin_index(float(one)) for one in confidence])
    occupied = np.unique(bins)
    mean_confidence = np.array([confidence[bins == one].mean() for one in occupied], np.float64)
    accuracy = np.array([was_correct[bins == one].mean() for one in occupied], np.float64)
    return mean_confidence, accuracy, np.array([(bins == one).sum() for one in occupied], np.int64)


def expected_calibration_error(confidence: Float32, was_correct: Bools) -> float:
    """Return the mean distance between confidence and accuracy, 0 to 1, over 15 bins of equal width.

    Guo et al., "On Calibration of Modern Neural Networks", 2017.
    """
    if len(confidence) == 0:
        return 0.0
    mean_confidence, accuracy, counts = reliability(confidence, was_correct)
    return float((np.abs(mean_confidence - accuracy) * counts).sum() / counts.sum())
