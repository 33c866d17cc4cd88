"""Times on the grid that label tracks are written on: a span in whole microseconds reads back as it was written."""

from __future__ import annotations

import math

from labeltool.errors import LabeltoolError

MICROSECONDS = 1_000_000
"""Of a second."""


def length_us(frames: int, sample_rate_hz: int) -> int:
    """Whole microseconds that a recording holds: rounded down, so that no clip ends after it."""
    return frames * MICROSECONDS // sample_rate_hz


def span_us(start_s: float, end_s: float, frames: int, sample_rate_hz: int) -> tuple[int, int]:
    """Bring a span to the grid, cut to what the recording holds; an empty one has no end after its start.

    Raises
    ------
    LabeltoolError
        When start or end is not a number.
    """
    if math.isnan(start_s) or math.isnan(end_s):
        raise LabeltoolError("start and end of a region must be numbers of seconds")
    duration_s = frames / sample_rate_hz
    # Cut before it is scaled: a time may be as large as a float can be.
    start_us, end_us = (round(min(max(moment_s, 0.0), duration_s) * MICROSECONDS) for moment_s in (start_s, end_s))
    return start_us, min(end_us, length_us(frames, sample_rate_hz))
