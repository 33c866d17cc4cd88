"""Precision and recall of each label by the threshold of its score, on labelled clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labeltool.evaluation.intervals import Share, clustered_share
from labeltool.networks.heads import Head
from labeltool.type_aliases import Bools, Float32, Int64

THRESHOLDS = (*(round(0.05 * step, 2) for step in range(1, 20)), 0.97, 0.98, 0.99, 0.995)
"""Thresholds of a table: close together where networks are certain."""
SHOWN_THRESHOLDS = (0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 0.99)
"""Those that the terminal and the page of a report show."""


@dataclass(frozen=True, slots=True)
class ScoredClips:
    """What one model scored labelled clips, that it was not trained on.

    Attributes
    ----------
    scores : (clips, labels) float32
        By `stream_calibration.event_scores`: the largest threshold at which the clip has an event of the label.
    present, absent : (clips, labels) float32
        Masses as in `labeltool.networks.heads`.
    unseen : (clips,) bool
        Which clips have labels only that have no column: whatever is predicted there is wrong.
    """

    labels: tuple[str, ...]
    head: Head
    scores: Float32
    present: Float32
    absent: Float32
    groups: tuple[str, ...]
    unseen: Bools


@dataclass(frozen=True, slots=True)
class ThresholdRow:
    """Precision and recall of a label at a threshold.

    Attributes
    ----------
    predicted
        Number of clips in which the score of the label reaches the threshold, of those where it is present or absent.
    precision, recall
        None where nothing is predicted, where it is present nowhere.
    """

    label: str
    threshold: float
    predicted: int
    right: int
    clips: int
    precision: Share | None
    recall: Share | None

    @property
    def known_from(self) -> int:
        """From how many clips the precision is known."""
        return self.predicted


def threshold_table(scored: Sequence[ScoredClips]) -> tuple[ThresholdRow, ...]:
    """Return precision and recall by label and threshold.

    Parameters
    ----------
    scored
        Of one model, or of each fold's; a label's clips are those of all models that have it.
    """
    labels = dict.fromkeys(name for one in scored for name in one.labels)
    numbers = {name: number for number, name in enumerate({name for one in scored for name in one.groups})}
    return tuple(row for label in labels for row in _rows_of(label, [o for o in scored if label in o.labels], numbers))


def _rows_of(label: str, scored: Sequence[ScoredClips], numbers: dict[str, int]) -> list[ThresholdRow]:
    parts = []
    for one in scored:
        column = one.labels.index(label)
        is_present = one.present[:, column] > one.absent[:, column]
        is_absent = one.absent[:, column] > one.present[:, column]
        if one.head == "softmax":  # every label but the present ones is absent
            is_absent |= ~is_present & ((one.present > one.absent).any(axis=1) | one.unseen)
        groups: Int64 = np.array([numbers[name] for name in one.groups], np.int64)
        checked = is_present | is_absent
        parts.append((one.scores[checked, column], is_present[checked], groups[checked]))
    scores, is_present, groups = (np.concatenate(column) for column in zip(*parts, strict=True))
    rows = []
    for threshold in THRESHOLDS:
        predicted = scores >= np.float32(threshold)
        precision = clustered_share(is_present[predicted], groups[predicted])
        recall = clustered_share(predicted[is_present], groups[is_present])
        right = int((predicted & is_present).sum())
        rows.append(
            ThresholdRow(label, threshold, int(predicted.sum()), right, int(is_present.sum()), precision, recall)
        )
    return rows
