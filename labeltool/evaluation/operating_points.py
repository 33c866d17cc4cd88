"""Choose the threshold of each label that reaches a wanted precision."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from labeltool.evaluation.detection_review import PrecisionRow
from labeltool.evaluation.thresholds import ThresholdRow
from labeltool.store.detections.operating_points import OperatingPoint, Source

# With fewer clips at a threshold, a single one would decide whether its precision is enough.
_MIN_CLIPS = 8


Row = ThresholdRow | PrecisionRow
"""A row of a table of thresholds; `known_from` is the number of clips from which its precision is known."""


def choose_points(
    rows: Iterable[Row], precision: float, *, model_uid: str, source: Source
) -> tuple[OperatingPoint, ...]:
    """Return the lowest threshold of each label from which on a precision is reached; none for labels without one.

    The estimate decides, not the lower end of its interval, which few labels would reach on the clips there are.

    Parameters
    ----------
    rows
        By label, then by threshold, lowest first.
    """
    points = []
    for label, of_label in groupby(rows, key=lambda row: row.label):
        row = lowest_row(list(of_label), precision)
        if row is not None and row.precision is not None:
            share, recall = row.precision, None if row.recall is None else row.recall.value
            place = (model_uid, label, source, row.threshold)
            points.append(OperatingPoint(*place, share.value, share.low, share.high, recall, row.known_from))
    return tuple(points)


def lowest_row(rows: Sequence[Row], precision: float) -> Row | None:
    """Return the row of the lowest threshold from which on a precision is reached; None where there is none.

    Parameters
    ----------
    rows
        Of one label, by threshold, lowest first.
    """
    chosen = None
    for row in reversed(rows):
        if row.precision is not None and row.precision.value < precision:
            break
        if row.precision is not None and row.known_from >= _MIN_CLIPS:
            chosen = row
    return chosen
