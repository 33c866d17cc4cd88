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

    labels: tuple[str, ...]
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
    truth: Sequence[str],
    *,
    names: Sequence[str],
    report: Callable[..., None],
) -> Measured:
    """Measure float and int8 on the same clips.

    Parameters
    ----------
    truth
        Each clip's label.
    names
        What each of the model's outputs is called; outputs of one name, labels that were merged since, count as one.
    """
    labels = tuple(dict.fromkeys(names))
    place = {name: index for index, name in enumerate(labels)}
    merged = np.zeros((len(names), len(labels)), np.float32)
    merged[np.arange(len(names)), [place[name] for name in names]] = 1
    wanted = np.array([place[name] for name in truth])
    report("measuring, float", 0, len(truth))
    as_float = list(scoring.score_clips(files, scoring.float_predictor(files), log_mels))
    report("measuring, int8", 0, len(truth))
    as_int8 = list(scoring.score_clips(files, scoring.int8_predictor(files), log_mels))
    probabilities = np.stack([score.probabilities for score in as_float]) @ merged
    answers = probabilities.argmax(axis=1)
    int8_answers = (np.stack([score.probabilities for score in as_int8]) @ merged).argmax(axis=1)
    patch_wanted = np.repeat(wanted, [len(score.patches) for score in as_float])
    patch_answers = (np.concatenate([score.patches for score in as_float]) @ merged).argmax(axis=1)
    int8_patch_answers = (np.concatenate([score.patches for score in as_int8]) @ merged).argmax(axis=1)
    return Measured(
        labels=labels,
        clips=len(truth),
        clip_accuracy=float(np.mean(answers == wanted)),
        patch_accuracy=float(np.mean(patch_answers == patch_wanted)),
        int8_clip_accuracy=float(np.mean(int8_answers == wanted)),
        int8_patch_agreement=float(np.mean(int8_patch_answers == patch_answers)),
        ece=metrics.expected_calibration_error(probabilities, wanted),
        confusion=metrics.confusion(wanted, answers, len(labels)),
    )
