"""Call density: how often a label was detected by hour of the day, day and site, per hour that was searched.

The number of detections is not that of calls: some are wrong. Where a review of a part of them gave the precision at
the threshold (`labeltool evaluate --detections`), the expected number of true calls is the number of detections by the
precision, with its interval (Navine et al. 2024, "All thresholds barred: direct estimation of call density in
bioacoustic data"). That precision is of the recordings that a review draws from, without those that the model was
trained on and those of the locked test set; at one site or hour it may be another.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from labeltool.errors import LabeltoolError
from labeltool.evaluation.detections import scanned_model
from labeltool.store import Store, clips, groups
from labeltool.store.detections import scans
from labeltool.store.detections.operating_points import OperatingPoint, points_in_use
from labeltool.store.detections.scans import Scanned
from labeltool.store.models import ModelRow
from labeltool.util.recorded_at import recorded_at, site_of

if TYPE_CHECKING:
    import pandas as pd

By = Literal["hour", "day", "site"]
"""What the calls are counted by: the hour of the day, the date, the site."""

_SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Interval:
    """An expected number or rate, and the ends of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class DensityRow:
    """The detections of a label in some hours.

    Attributes
    ----------
    day
        ISO 8601; None where it is not counted by, or not known.
    hour
        Of the day, 0 to 23; None likewise.
    events
        Number of detections that begin there with at least the threshold.
    calls, calls_per_hour
        Expected number of true ones and the ends of its interval; None where no review gave the precision.
    """

    day: str | None
    hour: int | None
    site: str | None
    label: str
    threshold: float
    hours: float
    events: int
    per_hour: float
    calls: Interval | None
    calls_per_hour: Interval | None


@dataclass(frozen=True, slots=True)
class CallDensity:
    """What `labeltool density --json` prints.

    Attributes
    ----------
    as_device
        Whether the events were detected as the device does.
    without_time
        Number of recordings of which nothing says when they were made.
    rows
        By day, hour and site, as they are counted, then by label.
    """

    model: str
    as_device: bool
    recordings: int
    hours: float
    without_time: int
    reviewed: tuple[str, ...]
    by: tuple[By, ...]
    rows: tuple[DensityRow, ...]


def call_density(
    store: Store, by: Sequence[By], *, model: str | None = None, labels: Collection[str] = ()
) -> CallDensity:
    """Count what a model detected in the recordings of the project.

    Parameters
    ----------
    by
        In any order; nothing counts all recordings together.
    model
        Its id, or a pretrained model's name; None for the one that detected last.
    labels
        Only these; none for all that were detected.

    Raises
    ------
    LabeltoolError
        When nothing was detected by the model, or it was not searched for a label.
    """
    row = scanned_model(store, model)
    scanned = scans.scanned_recordings(store, row.id)
    as_device = bool(scanned) and scanned[0].scan.is_device
    scanned = [one for one in scanned if one.scan.is_device == as_device]
    thresholds, reviewed = _thresholds(store, row, scanned, as_device=as_device)
    if unknown := [label for label in labels if label not in thresholds]:
        raise LabeltoolError(
            f"{row.pretrained or row.id} did not search for {unknown[0]!r}",
            remedy=f"it did for {', '.join(sorted(thresholds)[:12])}",
        )
    wanted = {name: one for name, one in thresholds.items() if not labels or name in labels}
    counts, without_time = _count(store, row, scanned, wanted)
    return CallDensity(
        model=row.pretrained or str(row.id),
        as_device=as_device,
        recordings=len(scanned),
        hours=round(sum(one.duration_s for one in scanned) / _SECONDS_PER_HOUR, 4),
        without_time=without_time,
        reviewed=tuple(sorted(reviewed)),
        by=tuple(by),
        rows=tuple(_rows(counts, by, thresholds, reviewed, labels)),
    )


