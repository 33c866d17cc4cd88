"""Precision by score of what was detected in long recordings, from a review of a part of it.

The detections of a label are divided into strata by their scores (Dalenius & Hodges 1959: at equal steps of the
cumulative root of the frequency). In each they are reviewed in an order fixed by chance, and only those count that the
review has come to in that order: labels that somebody gave to detections of their choice change nothing. Which stratum
is next follows Neyman (1934), computed anew after each answer: the one in which an answer narrows the intervals of the
precision most. The population is these detections, so what is alike among them does no harm to the interval; it is no
interval for other recordings.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from labeltool.evaluation.intervals import Reviewed, Share, stratified_share
from labeltool.evaluation.thresholds import THRESHOLDS
from labeltool.records import Value
from labeltool.type_aliases import Float64

_MAX_STRATA = 8
# With smaller strata most answers would only find out how many of a handful are right.
_MIN_STRATUM = 10
# Before anything is known of a stratum's variance.
_FIRST = 2
MAX_PLANNED = 2000
"""More reviews than these are not planned for one label."""


@dataclass(frozen=True, slots=True)
class Detection:
    """A detected event of a label.

    Attributes
    ----------
    order
        A number drawn by chance: the place in its stratum.
    verdict
        A person's on this label there; None without.
    """

    clip_id: int
    score: float
    order: float
    verdict: Value | None


@dataclass(frozen=True, slots=True)
class PrecisionRow:
    """Precision of a label's detections from a threshold on.

    Attributes
    ----------
    precision
        None before each of their strata was reviewed.
    per_hour
        Calls per hour of the recordings: the number of detections that are right, by the precision (Navine et al. 2024,
        "All thresholds barred: direct estimation of call density in bioacoustic data").
    still_needed
        Reviews that are expected to be needed until the interval is as narrow as wanted; None: more than 2,000.
    """

    label: str
    threshold: float
    events: int
    reviewed: int
    precision: Share | None
    per_hour: Share | None
    still_needed: int | None

    @property
    def recall(self) -> None:
        """A review of what was detected says nothing about what was not."""

    @property
    def known_from(self) -> int:
        """From how many clips the precision is known."""
        return self.reviewed


class LabelReview:
    """The review of a label's detections.

    Parameters
    ----------
    precision
        Wanted precision: the review decides which thresholds reach it; None: narrow intervals at all thresholds.
    """

    def __init__(
        self, label: str, detections: Sequence[Detection], *, lowest: float = 0.0, precision: float | None = None
    ) -> None:
        self.label = label
        scores = np.array([one.score for one in detections])
        self._edges = strata_edges(scores, min(lowest, float(scores.min())))
        members: list[list[Detection]] = [[] for _ in self._edges]
        for one, stratum in zip(detections, np.searchsorted(self._edges, scores, side="right") - 1, strict=True):
            members[stratum].append(one)
        answered, self._waiting = [], []
        for stratum in members:
            stratum.sort(key=lambda one: (one.order, one.clip_id))
            count = next((place for place, one in enumerate(stratum) if one.verdict is None), len(stratum))
            answered.append([one.verdict for one in stratum[:count]])
            self._waiting.append(stratum[count:])
        right, wrong, unsure = (
            np.array([verdicts.count(value) for verdicts in answered], np.int64)
            for value in (Value.PRESENT, Value.ABSENT, Value.UNSURE)
        )
        self.reviewed = Reviewed(np.array([len(one) for one in members], np.int64), right, wrong, unsure)
        self._weights = self._row_weights(precision)

    @cached_property
    def _shares(self) -> list[Share | None]:
        """The precision from each stratum on; it takes longer than what is next, which the app reads often."""
        return [stratified_share(self.reviewed.from_stratum(first)) for first in range(len(self._edges))]

    def _row_weights(self, precision: float | None) -> Float64:
        """Return what a variance within a stratum is to those of all rows that are undecided, (strata,)."""
        is_open = np.ones(len(self._edges), bool)
        if precision is not None:
            is_open = np.array([one is None or one.low < precision < one.high for one in self._shares])
            if not is_open.any():
                is_open[:] = True
        sizes = self.reviewed.sizes.astype(np.float64)
        from_here_on = np.cumsum(sizes[::-1])[::-1]
        return np.asarray(np.square(sizes) * np.cumsum(is_open / np.square(from_here_on)), np.float64)

    def next_strata(self) -> Iterator[tuple[int, float]]:
        """Yield the stratum of each further review and by how much it narrows the intervals: the drop in variance."""
        sizes, counts = self.reviewed.sizes, self.reviewed.counts.copy()
        # As if one more were right and one more wrong: no stratum is taken to be without variance.
        shares = (self.reviewed.right + 1) / (counts + 2)
        for _ in range(MAX_PLANNED):
            known = np.maximum(counts, 1)
            gains = self._weights * shares * (1 - shares) * (1 / known - 1 / (known + 1))
            gains = np.where(counts < _FIRST, 1.0 + gains, gains)
            gains[counts >= sizes] = -1.0
            stratum = int(gains.argmax())
            if gains[stratum] < 0:
                return
            yield stratum, float(gains[stratum])
            counts[stratum] += 1

    def next_detections(self, limit: int) -> list[tuple[float, Detection]]:
        """Return the detections to review next, and by how much each narrows the intervals."""
        waiting = [iter(one) for one in self._waiting]
        # One in the order that was answered before its turn comes free.
        planned = ((gain, next(waiting[stratum], None)) for stratum, gain in self.next_strata())
        wanted: list[tuple[float, Detection]] = []
        for gain, one in planned:
            if len(wanted) == limit:
                break
            if one is not None and one.verdict is None:
                wanted.append((gain, one))
        return wanted

    def rows(self, hours: float, width: float | None = None) -> list[PrecisionRow]:
        """Return the table, by threshold."""
        needed = [None] * len(self._edges) if width is None else self._still_needed(width)
        rows = []
        for first, threshold in enumerate(self._edges):
            part, share = self.reviewed.from_stratum(first), self._shares[first]
            events = int(part.sizes.sum())
            rate = events / hours if hours > 0 else 0.0
            density = share and Share(share.value * rate, share.low * rate, share.high * rate)
            rows.append(
                PrecisionRow(
                    *(self.label, round(float(threshold), 4), events, int(part.counts.sum())),
                    *(share, density, needed[first]),
                )
            )
        return rows

    def _still_needed(self, width: float) -> list[int | None]:
        """Return by row how many reviews more are expected to narrow its interval to a width.

        The shares of the strata are taken to stay as they are, or, of those without an answer, to be a half.
        """
        plan = np.zeros((MAX_PLANNED + 1, len(self._edges)), np.int64)
        planned = 0
        for planned, (stratum, _) in enumerate(self.next_strata(), start=1):
            plan[planned] = plan[planned - 1]
            plan[planned, stratum] += 1
        shares = (self.reviewed.right + 0.5) / (self.reviewed.counts + 1)

        def is_enough(more: int, first: int) -> bool:
            added = plan[more]
            right = np.rint(shares * added).astype(np.int64)
            after = Reviewed(
                self.reviewed.sizes,
                self.reviewed.right + right,
                self.reviewed.wrong + added - right,
                self.reviewed.unsure,
            )
            share = stratified_share(after.from_stratum(first))
            return share is not None and share.width <= width

        needed = [
            bisect_left(range(planned + 1), True, key=partial(is_enough, first=first))
            for first in range(len(self._edges))
        ]
        return [None if more > planned else more for more in needed]


def strata_edges(scores: Float64, lowest: float) -> Float64:
    """Return the lower edges of the strata of scores, (strata,), the first of which is `lowest`."""
    grid = np.array([lowest, *(one for one in THRESHOLDS if one > lowest)])
    frequencies = np.histogram(scores, [*grid, np.inf])[0]
    cumulative = np.cumsum(np.sqrt(frequencies))
    count = max(1, min(_MAX_STRATA, len(scores) // _MIN_STRATUM))
    ends = np.searchsorted(cumulative, cumulative[-1] * np.arange(1, count) / count) + 1
    edges = [lowest]
    for edge in grid[np.unique(ends[ends < len(grid)])]:
        if min(((scores >= edges[-1]) & (scores < edge)).sum(), (scores >= edge).sum()) >= _MIN_STRATUM:
            edges.append(float(edge))
    return np.array(edges)
