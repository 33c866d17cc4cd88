"""Cut a recording, scanned by an `EmbeddingScorer`, into segments that sound alike, each with one embedding.

A recording is cut where its level rises above the local background or falls back, and where the embeddings before and
after a moment differ most (change points; Zhao et al. 2020, "Active learning for sound event detection", and Martinsson
et al. 2025, arXiv 2505.20956). Every moment is in one segment, the quiet ones too. Only levels and projected embeddings
of a whole recording are in memory: 30 MB for 24 hours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from labeltool.audio.descriptors import hellinger, random_projection
from labeltool.inference.scan import Scan
from labeltool.inference.window_scorers import MOMENTS
from labeltool.type_aliases import Bools, Float32, Float64, Int64

# The background is measured in pieces of a minute, each with its neighbours.
_BACKGROUND_S = 60.0
# Above the 10th percentile of the level by this much, or by this many times the range from the 5th to the 25th, a
# moment is active. Chosen on recordings joined of ESC-10's folds 1 to 3.
_ACTIVE_DB = 1.0
_ACTIVE_SPREADS = 4.0
# Pauses up to this long are part of an active run, and shorter runs are dropped.
_MAX_PAUSE_S = 0.3
_MIN_RUN_S = 0.1
# Cosine distance of the embeddings of a second before and after a change point, at least.
_MIN_CHANGE = 0.3
_MIN_CHANGE_S = 1.0
# A longer segment is divided: one embedding does not describe an hour of background.
_MAX_SEGMENT_S = 20.0
_MIN_SEGMENT_S = 1e-3


@dataclass(frozen=True, slots=True)
class Segments:
    """The segments of a recording, by start.

    Attributes
    ----------
    starts, ends : (segments,) float64
        Seconds.
    active : (segments,) bool
        Whether the segment is louder than the background around it.
    features : (segments, 2 * width) float32
        As `span_features`.
    """

    starts: Float64
    ends: Float64
    active: Bools
    features: Float32

    def __len__(self) -> int:
        return len(self.starts)


def cut_segments(scan: Scan) -> Segments:
    """Cut a recording whose blocks are all scored into segments.

    Raises
    ------
    LabeltoolError
        When a block is damaged.
    """
    windows = scan.windows
    hop_s, window_s = windows.hop / windows.rate_hz, windows.window / windows.rate_hz
    levels, sketches = _levels_and_sketches(scan)
    moment_s = window_s / MOMENTS
    runs = active_runs(levels, moment_s)
    changes = change_points(sketches, windows.overlap) * hop_s + window_s / 2
    bounds = _bounds(np.asarray(runs * moment_s, np.float64), changes, windows.duration_s)
    middles = (bounds[:-1] + bounds[1:]) / 2
    active = (np.searchsorted(runs.ravel() * moment_s, middles) % 2).astype(bool)
    features = span_features(scan, list(pairwise(bounds.tolist())))
    return Segments(bounds[:-1], bounds[1:], active, features)


def span_features(scan: Scan, spans: Sequence[tuple[float, float]]) -> Float32:
    """Return an embedding for each span (start and end, seconds) of a scanned recording, (spans, 2 * width) float32.

    It has mean and maximum over the windows inside the span; over the nearest one where none is.
    """
    windows = scan.windows
    hop_s, window_s = windows.hop / windows.rate_hz, windows.window / windows.rate_hz
    margin_s = window_s / MOMENTS  # an edge is no more exact, and a little of a loud neighbour would fill the maximum
    features = []
    for start_s, end_s in spans:
        first = int(np.ceil((start_s + margin_s) / hop_s))
        count = int(np.floor((end_s - margin_s - window_s) / hop_s)) - first + 1
        if count < 1:
            first, count = round(((start_s + end_s - window_s) / 2) / hop_s), 1
        first = min(max(0, first), len(windows) - 1)
        rows = scan.rows(first, min(count, len(windows) - first))[:, MOMENTS:]
        features.append(np.concatenate([rows.mean(axis=0), rows.max(axis=0)]))
    return np.asarray(features, np.float32)


def active_runs(levels: Float32, moment_s: float) -> Int64:
    """Return the runs of moments that are louder than the background, (runs, 2) int64: first, and one after the last.

    Parameters
    ----------
    levels : (moments,) float32
        Decibels.
    """
    piece = max(1, round(_BACKGROUND_S / moment_s))
    active = np.zeros(len(levels), bool)
    for first in range(0, len(levels), piece):
        around = levels[max(0, first - piece) : first + 2 * piece]
        lowest, low, quarter = np.percentile(around, (5, 10, 25))
        threshold = low + max(_ACTIVE_DB, _ACTIVE_SPREADS * (quarter - lowest))
        active[first : first + piece] = levels[first : first + piece] > threshold
    edges = np.flatnonzero(np.diff(np.concatenate([[0], active.astype(np.int8), [0]]))).reshape(-1, 2)
    if not len(edges):
        return edges
    apart = (edges[1:, 0] - edges[:-1, 1]) * moment_s > _MAX_PAUSE_S
    runs = np.stack([edges[np.append(True, apart), 0], edges[np.append(apart, True), 1]], axis=1)
    return np.asarray(runs[(runs[:, 1] - runs[:, 0]) * moment_s >= _MIN_RUN_S], np.int64)


def change_points(sketches: Float32, deep: int) -> Float64:
    """Return the moments between windows at which the sound changes most, as fractions of window numbers.

    Parameters
    ----------
    sketches : (windows, width) float32
        Embeddings, or projections of them that keep their angles.
    deep
        Windows in the length of one.
    """
    if len(sketches) < 2 * deep:
        return np.zeros(0)
    sums = np.concatenate([np.zeros((1, sketches.shape[1])), np.cumsum(sketches, axis=0, dtype=np.float64)])
    means = sums[deep:] - sums[:-deep]
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)
    change = 1.0 - (means[:-deep] * means[deep:]).sum(axis=1)
    padded = np.pad(change, deep, constant_values=-1.0)
    highest = np.lib.stride_tricks.sliding_window_view(padded, 2 * deep + 1).max(axis=1)
    peaks = np.flatnonzero((change >= highest) & (change > _MIN_CHANGE))
    return np.asarray(peaks + deep - 0.5, np.float64)


def _levels_and_sketches(scan: Scan) -> tuple[Float32, Float32]:
    """Return the level of every moment, and a projection of every window's embedding."""
    levels, sketches = [], []
    projection: Float32 | None = None
    per_hop = MOMENTS // scan.windows.overlap
    for block in scan.scores():
        if projection is None:
            projection = random_projection(block.shape[1] - MOMENTS)
        levels.append(block[:, :per_hop].ravel())
        sketches.append((hellinger(block[:, MOMENTS:], 1.0) @ projection).astype(np.float16))
        tail = block[-1, per_hop:]
    return np.concatenate([*levels, tail]), np.concatenate(sketches).astype(np.float32)


def _bounds(runs_s: Float64, changes_s: Float64, duration_s: float) -> Float64:
    """Return the bounds of segments: edges of active runs, change points that are far from those, and ends."""
    edges = np.unique(np.clip(np.concatenate([[0.0], runs_s.ravel(), [duration_s]]), 0.0, duration_s))
    # A run that ends with the recording differs from its duration by the last bit: nothing is between the two.
    edges = edges[np.append(np.diff(edges) > min(_MIN_SEGMENT_S, duration_s / 2), True)]
    edges[0] = 0.0
    places = np.searchsorted(edges, changes_s).clip(1, len(edges) - 1)
    far = np.minimum(changes_s - edges[places - 1], edges[places] - changes_s) >= _MIN_CHANGE_S
    bounds = np.sort(np.concatenate([edges, changes_s[far]]))
    parts = [
        np.linspace(start, end, int(np.ceil((end - start) / _MAX_SEGMENT_S)), endpoint=False)
        for start, end in pairwise(bounds)
    ]
    return np.append(np.concatenate(parts), duration_s)