def _thresholds(
    store: Store, row: ModelRow, scanned: Sequence[Scanned], *, as_device: bool
) -> tuple[dict[str, float], dict[str, OperatingPoint]]:
    """Return the threshold of each label, and the operating points of those whose precision there was reviewed.

    The threshold is the operating point, or from where on all recordings were searched, if that is higher.
    """
    thresholds: dict[str, float] = {}
    for one in scanned:
        for label, value in one.scan.thresholds.items():
            thresholds[label] = max(value, thresholds.get(label, 0.0))
    points = points_in_use(store, row.uid, as_device=as_device)
    for label in thresholds.keys() & points.keys():
        thresholds[label] = max(thresholds[label], points[label].threshold)
    reviewed = {
        label: point
        for label, point in points.items()
        if point.source != "validation" and thresholds.get(label) == point.threshold
    }
    return thresholds, reviewed


def _count(
    store: Store, row: ModelRow, scanned: Sequence[Scanned], thresholds: Mapping[str, float]
) -> tuple[pd.DataFrame, int]:
    """Return seconds searched and events by hour, site and label, and of how many recordings no time is known.

    The hour is its beginning by the recorder's clock; NaT where that is not known. One has several rows.
    """
    import pandas as pd

    columns, renamed, without_time = groups.own_columns(store), clips.current_names(store), 0
    rows: list[tuple[datetime | None, str, str, float, int]] = []
    for one in scanned:
        own = columns.get(one.recording_id, {})
        when, site = recorded_at(one.path, own, one.duration_s), site_of(one.path, own)
        without_time += when is None
        start = None if when is None else when.start
        sought = [label for label in one.scan.thresholds if label in thresholds]
        for hour, seconds in _hours(start, one.duration_s):
            rows += [(hour, site, label, seconds, 0) for label in sought]
        for event in scans.detected_events(store, row.id, one.recording_id, renamed):
            if event.score >= thresholds.get(event.label, 2.0):
                rows.append((_hour_at(start, event.start_s), site, event.label, 0.0, 1))
    table = pd.DataFrame(rows, columns=["at", "site", "label", "seconds", "events"])
    return table.assign(at=pd.to_datetime(table["at"])), without_time


def _hour_at(start: datetime | None, seconds: float) -> datetime | None:
    return None if start is None else (start + timedelta(seconds=seconds)).replace(minute=0, second=0, microsecond=0)


def _hours(start: datetime | None, duration_s: float) -> Iterator[tuple[datetime | None, float]]:
    """Yield the hours of the clock that a recording lies in, and its seconds in each."""
    at_s = 0.0
    while start is not None and at_s < duration_s:
        hour = _hour_at(start, at_s)
        assert hour is not None
        end_s = min(duration_s, (hour + timedelta(hours=1) - start).total_seconds())
        yield hour, end_s - at_s
        at_s = end_s
    if start is None:
        yield None, duration_s


def _rows(
    counts: pd.DataFrame,
    by: Sequence[By],
    thresholds: Mapping[str, float],
    reviewed: Mapping[str, OperatingPoint],
    labels: Collection[str],
) -> Iterator[DensityRow]:
    import pandas as pd

    shown = {*labels, *counts.loc[counts["events"] > 0, "label"]}
    at = counts["at"].dt
    counts = counts.assign(day=at.strftime("%Y-%m-%d"), hour=at.hour.astype("Int64"))
    names = [name for name in ("day", "hour", "site") if name in by]
    # What is not known comes last.
    summed = counts.groupby([*names, "label"], dropna=False)[["seconds", "events"]].sum().reset_index()
    for row in summed[summed["label"].isin(shown) & (summed["seconds"] > 0)].to_dict("records"):
        label, hours, number = str(row["label"]), row["seconds"] / _SECONDS_PER_HOUR, int(row["events"])
        day, hour, site = (None if pd.isna(value := row.get(name)) else value for name in ("day", "hour", "site"))
        calls = None
        if (point := reviewed.get(label)) is not None:
            calls = Interval(number * point.precision, number * point.precision_low, number * point.precision_high)
        yield DensityRow(
            day=day,
            hour=None if hour is None else int(hour),
            site=site,
            label=label,
            threshold=thresholds[label],
            hours=round(hours, 6),
            events=number,
            per_hour=round(number / hours, 6),
            calls=calls,
            calls_per_hour=None
            if calls is None
            else Interval(*(one / hours for one in (calls.value, calls.low, calls.high))),
        )
