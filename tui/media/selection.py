"""Marking a span: its beginning and end, and the band it lies in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from labeltool.store.spans import Mark
from labeltool.type_aliases import Float64

_SAME_MOMENT_S = 1e-6


class Edge(StrEnum):
    """The edge of the band that the arrows move."""

    TOP = "top"
    BOTTOM = "bottom"


@dataclass(slots=True)
class Marking:
    """A span as it is being marked. Plain bookkeeping, no screen.

    Attributes
    ----------
    start_s, end_s
        None until they are set; never one after the other.
    low_hz, high_hz
        Both or neither.
    edge
        The edge of the band that is being moved; None while none is.
    """

    start_s: float | None = None
    end_s: float | None = None
    low_hz: float | None = None
    high_hz: float | None = None
    edge: Edge | None = None

    @property
    def mark(self) -> Mark | None:
        """The span, once it has both ends."""
        if self.start_s is None or self.end_s is None:
            return None
        return Mark(self.start_s, self.end_s, self.low_hz, self.high_hz)

    @property
    def begun(self) -> bool:
        """Whether there is anything to forget."""
        return self.start_s is not None or self.end_s is not None

    def take(self, mark: Mark) -> None:
        """Take a span as it stands."""
        self.start_s, self.end_s, self.low_hz, self.high_hz = mark.start_s, mark.end_s, mark.low_hz, mark.high_hz
        self.edge = None

    def begin(self, moment_s: float) -> None:
        """Set the beginning; where the end is not after it, the span is begun anew."""
        if self.end_s is not None and self.end_s <= moment_s:
            self.end_s = None
            self.drop_band()
        self.start_s = moment_s

    def finish(self, moment_s: float) -> None:
        """Set the end; where the beginning is not before it, the span is begun anew."""
        if self.start_s is not None and self.start_s >= moment_s:
            self.start_s = None
            self.drop_band()
        self.end_s = moment_s

    def carry(self, from_s: float, to_s: float) -> bool:
        """Move the end that stands at a moment to another one, but not past the other end; tell whether one did."""
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
        """Give the span a band, half the picture at first, and let its top be moved; then its bottom; then neither."""
        if self.low_hz is None or self.high_hz is None:
            quarter = len(band_hz) // 4
            self.low_hz, self.high_hz = _hertz(quarter, band_hz), _hertz(3 * quarter, band_hz)
            self.edge = Edge.TOP
        else:
            self.edge = {None: Edge.TOP, Edge.TOP: Edge.BOTTOM, Edge.BOTTOM: None}[self.edge]

    def move_edge(self, bands: int, band_hz: Float64) -> None:
        """Move the edge up (or, below zero, down) by rows of a picture whose rows have these centres."""
        if self.low_hz is None or self.high_hz is None:
            return
        low, high = (int(np.abs(band_hz - hertz).argmin()) for hertz in (self.low_hz, self.high_hz))
        if self.edge is Edge.TOP:
            self.high_hz = _hertz(min(max(high + bands, low + 1), len(band_hz) - 1), band_hz)
        elif self.edge is Edge.BOTTOM:
            self.low_hz = _hertz(min(max(low + bands, 0), high - 1), band_hz)

    def drop_band(self) -> None:
        """Forget the band."""
        self.low_hz = self.high_hz = self.edge = None


def _hertz(band: int, band_hz: Float64) -> float:
    return float(round(band_hz[band]))
