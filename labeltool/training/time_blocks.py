"""Recordings as time series: what a recorder made at one site within a night is no independent sample of it.

Neighbours in time share weather, the same animals, the recorder's own noise; a split that parts them measures how well
it is remembered (Roberts et al. 2017, "Cross-validation strategies for data with temporal, spatial, hierarchical, or
phylogenetic structure").
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePath

BLOCK_HOURS = 24
"""A block is a night with the day halves around it, from noon to noon, where nobody asked for another length."""

SITE, RECORDED_AT = "site", "recorded_at"
"""The recordings' own columns that count before their names."""

# As AudioMoth (20190612_203000.WAV, with T where it was triggered) and Wildlife Acoustics (SITE_20190612_203000.wav; $
# for a triggered one) write them: local time, or UTC, as the recorder was set.
_TIME = re.compile(r"(?<!\d)(\d{8})[_$](\d{6})(?!\d)")
_EPOCH = datetime(1970, 1, 1, 12)


@dataclass(frozen=True, slots=True)
class RecordedAt:
    """When and where a recording was made; `start` is by the recorder's own clock, without a zone."""

    site: str
    start: datetime
    duration_s: float

    def block(self, hours: float) -> str:
        """Return the name of its block, of some hours that are counted from noon."""
        number = (self.start - _EPOCH) // timedelta(hours=hours)
        return f"{self.site}, from {(_EPOCH + number * timedelta(hours=hours)).isoformat(sep=' ', timespec='minutes')}"


def recorded_at(path: str, columns: Mapping[str, str], duration_s: float) -> RecordedAt | None:
    """Return when and where a recording was made, by its own columns or its name; None where neither has a time.

    Where no column has the site, the rest of the name is it, and the folder: each card of a recorder is one.
    """
    place = PurePath(path)
    found = _TIME.search(place.stem)
    start = _parsed(columns[RECORDED_AT], None) if RECORDED_AT in columns else None
    if start is None and found is not None:
        start = _parsed(found[1] + found[2], "%Y%m%d%H%M%S")
    if start is None:
        return None
    prefix = place.stem[: found.start()].strip("_-. ") if found is not None else ""
    return RecordedAt(columns.get(SITE, f"{place.parent.name}/{prefix}"), start, duration_s)


def _parsed(text: str, form: str | None) -> datetime | None:
    try:
        read = datetime.fromisoformat(text) if form is None else datetime.strptime(text, form)
        # No further than the calendar reaches when a block is added.
        return read.replace(tzinfo=None) if 1900 <= read.year <= 9000 else None
    except ValueError:
        return None


def smallest_gap_s(times: Sequence[RecordedAt], parts: Sequence[object]) -> float | None:
    """Return the shortest time between recordings of one site that are in different parts, seconds.

    None where no site has two parts; 0 where recordings touch or overlap.

    Parameters
    ----------
    times, parts
        Of each recording.
    """
    by_site: dict[str, list[tuple[datetime, float, int]]] = {}
    for place, one in enumerate(times):
        by_site.setdefault(one.site, []).append((one.start, one.duration_s, place))
    gaps = [
        max(0.0, (later[0] - earlier[0]).total_seconds() - earlier[1])
        for of_site in by_site.values()
        for earlier, later in itertools.pairwise(sorted(of_site))
        if parts[earlier[2]] != parts[later[2]]
    ]
    return min(gaps, default=None)
