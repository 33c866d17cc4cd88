"""Call density as a picture: hour of the day by date, one part for each label, or by site. Needs matplotlib."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from labeltool.errors import LabeltoolError
from labeltool.evaluation.call_density import CallDensity, DensityRow
from labeltool.evaluation.figure import FLOAT_COLOUR, draw_plain, new_figure, save, short_name

MAX_LABELS = 6
"""Of more labels, those that were detected most often are drawn."""

MAX_SITES = 40
"""Of more sites, those with most detections are drawn: with six labels, that is a picture of 64 inches."""

# Three years; of recordings that are further apart only the days with any are drawn.
_MAX_DAYS = 1100
_MAX_TICKS = 8


@dataclass(frozen=True, slots=True)
class Drawn:
    """What is in a picture: the number of labels, and the sites that are not."""

    labels: int
    sites_left_out: tuple[str, ...] = ()


def draw_density(path: Path, density: CallDensity) -> Drawn:
    """Draw calls per hour searched.

    Parameters
    ----------
    density
        By hour, day and site. Hours by days are drawn of recordings whose time is known, else bars for sites.

    Raises
    ------
    LabeltoolError
        When there is nothing to draw.
    """
    if not density.rows:
        raise LabeltoolError("nothing was detected: there is nothing to draw")
    often = Counter[str]()
    for row in density.rows:
        often[row.label] += row.events
    labels = [label for label, _ in often.most_common(MAX_LABELS)]
    rows = [row for row in density.rows if row.label in labels]
    timed = [row for row in rows if row.day is not None]
    if timed:
        _draw_hours(path, labels, timed)
        return Drawn(len(labels))
    return Drawn(len(labels), tuple(_draw_sites(path, labels, rows)))


def _draw_hours(path: Path, labels: Sequence[str], rows: Sequence[DensityRow]) -> None:
    days = _days(sorted({row.day for row in rows if row.day is not None}))
    place = {day: number for number, day in enumerate(days)}
    figure, axes = new_figure(9.0, 0.6 + 2.2 * len(labels), len(labels), heights=[1] * len(labels))
    for axis, label in zip(axes, labels, strict=True):
        counts, hours = np.zeros((24, len(days))), np.zeros((24, len(days)))
        for row in rows:
            if row.label == label and row.day is not None and row.hour is not None:
                counts[row.hour, place[row.day]] += row.events
                hours[row.hour, place[row.day]] += row.hours
        density = np.divide(counts, hours, out=np.full_like(counts, np.nan), where=hours > 0)
        image = axis.imshow(density, aspect="auto", origin="lower", cmap="viridis", interpolation="none", vmin=0)
        axis.set_facecolor("#e4e4e4")  # not searched
        step = -(-len(days) // _MAX_TICKS)
        axis.set_xticks(range(0, len(days), step), days[::step], fontsize=8)
        axis.set_yticks(range(0, 24, 6))
        axis.set_ylabel("hour of the day")
        draw_plain([axis.set_title(short_name(label), fontsize=9)])
        figure.colorbar(image, ax=axis, label="detections per hour")
    save(figure, path)


def _days(found: Sequence[str]) -> list[str]:
    """Return the days from the first to the last, or those found where that would be too many."""
    first, last = date.fromisoformat(found[0]), date.fromisoformat(found[-1])
    count = (last - first).days + 1
    return list(found) if count > _MAX_DAYS else [(first + timedelta(days=day)).isoformat() for day in range(count)]


def _draw_sites(path: Path, labels: Sequence[str], rows: Sequence[DensityRow]) -> list[str]:
    """Draw a bar for each site; return the sites that are too many."""
    events = Counter[str]()
    for row in sorted(rows, key=lambda one: one.site or ""):
        events[row.site or ""] += row.events
    by_events = [site for site, _ in events.most_common()]
    sites = sorted(by_events[:MAX_SITES])
    figure, axes = new_figure(
        7.0, 0.6 + (0.7 + 0.25 * len(sites)) * len(labels), len(labels), heights=[1] * len(labels)
    )
    for axis, label in zip(axes, labels, strict=True):
        of_label = [row for row in rows if row.label == label]
        counts = [sum(row.events for row in of_label if row.site == site) for site in sites]
        hours = [sum(row.hours for row in of_label if row.site == site) for site in sites]
        axis.barh(
            range(len(sites)),
            [number / max(of, 1e-9) for number, of in zip(counts, hours, strict=True)],
            color=FLOAT_COLOUR,
        )
        axis.set_yticks(range(len(sites)))
        draw_plain(axis.set_yticklabels([short_name(site) for site in sites], fontsize=8))
        axis.invert_yaxis()
        draw_plain([axis.set_title(short_name(label), fontsize=9)])
    axes[-1].set_xlabel("detections per hour")
    save(figure, path)
    return sorted(by_events[MAX_SITES:])
