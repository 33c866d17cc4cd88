"""When and where a recording was made, by its own columns or by the name that a field recorder gave it.

A time is the recorder's own clock, without a zone, as it was set (an AudioMoth's is UTC unless it was configured
otherwise, a Song Meter's is local time); nothing is converted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import PurePath

SITE, RECORDED_AT, DEVICE = "site", "recorded_at", "device"
"""The recordings' own columns that count before their names."""

# As AudioMoth (20190612_203000.WAV, with T where it was triggered) and Wildlife Acoustics (SITE_20190612_203000.wav; $
# for a triggered one) write them: local time, or UTC, as the recorder was set.
_TIME = re.compile(r"(?<!\d)(\d{8})[_$](\d{6})(?!\d)")
# AudioMoths with early firmware: seconds since 1970, UTC, in hexadecimal. From 2017, when the first was sold, to 2038.
_HEX = re.compile(r"[0-9A-F]{8}")
_HEX_FIRST, _HEX_LAST = 0x58680000, 0x7FFFFFFF
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
    """Return when and where a recording was made, by its own columns or its name; None where neither has a time."""
    start = _parsed(columns[RECORDED_AT], None) if RECORDED_AT in columns else None
    start = start or time_of_name(PurePath(path))
    return None if start is None else RecordedAt(site_of(path, columns), start, duration_s)


def site_of(path: str, columns: Mapping[str, str]) -> str:
    """Return the site in a recording's columns; without, its folder, which is one card, and what its name begins with.

    Of a name without a time only the folder counts.
    """
    place = PurePath(path)
    return columns.get(SITE, f"{place.parent.name}/{prefix_of_name(place)}")


def prefix_of_name(place: PurePath) -> str:
    """Return what the name of a recording has before its time; "" where it has no time."""
    found = _TIME.search(place.stem)
    return place.stem[: found.start()].strip("_-. ") if found is not None else ""


def time_of_name(place: PurePath) -> datetime | None:
    """Return the time in the name of a recording; None where it has none."""
    found = _TIME.search(place.stem)
    if found is not None:
        return _parsed(found[1] + found[2], "%Y%m%d%H%M%S")
    # Eight digits alone may be a number or a date; with the recorder's own suffix in capitals they are its name.
    if _HEX.fullmatch(place.stem) and (place.suffix == ".WAV" or not place.stem.isdigit()):
        seconds = int(place.stem, 16)
        if _HEX_FIRST <= seconds <= _HEX_LAST:
            return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    return None


def _parsed(text: str, form: str | None) -> datetime | None:
    try:
        read = datetime.fromisoformat(text) if form is None else datetime.strptime(text, form)
        # No further than the calendar reaches when a block is added.
        return read.replace(tzinfo=None) if 1900 <= read.year <= 9000 else None
    except ValueError:
        return None
