"""From scores of overlapping windows to events (label, start, end), in one pass and bounded memory.

The windows' scores are averaged moment by moment, smoothed by a running median, and cut by two thresholds (Canny 1986;
for sound events Dinkel et al. 2021, "Towards duration robust weakly supervised sound event detection"): an event lasts
while the lower threshold is reached, and counts if the higher one is reached in it. Events of a label that are close
are merged, then short ones are dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from labeltool.records import Event
from labeltool.type_aliases import Bools, Float32, Int64


@dataclass(frozen=True, slots=True)
class EventRules:
    """What makes an event. The defaults did best with YAMNet on recordings joined of ESC-10's folds 1 to 3.

    Attributes
    ----------
    smooth_s
        Length of the running median, seconds; up to one hop between windows nothing is smoothed.
    merge_gap_s
        Two events of one label that are no further apart are merged, seconds.
    low_threshold_ratio
        The lower threshold, as a share of the higher.
    """

    smooth_s: float = 0.7
    merge_gap_s: float = 1.0
    min_duration_s: float = 0.4
    low_threshold_ratio: float = 0.3


def find_events(
    scores: Iterable[Float32],
    labels: Sequence[str],
    thresholds: Sequence[float],
    rules: EventRules,
    *,
    hop_s: float,
    overlap: int,
    duration_s: float,
) -> list[Event]:
    """Find events in windows' scores.

    Parameters
    ----------
    scores : (windows, labels) float32 each
        In order, a block at a time, of any length.
    overlap
        Number of windows that cover one moment.
    duration_s
        No event ends later.

    Returns
    -------
    list of Event
        By start.
    """
    half = round(rules.smooth_s / hop_s) // 2
    higher = np.array(thresholds, np.float32)
    trackers = [
        _EventTracker(label, threshold, rules, hop_s) for label, threshold in zip(labels, thresholds, strict=True)
    ]
    first = 0
    for moments in median_filtered(average_windows(scores, overlap), half):
        reached = moments >= higher * np.float32(rules.low_threshold_ratio)
        for column in np.flatnonzero(reached.any(axis=0) | np.array([one.is_open for one in trackers])):
            trackers[column].add(moments[:, column], reached[:, column], first)
        first += len(moments)
    events = [event for one in trackers for event in one.close(first, duration_s)]
    return sorted(events, key=lambda event: (event.start_s, event.end_s, event.label))


def average_windows(scores: Iterable[Float32], overlap: int) -> Iterator[Float32]:
    """Average windows moment by moment: a moment is one hop long, and `overlap` windows cover it.

    Parameters
    ----------
    scores : (windows, labels) float32 each

    Yields
    ------
    (moments, labels) float32
        `overlap - 1` more rows than windows in all; at both ends fewer windows are averaged.
    """
    before: Float32 | None = None
    windows = 0
    for block in scores:
        if before is None:
            before = np.zeros((overlap - 1, block.shape[1]), np.float32)
        rows = np.concatenate([before, block])
        covering = np.minimum(np.arange(windows, windows + len(block)) + 1, overlap)
        yield _mean(rows, len(block), overlap, covering)
        windows += len(block)
        before = rows[len(block) :]
    if before is not None and overlap > 1:
        covering = np.minimum(np.arange(overlap - 1, 0, -1), windows)
        yield _mean(np.concatenate([before, np.zeros_like(before)]), overlap - 1, overlap, covering)


def _mean(rows: Float32, moments: int, overlap: int, covering: Int64) -> Float32:
    # Always summed in the same order, so that the result does not depend on where blocks meet.
    total = np.zeros((moments, rows.shape[1]), np.float32)
    for back in range(overlap):
        total += rows[back : back + moments]
    return np.asarray(total / covering[:, None].astype(np.float32), np.float32)


def median_filtered(moments: Iterable[Float32], half: int) -> Iterator[Float32]:
    """Take the running median of each column over `2 * half + 1` rows; the first and last row are repeated at the ends.

    Yields
    ------
    (moments, labels) float32
        As many rows as came, in blocks of other lengths.
    """
    pending: Float32 | None = None
    for block in moments:
        pending = np.concatenate([np.repeat(block[:1], half, axis=0) if pending is None else pending, block])
        if len(pending) > 2 * half:
            yield _median(pending, half)
            pending = pending[len(pending) - 2 * half :]
    if pending is not None and half:
        pending = np.concatenate([pending, np.repeat(pending[-1:], half, axis=0)])
        yield _median(pending, half)


def _median(rows: Float32, half: int) -> Float32:
    if half == 0:
        return rows
    return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(rows, 2 * half + 1, axis=0), axis=-1))


@dataclass(slots=True)
class _EventTracker:
    """The events of one label, in moment numbers, built up block by block.

    Attributes
    ----------
    start, peak
        First moment and highest score of the event that is open; `start` is None between events.
    done
        Start, end and peak of the events that have ended.
    """

    label: str
    threshold: float
    rules: EventRules
    hop_s: float
    start: int | None = None
    peak: float = 0.0
    done: list[tuple[int, int, float]] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """Whether an event has started and not ended."""
        return self.start is not None

    def add(self, moments: Float32, reached: Bools, first: int) -> None:
        """Add the moments of a block, the first of which has the number `first`."""
        edges = np.flatnonzero(np.diff(np.concatenate([[self.is_open], reached])))
        begin = 0
        for edge in [*edges.tolist(), len(reached)]:
            if self.start is not None and edge > begin:
                self.peak = max(self.peak, float(moments[begin:edge].max()))
            if edge < len(reached):
                self._toggle(first + edge)
            begin = edge

    def _toggle(self, at: int) -> None:
        """Start an event at a moment, or end the open one there."""
        if self.start is None:
            self.start, self.peak = at, 0.0
            return
        start, peak, self.start = self.start, self.peak, None
        if peak < np.float32(self.threshold):
            return
        if self.done and (start - self.done[-1][1]) * self.hop_s <= self.rules.merge_gap_s:
            start, _, before = self.done.pop()
            peak = max(peak, before)
        self.done.append((start, at, peak))

    def close(self, moments: int, duration_s: float) -> Iterator[Event]:
        """End the open event and yield the events that are long enough."""
        if self.is_open:
            self._toggle(moments)
        for start, end, peak in self.done:
            start_s, end_s = round(start * self.hop_s, 6), round(min(end * self.hop_s, duration_s), 6)
            if end_s - start_s >= min(self.rules.min_duration_s, duration_s):
                yield Event(self.label, start_s, end_s, round(peak, 4))
