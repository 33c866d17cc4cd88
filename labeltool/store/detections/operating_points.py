"""Operating points of a model: for each label a threshold and the precision and recall measured there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from typing import Literal

from labeltool.store.clips import current_names
from labeltool.store.database import Store, now

Source = Literal["validation", "review", "device review"]
"""Measured on the validation data, or by a review of what was detected in long recordings, as the device does or not.

Scores of a device and of overlapping windows differ: what a review of the one says is not used for the other.
"""


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold of a model's scores for a label, and what was measured there.

    Attributes
    ----------
    threshold
        0 to 1.
    precision, precision_low, precision_high
        0 to 1, and the bounds of the interval that covers it 95 percent of the time.
    recall
        0 to 1; None where it was not measured.
    """

    model_uid: str
    label: str
    source: Source
    threshold: float
    precision: float
    precision_low: float
    precision_high: float
    recall: float | None
    clips: int


_COLUMNS = ", ".join(field.name for field in fields(OperatingPoint))


def operating_points(store: Store, model_uid: str) -> list[OperatingPoint]:
    """Return the operating points of a model, by label and source."""
    rows = store.connection.execute(
        f"SELECT {_COLUMNS} FROM operating_points WHERE model_uid = ? ORDER BY label, source", (model_uid,)
    )
    return [OperatingPoint(*row) for row in rows]


def points_in_use(store: Store, model_uid: str, *, as_device: bool) -> dict[str, OperatingPoint]:
    """Return the operating point of each label that has one, by its current name.

    A review of what was detected comes before validation clips: it is about such recordings.
    """
    renamed, review = current_names(store), "device review" if as_device else "review"
    points = [one for one in operating_points(store, model_uid) if one.source in ("validation", review)]
    points.sort(key=lambda one: one.source == review)
    return {renamed.get(one.label, one.label): one for one in points}


def replace_operating_points(store: Store, model_uid: str, source: Source, points: Iterable[OperatingPoint]) -> None:
    """Store a model's operating points of a source, in place of all of them that are there."""
    with store.transaction() as connection:
        connection.execute("DELETE FROM operating_points WHERE model_uid = ? AND source = ?", (model_uid, source))
        connection.executemany(
            f"INSERT INTO operating_points ({_COLUMNS}, created_at) VALUES ({'?, ' * 9}?)",
            [(*astuple(point), now()) for point in points],
        )
