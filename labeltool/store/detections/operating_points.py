"""Operating points of a model: for each label a threshold and the precision and recall measured there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from typing import Literal

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
    model_uid
        The unique id of the model.
    threshold
        0 to 1.
    precision, precision_low, precision_high
        0 to 1, and the bounds of the interval that covers it 95 percent of the time.
    recall
        0 to 1; None where it was not measured.
    clips
        Number of clips that were looked at.
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


def replace_operating_points(store: Store, points: Iterable[OperatingPoint]) -> None:
    """Store operating points, each instead of that of the same model, label and source."""
    with store.transaction() as connection:
        connection.executemany(
            f"INSERT OR REPLACE INTO operating_points ({_COLUMNS}, created_at) VALUES ({'?, ' * 9}?)",
            [(*astuple(point), now()) for point in points],
        )
