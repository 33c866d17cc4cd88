"""The stream rule of a model: each label's threshold is chosen on validation clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from labeltool.audio.device import loudness_gate
from labeltool.audio.frontend import Frontend, LogMelFrontend
from labeltool.audio.log_mel_frontend import YAMNET_FRONTEND
from labeltool.audio.trunk_frontend import TrunkFrontend
from labeltool.networks.heads import DEFAULT_THRESHOLD, Head
from labeltool.networks.postprocessing import ClipRule
from labeltool.networks.stream_rule import Smoother, StreamRule
from labeltool.type_aliases import Bools, Float32, Float64

# Clips with a label that the threshold common to all labels counts as much as.
_PRIOR_CLIPS = 8.0
# With fewer clips that have a label, a single one would decide.
_MIN_CLIPS = 8


def choose_stream_rule(
    frontend: Frontend,
    frames: Sequence[Float32],
    by_clip: Sequence[Float32],
    present: Float32,
    absent: Float32,
    clip: ClipRule,
) -> StreamRule:
    """Choose the stream rule on validation clips, each one a stream of its own.

    Parameters
    ----------
    frames : (frames, columns) float32 each
    by_clip : (patches, labels) float32 each
        The network's outputs.
    present, absent : (clips, labels) float32

    Returns
    -------
    StreamRule
        Without thresholds where the device does not compute the frontend, or there are too few clips.
    """
    rule = StreamRule()
    if not len(by_clip):
        return rule
    scores = event_scores(frontend, frames, by_clip, clip, rule)
    return rule if scores is None else replace(rule, thresholds=choose_thresholds(scores, present, absent, clip.head))


def event_scores(
    frontend: Frontend, frames: Sequence[Float32], by_clip: Sequence[Float32], clip: ClipRule, rule: StreamRule
) -> Float32 | None:
    """Return the largest threshold at which an event of each label begins in each clip, a stream of its own.

    Parameters
    ----------
    frames, by_clip, clip
        As `choose_stream_rule` takes them, of at least one clip.

    Returns
    -------
    (clips, labels) float32 or None
        None where the device does not compute the frontend.
    """
    if isinstance(frontend, LogMelFrontend):
        peaks_db = [loudness_gate.peak_db(frontend, one) for one in frames]
        gate_db = loudness_gate.gate_db(frontend)
    elif isinstance(frontend, TrunkFrontend):
        peaks_db = [frontend.peak_db(one) for one in frames]
        gate_db = loudness_gate.gate_db(YAMNET_FRONTEND)
    else:
        return None
    scores = []
    for peak_db, probabilities in zip(peaks_db, by_clip, strict=True):
        smoother = Smoother(clip, rule.gain, probabilities.shape[1], gate_db)
        rows, is_quiet = smoother.push(probabilities, peak_db)
        scores.append(largest_probabilities(rows[~is_quiet], clip.head))
    return np.stack(scores)


def choose_thresholds(scores: Float32, present: Float32, absent: Float32, head: Head) -> tuple[float, ...]:
    """Choose the probability at which an event of each label begins.

    A clip counts for a label where the smoothed probability of one of its patches reaches the threshold, under a
    softmax as the largest of all labels: where a stream would begin an event. The threshold of a label has the best F1;
    hits and false alarms of the average label are added with the weight of eight clips, so that a label with few clips
    gets the threshold of all. Of equals the one nearest to 0.5 is chosen.

    Parameters
    ----------
    scores : (clips, labels) float32
        As `event_scores` returns them, of validation clips.
    present, absent : (clips, labels) float32
        Masses as in `labeltool.networks.heads`.

    Returns
    -------
    tuple of float
        One a label, 0.1 to 0.9; empty with fewer than eight clips that have a label.
    """
    has = present > 0.5
    lacks = absent > 0.5
    if head == "softmax":
        lacks |= ~has & has.any(axis=1, keepdims=True)
    clips = has.sum(axis=0).astype(np.float64)
    if clips.sum() < _MIN_CLIPS or not lacks.any():
        return ()
    grid = np.array(sorted(np.linspace(0.1, 0.9, 33), key=lambda threshold: abs(threshold - DEFAULT_THRESHOLD)))
    reached = scores >= grid[:, None, None]
    hits, false_alarms = _with_prior(reached & has, clips), _with_prior(reached & lacks, clips)
    f1 = 2 * hits / (hits + false_alarms + clips + _PRIOR_CLIPS)
    return tuple(round(float(threshold), 3) for threshold in grid[f1.argmax(axis=0)])


def largest_probabilities(smoothed: Float32, head: Head) -> Float32:
    """Return the largest probability at which an event of each label could begin, (labels,).

    `smoothed` comes from `stream_rule.Smoother`, (patches, labels) float32, of patches above the gate.
    """
    if head == "softmax":
        smoothed = np.where(smoothed == smoothed.max(axis=1, keepdims=True), smoothed, np.float32(0))
    return np.asarray(smoothed.max(axis=0, initial=0.0), np.float32)


def _with_prior(counted: Bools, clips: Float64) -> Float64:
    """Count clips by threshold and label, and add the average label's share of its clips, eight clips of it."""
    counts = counted.sum(axis=1).astype(np.float64)
    return np.asarray(counts + _PRIOR_CLIPS * counts.sum(axis=1, keepdims=True) / clips.sum(), np.float64)
