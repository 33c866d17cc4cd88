"""Measure a model, float and int8, on labelled clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from labeltool.evaluation import metrics
from labeltool.inference import scoring
from labeltool.networks import heads, model_folder, stream_calibration
from labeltool.networks.heads import Head, log_loss
from labeltool.networks.model_card import LabelMetrics, Measured, ReliabilityBin
from labeltool.networks.postprocessing import ClipRule
from labeltool.type_aliases import Bools, Float32, Float64, Int64, Progress
from labeltool.util.lazy_frames import pick
from labeltool.util.time_limit import NO_LIMIT, TimeLimit

if TYPE_CHECKING:
    import keras

# Clips that are scored between two looks at the clock.
_CLIPS_IN_A_BUDGET = 4


def measure(
    files: model_folder.ModelFiles,
    clips: Sequence[Float32],
    present: Float32,
    absent: Float32,
    *,
    names: Sequence[str],
    report: Progress,
    network: keras.Model | None = None,
    limit: TimeLimit = NO_LIMIT,
) -> Measured:
    """Measure a model's float and int8 network on the same clips: `metrics_of` what `predict_clips` returns.

    Where the time is up before, on some of the clips, drawn by chance; the log loss is that of all.
    """
    order = np.arange(len(clips)) if limit == NO_LIMIT else np.random.default_rng(0).permutation(len(clips))
    predictions = predict_clips(files, pick(clips, order), names=names, report=report, network=network, limit=limit)
    loss = log_loss(predictions.rule.head, predictions.as_float.clips, present[order], absent[order]).mean()
    done = order[: len(predictions.as_int8.clips)]
    measured = metrics_of(predictions.only(np.arange(len(clips)) < len(done)), present[done], absent[done])
    return replace(measured, log_loss=float(loss))


@dataclass(frozen=True, slots=True)
class Probabilities:
    """Probabilities of clips, (clips, labels), and of their patches, (patches, labels), float32, by one precision."""

    clips: Float32
    patches: Float32
    clip_of_patch: Int64

    def only(self, clips: Bools) -> Probabilities:
        """Return those of some of the clips, of at least one."""
        patches = clips[self.clip_of_patch]
        places = np.cumsum(clips) - 1
        return Probabilities(self.clips[clips], self.patches[patches], places[self.clip_of_patch[patches]])

    def merged(self, names: Sequence[str], head: Head) -> Probabilities:
        """Return them for labels of other names, see `_merged`."""
        clips, patches = (_merged(names, rows, head) for rows in (self.clips, self.patches))
        return Probabilities(clips, patches, self.clip_of_patch)

    def with_unseen(self, count: int) -> Probabilities:
        """Return them with as many more labels, which have the probability zero."""
        clips, patches = (np.pad(one, ((0, 0), (0, count))) for one in (self.clips, self.patches))
        return Probabilities(clips, patches, self.clip_of_patch)


@dataclass(frozen=True, slots=True)
class Predictions:
    """What a model predicts for some clips, by both precisions, for labels by their names of now, each once."""

    labels: tuple[str, ...]
    rule: ClipRule
    as_float: Probabilities
    as_int8: Probabilities

    def only(self, clips: Bools) -> Predictions:
        """Return those for some of the clips, (clips,), at least one."""
        done = clips[: len(self.as_int8.clips)]
        return Predictions(self.labels, self.rule, self.as_float.only(clips), self.as_int8.only(done))

    def merged(self, names: Sequence[str]) -> Predictions:
        """Return them for labels of other names, one for each of the labels; those of one name count as one."""
        head = self.rule.head
        return Predictions(
            tuple(dict.fromkeys(names)), self.rule, self.as_float.merged(names, head), self.as_int8.merged(names, head)
        )

    def with_unseen(self, labels: Sequence[str]) -> Predictions:
        """Return them with labels for which the model has no output: their probability is zero."""
        more = len(labels)
        return Predictions(
            (*self.labels, *labels), self.rule, self.as_float.with_unseen(more), self.as_int8.with_unseen(more)
        )

    def event_scores(self, files: model_folder.ModelFiles, frames: Sequence[Float32]) -> Float32:
        """Return from which threshold on an event of each label would begin in each clip, int8, (clips, labels).

        By the rule for streams; where no device computes the frontend, that is the probability of the clip.

        Parameters
        ----------
        frames : (frames, columns) each
            Of `ModelFiles.feature_frontend`, that the predictions are of.
        """
        of_clip = self.as_int8.clip_of_patch
        by_clip = np.split(self.as_int8.patches, np.flatnonzero(np.diff(of_clip)) + 1)
        rule = files.card.stream_rule
        scores = stream_calibration.event_scores(files.feature_frontend, frames, by_clip, self.rule, rule)
        return self.as_int8.clips if scores is None else scores


def predict_clips(
    files: model_folder.ModelFiles,
    clips: Sequence[Float32],
    *,
    names: Sequence[str],
    report: Progress,
    network: keras.Model | None = None,
    limit: TimeLimit = NO_LIMIT,
) -> Predictions:
    """Predict at least one clip by a model's float and int8 network.

    Parameters
    ----------
    clips : (frames, columns) each
        Of `ModelFiles.feature_frontend`, one array a clip.
    names
        Current name of each of the model's outputs; outputs of one name, labels that were merged since, count as one.
    limit
        After it the int8 network is given no further clips: it has predictions for the first ones, and the float
        network for all.
    """
    report("measuring, float", 0, len(clips))
    as_float = _probabilities(files, scoring.float_predictor(files, network), clips, names)
    report("measuring, int8", 0, len(clips))
    as_int8 = _probabilities(files, scoring.int8_feature_predictor(files), clips, names, limit)
    return Predictions(tuple(dict.fromkeys(names)), files.rule, as_float, as_int8)


def metrics_of(predictions: Predictions, present: Float32, absent: Float32) -> Measured:
    """Measure predictions against the masses of `labeltool.networks.heads`, (clips, labels) float32 each."""
    rule, as_float, as_int8 = predictions.rule, predictions.as_float, predictions.as_int8
    threshold = rule.threshold if rule.head == "sigmoid" else heads.DEFAULT_THRESHOLD
    clip_of_patch = as_float.clip_of_patch
    patch_shares = metrics.correct_share(as_float.patches, present[clip_of_patch], absent[clip_of_patch], rule.head)
    same = heads.decide(as_float.patches, rule.head) == heads.decide(as_int8.patches, rule.head)
    by_float = _clip_metrics(as_float.clips, present, absent, rule.head, threshold)
    by_int8 = _clip_metrics(as_int8.clips, present, absent, rule.head, threshold)
    return Measured(
        labels=predictions.labels,
        head=rule.head,
        clips=len(present),
        clip_accuracy=by_float.accuracy,
        label_accuracy=by_float.label_accuracy,
        patch_accuracy=_share_all_correct(patch_shares),
        int8_clip_accuracy=by_int8.accuracy,
        int8_label_accuracy=by_int8.label_accuracy,
        int8_patch_agreement=float(same.all(axis=1).mean()),
        ece=by_float.ece,
        int8_ece=by_int8.ece,
        log_loss=float(log_loss(rule.head, as_float.clips, present, absent).mean()),
        unknown=float((as_int8.clips.max(axis=1) < rule.threshold).mean()),
        by_label=_label_metrics(predictions.labels, (present > absent).sum(axis=0), by_float, by_int8),
        confusion=by_float.confusion,
        int8_confusion=by_int8.confusion,
        reliability=by_float.reliability,
        int8_reliability=by_int8.reliability,
    )


def _probabilities(
    files: model_folder.ModelFiles,
    predict: scoring.Predictor,
    clips: Sequence[Float32],
    names: Sequence[str],
    limit: TimeLimit = NO_LIMIT,
) -> Probabilities:
    at_once = scoring.CLIPS_AT_ONCE if limit == NO_LIMIT else _CLIPS_IN_A_BUDGET
    scores: list[scoring.ClipScore] = []
    for score in scoring.score_clips(files.feature_frontend, files.rule, predict, clips, at_once=at_once):
        scores.append(score)
        if len(scores) % at_once == 0 and limit.has_passed:
            break
    return Probabilities(
        _merged(names, np.stack([score.probabilities for score in scores]), files.rule.head),
        _merged(names, np.concatenate([score.patches for score in scores]), files.rule.head),
        np.repeat(np.arange(len(scores)), [len(score.patches) for score in scores]),
    )


def _merged(names: Sequence[str], probabilities: Float32, head: Head) -> Float32:
    """Merge outputs of one name: their sum under a softmax, the larger under a sigmoid."""
    labels = list(dict.fromkeys(names))
    combine = np.add if head == "softmax" else np.maximum
    merged = np.zeros((len(probabilities), len(labels)), np.float32)
    for output, name in enumerate(names):
        column = labels.index(name)
        merged[:, column] = combine(merged[:, column], probabilities[:, output])
    return merged


@dataclass(frozen=True, slots=True)
class _ClipMetrics:
    """What is measured on clips of one precision."""

    accuracy: float
    label_accuracy: float
    ece: float
    recall: Float64
    precision: Float64
    confusion: tuple[tuple[int, ...], ...]
    reliability: tuple[ReliabilityBin, ...]


def _clip_metrics(
    probabilities: Float32, present: Float32, absent: Float32, head: Head, threshold: float
) -> _ClipMetrics:
    correct = metrics.correct_share(probabilities, present, absent, head, threshold)
    checked = ((present > 0) | (absent > 0)).sum(axis=1) if head == "sigmoid" else np.ones(len(present))
    recall, precision = metrics.recall_and_precision(probabilities, present, absent, head, threshold)
    confidence, was_correct = metrics.confidences(probabilities, present, absent, head)
    bins = zip(*metrics.reliability(confidence, was_correct), strict=True)
    return _ClipMetrics(
        accuracy=_share_all_correct(correct),
        label_accuracy=float(np.average(correct, weights=checked)),
        ece=metrics.expected_calibration_error(confidence, was_correct),
        recall=recall,
        precision=precision,
        confusion=tuple(map(tuple, metrics.confusion(probabilities, present, absent, head, threshold).tolist())),
        reliability=tuple((float(sure), float(accuracy), int(count)) for sure, accuracy, count in bins),
    )


def _label_metrics(
    labels: Sequence[str], clips: Int64, by_float: _ClipMetrics, by_int8: _ClipMetrics
) -> tuple[LabelMetrics, ...]:
    shares = (by_float.recall, by_float.precision, by_int8.recall, by_int8.precision)
    return tuple(
        LabelMetrics(label, int(clips[column]), *(_or_none(share[column]) for share in shares))
        for column, label in enumerate(labels)
    )


def _share_all_correct(shares: Float64) -> float:
    return float((shares == 1.0).mean())


def _or_none(share: float) -> float | None:
    return None if np.isnan(share) else float(share)
