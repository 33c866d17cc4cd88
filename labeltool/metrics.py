"""How right a model is: accuracy, confusion, calibration."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_BINS = 15


def confusion(truth: npt.NDArray[np.int64], answers: npt.NDArray[np.int64], labels: int) -> npt.NDArray[np.int64]:
    """Count answers: `[i, j]` clips of label i that were heard as j, (labels, labels)."""
    counts = np.zeros((labels, labels), np.int64)
    np.add.at(counts, (truth, answers), 1)
    return counts


def expected_calibration_error(probabilities: npt.NDArray[np.float32], truth: npt.NDArray[np.int64]) -> float:
    """Return how far confidence is from being right, 0 to 1, over 15 bins of equal width.

    Guo et al., "On Calibration of Modern Neural Networks", 2017.

    Parameters
    ----------
    probabilities : (clips, labels)
    truth : (clips,)
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    gaps = [abs(confidence[bins == one].mean() - right[bins == one].mean()) * np.mean(bins == one) for one in set(bins)]
    return float(sum(gaps))
