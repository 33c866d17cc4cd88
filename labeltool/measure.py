"""Measuring a model, float and int8, on clips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labeltool import metrics, modelfiles, scoring
from labeltool.frontend import Float32


@dataclass(frozen=True, slots=True)
class Measured:
    """What came out; accuracies and `ece` 0 to 1, `confusion` (labels, labels), rows the truth, of the float model."""

    clips: int
    clip_accuracy: float
    patch_accuracy: float
    int8_clip_accuracy: float
    int8_patch_agreement: float
    ece: float
    confusion: npt.NDArray[np.int64]

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        return {**asdict(self), "confusion": self.confusion.tolist()}


def measure(
    files: modelfiles.ModelFiles,
    log_mels: Sequence[Float32],
    truth: npt.NDArray[np.int64],
    *,
    report: Callable[..., None],
) -> Measured:
    """Measure float and int8 on the same clips.

    Parameters
    ----------
    truth : (clips,)
        Indices into the model's labels.
    """
    report("measuring, float", 0, len(truth))
    as_float = list(scoring.score_clips(files, scoring.float_predictor(files), log_mels))
    report("measuring, int8", 0, len(truth))
    as_int8 = list(scoring.score_clips(files, scoring.int8_predictor(files), log_mels))
    probabilities = np.stack([score.probabilities for score in as_float])
    answers = probabilities.argmax(axis=1)
    patch_truth = np.repeat(truth, [len(score.patches) for score in as_float])
    patch_answers = np.concatenate([score.patches for score in as_float]).argmax(axis=1)
    int8_patch_answers = np.concatenate([score.patches for score in as_int8]).argmax(axis=1)
    int8_answers = np.stack([score.probabilities for score in as_int8]).argmax(axis=1)
    return Measured(
        clips=len(truth),
        clip_accuracy=float(np.mean(answers == truth)),
        patch_accuracy=float(np.mean(patch_answers == patch_truth)),
        int8_clip_accuracy=float(np.mean(int8_answers == truth)),
        int8_patch_agreement=float(np.mean(int8_patch_answers == patch_answers)),
        ece=metrics.expected_calibration_error(probabilities, truth),
        confusion=metrics.confusion(truth, answers, len(files.labels)),
    )
