"""The selected region of a recording: its start and end, and its frequency range."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from labeltool.store.spans import Region
from labeltool.type_aliases import Float64

_SAME_MOMENT_S = 1e-6


class Edge(StrEnum):
    """The edge of the frequency range that the arrow keys move."""

    TOP = "top"
    BOTTOM = "bottom"


@dataclass(slots=True)
class Selection:
    """A region while it is being selected, without a screen.

    Attributes
    ----------
    start_s, end_s
        None until they are set; the start is always before the end.
    low_hz, high_hz
        The frequency range: both or neither.
    edge
        The edge of the frequency range that is being moved; None if none is.
    """

    start_s: float | None = None
    end_s: float | None = None
    low_hz: float | None = None
    high_hz: float | None = None
    edge: Edge | None = None

    @property
    def region(self) -> Region | None:
        """The region, once it has a start and an end."""
        if self.start_s is None or self.end_s is None:
            return None
        return Region(self.start_s, self.end_s, self.low_hz, self.high_hz)

    @property
    def started(self) -> bool:
        """Whether a start or an end is set."""
        return self.start_s is not None or self.end_s is not None

    def select(self, region: Region) -> None:
        self.start_s, self.end_s = region.start_s, region.end_s
        self.low_hz, self.high_hz = region.low_hz, region.high_hz
        self.edge = None

    def set_start(self, moment_s: float) -> None:
        """Set the start; an end that is not after it is removed."""
        if self.end_s is not None and self.end_s <= moment_s:
            self.end_s = None
            self.clear_frequency_range()
        self.start_s = moment_s

    def set_end(self, moment_s: float) -> None:
        """Set the end; a start that is not before it is removed."""
        if self.start_s is not None and self.start_s >= moment_s:
            self.start_s = None
            self.clear_frequency_range()
        self.end_s = moment_s

    def move_boundary(self, from_s: float, to_s: float) -> bool:
        """Move the start or end that is at `from_s`, but not past the other one; return whether one was moved."""
        if self.start_s is not None and abs(self.start_s - from_s) < _SAME_MOMENT_S:
            if self.end_s is not None and to_s >= self.end_s:
                return False
            self.start_s = to_s
            return True
        if self.end_s is not None and abs(self.end_s - from_s) < _SAME_MOMENT_S:
            if self.start_s is not None and to_s <= self.start_s:
                return False
            self.end_s = to_s
            return True
        return False

    def next_edge(self, band_hz: Float64) -> None:
        """Add a frequency range, the middle half of the bands, and move its top; after it the bottom, then neither."""
        if self.low_hz is None or self.high_hz is None:
            quarter = len(band_hz) // 4
            self.low_hz, self.high_hz = _hertz(quarter, band_hz), _hertz(3 * quarter, band_hz)
            self.edge = Edge.TOP
        else:
            self.edge = {None: Edge.TOP, Edge.TOP: Edge.BOTTOM, Edge.BOTTOM: None}[self.edge]

    def move_edge(self, bands: int, band_hz: Float64) -> None:
        """Move the edge up (below zero: down) by some bands, which have these centres."""
        if self.low_hz is None or self.high_hz is None:
            return
        low, high = (int(np.abs(band_hz - hertz).argmin()) for hertz in (self.low_hz, self.high_hz))
        if self.edge is Edge.TOP:
            self.high_hz = _hertz(min(max(high + bands, low + 1), len(band_hz) - 1), band_hz)
        elif self.edge is Edge.BOTTOM:
            self.low_hz = _hertz(min(max(low + bands, 0), high - 1), band_hz)

    def clear_frequency_range(self) -> None:
        self.low_hz = self.high_hz = self.edge = None


def _hertz(band: int, band_hz: Float64) -> float:
    return float(round(band_hz[band]))
