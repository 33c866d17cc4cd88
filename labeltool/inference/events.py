"""From what overlapping windows say to events: beginning, end, label. One pass, in bounded memory.

The windows' scores are averaged moment by moment, smoothed by a running median, and cut by two thresholds (Canny 1986;
for sound events Dinkel et al. 2021, "Towards duration robust weakly supervised sound event detection"): an event lasts
while the lower one is reached, and is one if the higher one is reached in it. Events of a label that are close are
joined, then short ones are dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from labeltool.records import Event
from labeltool.type_aliases import Bools, Float32, Int64


@dataclass(frozen=True, slots=True)
class Rules:
    """What makes an event. The defaults did best by YAMNet on recordings joined of ESC-10's folds 1 to 3.

    Attributes
    ----------
    smooth_s
        Length of the running median; up to one step between windows nothing is smoothed.
    join_s
        Two events of one label that are no further apart are one.
    shortest_s
        What is shorter is dropped.
    lower
        The lower threshold, as a share of the higher.
    """

    smooth_s: float = 0.7
    join_s: float = 1.0
    shortest_s: float = 0.4
    lower: float = 0.3


def find_events(
    scores: Iterable[Float32],
    labels: Sequence[str],
    thresholds: Sequence[float],
    rules: Rules,
    *,
    hop_s: float,
    deep: int,
    duration_s: float,
) -> list[Event]:
    """Find events in windows' scores.

    Parameters
    ----------
    scores : (windows, labels) float32 each
        In order, a block at a time, of any length.
    thresholds
        The higher one of each label.
    hop_s, deep
        Seconds between windows, and how many of them hear one moment.
    duration_s
        No event ends later.

    Returns
    -------
    list of Event
        By beginning.
    """
    half = round(rules.smooth_s / hop_s) // 2
    higher = np.array(thresholds, np.float32)
    found = [_Runs(label, threshold, rules, hop_s) for label, threshold in zip(labels, thresholds, strict=True)]
    first = 0
    for moments in smoothed(posteriors(scores, deep), half):
        reached = moments >= higher * np.float32(rules.lower)
        for column in np.flatnonzero(reached.any(axis=0) | np.array([one.open for one in found])):
            found[column].take(moments[:, column], reached[:, column], first)
        first += len(moments)
    events = [event for one in found for event in one.close(first, duration_s)]
    return sorted(events, key=lambda event: (event.start_s, event.end_s, event.label))


def posteriors(scores: Iterable[Float32], deep: int) -> Iterator[Float32]:
    """Average windows moment by moment: a moment is as long as windows are apart, and `deep` windows hear it.

    Parameters
    ----------
    scores : (windows, labels) float32 each

    Yields
    ------
    (moments, labels) float32
        `deep - 1` more than windows in all; at both ends fewer windows are averaged.
    """
    before: Float32 | None = None
    windows = 0
    for block in scores:
        if before is None:
            before = np.zeros((deep - 1, block.shape[1]), np.float32)
        rows = np.concatenate([before, block])
        heard_by = np.minimum(np.arange(windows, windows + len(block)) + 1, deep)
        yield _mean(rows, len(block), deep, heard_by)
        windows += len(block)
        before = rows[len(block) :]
    if before is not None and deep > 1:
        heard_by = np.minimum(np.arange(deep - 1, 0, -1), windows)
        yield _mean(np.concatenate([before, np.zeros_like(before)]), deep - 1, deep, heard_by)


def _mean(rows: Float32, moments: int, deep: int, heard_by: Int64) -> Float32:
    # Always in the same order, so that where blocks meet changes no digit.
    total = np.zeros((moments, rows.shape[1]), np.float32)
    for back in range(deep):
        total += rows[back : back + moments]
    return np.asarray(total / heard_by[:, None].astype(np.float32), np.float32)


def smoothed(moments: Iterable[Float32], half: int) -> Iterator[Float32]:
    """Take the running median of each column over `2 * half + 1` rows; beyond its ends the first and last go on.

    Yields
    ------
    (moments, labels) float32
        As many as came, in blocks of other lengths.
    """
    held: Float32 | None = None
    for block in moments:
        held = np.concatenate([np.repeat(block[:1], half, axis=0) if held is None else held, block])
        if len(held) > 2 * half:
            yield _median(held, half)
            held = held[len(held) - 2 * half :]
    if held is not None and half:
        held = np.concatenate([held, np.repeat(held[-1:], half, axis=0)])
        yield _median(held, half)


def _median(rows: Float32, half: int) -> Float32:
    if half == 0:
        return rows
    return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(rows, 2 * half + 1, axis=0), axis=-1))


@dataclass(slots=True)
class _Runs:
    """The stretches of one label, moment numbers, put together while they come."""

    label: str
    threshold: float
    rules: Rules
    hop_s: float
    start: int | None = None
    peak: float = 0.0
    done: list[tuple[int, int, float]] = field(default_factory=list)

    @property
    def open(self) -> bool:
        """Whether a stretch goes on."""
        return self.start is not None

    def take(self, moments: Float32, reached: Bools, first: int) -> None:
        """Go on with the moments of a block; `first` is the number of its first one."""
        edges = np.flatnonzero(np.diff(np.concatenate([[self.open], reached])))
        begin = 0
        for edge in [*edges.tolist(), len(reached)]:
            if self.start is not None and edge > begin:
                self.peak = max(self.peak, float(moments[begin:edge].max()))
            if edge < len(reached):
                self._turn(first + edge)
            begin = edge

    def _turn(self, at: int) -> None:
        if self.start is None:
            self.start, self.peak = at, 0.0
            return
        start, peak, self.start = self.start, self.peak, None
        if peak < np.float32(self.threshold):
            return
        if self.done and (start - self.done[-1][1]) * self.hop_s <= self.rules.join_s:
            start, _, before = self.done.pop()
            peak = max(peak, before)
        self.done.append((start, at, peak))

    def close(self, moments: int, duration_s: float) -> Iterator[Event]:
        """End what goes on, and yield what is long enough."""
        if self.open:
            self._turn(moments)
        for start, end, peak in self.done:
            start_s, end_s = round(start * self.hop_s, 6), round(min(end * self.hop_s, duration_s), 6)
            if end_s - start_s >= min(self.rules.shortest_s, duration_s):
                yield Event(self.label, start_s, end_s, round(peak, 4))
