"""Hints: what a large network makes of each moment of a clip, which a small one learns to tell beside the labels.

A hint is a target of many numbers where a label is one of few: from the same clips it teaches more (Romero et al. 2015,
"FitNets: hints for thin deep nets"). The layer that tells it is dropped after training; the small network's size is
what it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labeltool.audio import frontend

Float32 = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]

STEP_S = 0.1
"""Between two moments; the first is a clip's beginning."""

_WIDTH = 128
# So many moments tell the directions in which embeddings differ as well as all of them would.
_MOST_COMPARED = 8192
# A row's length: with it a regularisation means the same for embeddings of any width.
_NORM = 45.0


@dataclass(frozen=True, slots=True)
class Hints:
    """The hints of some clips.

    Attributes
    ----------
    rows : (moments, width) float32
        One clip's after the other's.
    first, count : (clips,) int64
        Where each clip's begin, and how many they are.
    """

    rows: Float32
    first: Indices
    count: Indices

    @classmethod
    def of(cls, clips: Sequence[Float32]) -> Hints:
        """Put clips' hints together, `(moments, width)` float32 each."""
        count = np.array([len(one) for one in clips], np.int64)
        return cls(np.concatenate(list(clips)), np.cumsum(count) - count, count)

    @property
    def width(self) -> int:
        """Numbers a hint has."""
        return int(self.rows.shape[1])

    def at(self, clips: Indices, moments_s: npt.NDArray[np.float64]) -> Float32:
        """Return the hint of one moment in each of some clips, counted from the clip's beginning: `(n, width)`."""
        nearest = np.rint(moments_s / STEP_S).astype(np.int64)
        return np.asarray(self.rows[self.first[clips] + np.clip(nearest, 0, self.count[clips] - 1)])


@dataclass(frozen=True, slots=True)
class Directions:
    """The few directions in which embeddings differ most, by which hints are told.

    Attributes
    ----------
    mean : (width of an embedding,) float64
    axes : (width of an embedding, width of a hint) float64
        Scaled so that a hint's numbers have a variance of one on the mean: how a loss of them compares with that of
        the labels does not depend on the network they come from.
    """

    mean: npt.NDArray[np.float64]
    axes: npt.NDArray[np.float64]

    @classmethod
    def of(cls, rows: npt.NDArray[np.floating]) -> Directions:
        """Find them in some moments' embeddings, `(moments, width)` as `hellinger` has them: principal components."""
        mean = rows.mean(axis=0, dtype=np.float64)
        axes = np.linalg.svd(rows - mean, full_matrices=False)[2][:_WIDTH].T
        spread = float(((rows - mean) @ axes).std())
        return cls(mean, axes / max(spread, 1e-9))

    def hints(self, rows: npt.NDArray[np.floating]) -> Float32:
        """Turn a clip's embeddings, as `hellinger` has them, into its hints: `(moments, width of a hint)`."""
        return np.asarray((rows - self.mean) @ self.axes, np.float32)


def sample(rows: Float32, clips: int) -> Float32:
    """Return a clip's share of the moments, evenly over its length, by which so many clips settle the directions."""
    each = max(1, _MOST_COMPARED // clips)
    return rows[np.unique(np.linspace(0, len(rows) - 1, each).astype(np.int64))]


def hellinger(embeddings: Float32) -> npt.NDArray[np.float64]:
    """Return the square roots of embeddings, each row of one length: as such, activations compare better."""
    return frontend.hellinger(embeddings.astype(np.float64), _NORM)
