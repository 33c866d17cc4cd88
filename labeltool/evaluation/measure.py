"""Measuring a model, float and int8, on clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from labeltool.evaluation import metrics
from labeltool.inference import scoring
from labeltool.networks import heads, model_folder
from labeltool.networks.heads import Head, log_loss
from labeltool.type_aliases import Bools, Float32, Float64, Int64, Progress

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, slots=True)
class ByLabel:
    """One label: clips known to hold it, and how much of it is found and of what is said is true; None without any."""

    label: str
    clips: int
    recall: float | None
    precision: float | None
    int8_recall: float | None
    int8_precision: float | None


@dataclass(frozen=True, slots=True)
class Measured:
    """What came out; shares are 0 to 1.

    Attributes
    ----------
    clip_accuracy, patch_accuracy
        Under a softmax, clips (patches) whose first label is there; under a sigmoid, clips on which every label that
        was checked is told right.
    label_accuracy
        Under a sigmoid, labels told right of all that were checked; under a softmax the same as `clip_accuracy`.
    int8_patch_agreement
        Patches of which both precisions say the same.
    ece
        Expected calibration error of the clips' probabilities.
    log_loss
        What a clip is charged on the mean (`labeltool.heads`), float.
    unknown
        Clips of which nothing is said, for no label reaches the threshold; int8.
    confusion
        (labels, labels), rows the truth; see `metrics.confusion`.
    reliability
        For each bin of confidence that has any answers: mean confidence, share that is right, answers.
    """

    labels: tuple[str, ...]
    head: Head
    clips: int
    clip_accuracy: float
    label_accuracy: float
    patch_accuracy: float
    int8_clip_accuracy: float
    int8_label_accuracy: float
    int8_patch_agreement: float
    ece: float
    int8_ece: float
    log_loss: float
    unknown: float
    by_label: tuple[ByLabel, ...]
    confusion: Int64
    int8_confusion: Int64
    reliability: tuple[tuple[float, float, int], ...]
    int8_reliability: tuple[tuple[float, float, int], ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        return {**asdict(self), "confusion": self.confusion.tolist(), "int8_confusion": self.int8_confusion.tolist()}


def measure(
    files: model_folder.ModelFiles,
    log_mels: Sequence[Float32],
    present: Float32,
    absent: Float32,
    *,
    names: Sequence[str],
    report: Progress,
    network: keras.Model | None = None,
) -> Measured:
    """Measure float and int8 on the same clips.

    Parameters
    ----------
    present, absent : (clips, labels) float32
        What is known of each clip, one column for each different name, in their order.
    names
        What each of the model's outputs is called; outputs of one name, labels that were merged since, count as one.
    network
        The float one, where it is at hand; else it is loaded.
    """
    labels, rule = tuple(dict.fromkeys(names)), files.rule
    head, threshold = rule.head, rule.threshold if rule.head == "sigmoid" else heads.EVEN
    clips, patches = {}, {}
    for precision in ("float", "int8"):
        report(f"measuring, {precision}", 0, len(log_mels))
        predict = scoring.float_predictor(files, network) if precision == "float" else scoring.int8_predictor(files)
        scores = list(scoring.score_clips(files, predict, log_mels))
        clips[precision] = _under(names, np.stack([score.probabilities for score in scores]), head)
        patches[precision] = _under(names, np.concatenate([score.patches for score in scores]), head)
    which = np.repeat(np.arange(len(log_mels)), [len(score.patches) for score in scores])

    def right(probabilities: Float32, at: float) -> Float64:
        return metrics.right(probabilities, present, absent, head, at)

    recalls = {one: metrics.recall_and_precision(clips[one], present, absent, head, threshold) for one in clips}
    sure = {one: metrics.confidences(clips[one], present, absent, head) for one in clips}
    checked = ((present > 0) | (absent > 0)).sum(axis=1) if head == "sigmoid" else np.ones(len(present))
    patch_right = metrics.right(patches["float"], present[which], absent[which], head)
    same = heads.said(patches["float"], head) == heads.said(patches["int8"], head)
    return Measured(
        labels=labels,
        head=head,
        clips=len(log_mels),
        clip_accuracy=_all_right(right(clips["float"], threshold)),
        label_accuracy=float(np.average(right(clips["float"], threshold), weights=checked)),
        patch_accuracy=_all_right(patch_right),
        int8_clip_accuracy=_all_right(right(clips["int8"], threshold)),
        int8_label_accuracy=float(np.average(right(clips["int8"], threshold), weights=checked)),
        int8_patch_agreement=float(same.all(axis=1).mean()),
        ece=metrics.expected_calibration_error(*sure["float"]),
        int8_ece=metrics.expected_calibration_error(*sure["int8"]),
        log_loss=float(log_loss(head, clips["float"], present, absent).mean()),
        unknown=float((clips["int8"].max(axis=1) < rule.threshold).mean()),
        by_label=tuple(
            ByLabel(label, int((present > absent)[:, place].sum()), *(_or_none(one[place]) for one in shares))
            for place, label in enumerate(labels)
            for shares in [(*recalls["float"], *recalls["int8"])]
        ),
        confusion=metrics.confusion(clips["float"], present, absent, head, threshold),
        int8_confusion=metrics.confusion(clips["int8"], present, absent, head, threshold),
        reliability=_reliability(*sure["float"]),
        int8_reliability=_reliability(*sure["int8"]),
    )


def _under(names: Sequence[str], probabilities: Float32, head: Head) -> Float32:
    """Put outputs of one name together: their sum, or the larger where each stands for itself."""
    labels = list(dict.fromkeys(names))
    put = np.add if head == "softmax" else np.maximum
    together = np.zeros((len(probabilities), len(labels)), np.float32)
    for column, name in enumerate(names):
        place = labels.index(name)
        together[:, place] = put(together[:, place], probabilities[:, column])
    return together


def _all_right(shares: Float64) -> float:
    return float((shares == 1.0).mean())


def _or_none(share: float) -> float | None:
    return None if np.isnan(share) else float(share)


def _reliability(confidence: Float32, was_right: Bools) -> tuple[tuple[float, float, int], ...]:
    sure, true, counts = metrics.reliability(confidence, was_right)
    return tuple((float(a), float(b), int(n)) for a, b, n in zip(sure, true, counts, strict=True))
