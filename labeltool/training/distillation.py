"""Hints: what a large network makes of each moment of a clip, which a small one learns to tell beside the labels.

A hint is a target of many numbers where a label is one of few: from the same clips it teaches more (Romero et al. 2015,
"FitNets: hints for thin deep nets"). The layer that tells it is dropped after training; the small network's size is
what it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labeltool.audio.descriptors import hellinger_embeddings
from labeltool.audio.feature_cache import heard_span
from labeltool.audio.frontend import Frontend
from labeltool.errors import LabeltoolError
from labeltool.pretrained.clip_cache import STAGE, cached
from labeltool.pretrained.model import Ear
from labeltool.records import StoredClip
from labeltool.type_aliases import Float32, Float64, Int16, Int64, Progress

STEP_S = 0.1
"""Between two moments; the first is a clip's beginning."""

_WIDTH = 128
_MOMENTS = ".hellinger"
# So many moments tell the directions in which embeddings differ as well as all of them would.
_MOST_COMPARED = 8192


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
    first: Int64
    count: Int64

    @classmethod
    def of(cls, clips: Sequence[Float32]) -> Hints:
        """Put clips' hints together, `(moments, width)` float32 each."""
        count = np.array([len(one) for one in clips], np.int64)
        return cls(np.concatenate(list(clips)), np.cumsum(count) - count, count)

    @property
    def width(self) -> int:
        """Numbers a hint has."""
        return int(self.rows.shape[1])

    def at(self, clips: Int64, moments_s: Float64) -> Float32:
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

    mean: Float64
    axes: Float64

    @classmethod
    def of(cls, rows: npt.NDArray[np.floating]) -> Directions:
        """Return the principal components of embeddings, `(moments, width)` as `hellinger_embeddings` scales them."""
        mean = rows.mean(axis=0, dtype=np.float64)
        axes = np.linalg.svd(rows - mean, full_matrices=False)[2][:_WIDTH].T
        spread = float(((rows - mean) @ axes).std())
        return cls(mean, axes / max(spread, 1e-9))

    def hints(self, rows: npt.NDArray[np.floating]) -> Float32:
        """Project a clip's embeddings, scaled by `hellinger_embeddings`: `(moments, width of a hint)`."""
        return np.asarray((rows - self.mean) @ self.axes, np.float32)


def sample(rows: Float32, clips: int) -> Float32:
    """Return a clip's share of the moments, evenly over its length, by which so many clips settle the directions."""
    each = max(1, _MOST_COMPARED // clips)
    return rows[np.unique(np.linspace(0, len(rows) - 1, each).astype(np.int64))]


# So many clips settle what hints mean, however many there are.
_SETTLED_BY = 512


def hints_for(
    ear: Ear, directory: Path, clips: Sequence[StoredClip], frontend: Frontend, *, report: Progress
) -> tuple[dict[str, Float32], dict[str, LabeltoolError]]:
    """Tell what an ear makes of clips that teach, moment by moment, for a network to learn (`labeltool.hints`).

    Parameters
    ----------
    clips
        By these it is settled what a hint's numbers mean, too: none that checks the network may be among them.
    frontend
        The network's: the ear hears what it hears.

    Returns
    -------
    hints
        Clip key to (moments, width of a hint) float32.
    failed
        Clip key to error, of the clips that could not be read.
    """
    failed: dict[str, LabeltoolError] = {}

    def embeddings(place: int) -> Float32:
        clip = clips[place]
        span = heard_span(clip, frontend)
        make = partial(_moments, ear, span[1] - span[0])
        return cached(directory, ear, clip, span, _MOMENTS, make, partial(report, STAGE, place, len(clips)))

    some = set(np.linspace(0, len(clips) - 1, min(len(clips), _SETTLED_BY)).astype(int).tolist())
    rows: list[Float32] = []
    for place, clip in enumerate(clips):
        try:
            heard = embeddings(place)
        except LabeltoolError as error:
            failed[clip.key] = error
            continue
        if place in some or not rows:
            rows.append(sample(heard, len(some)))
    if not rows:
        return {}, failed
    directions = Directions.of(np.concatenate(rows))
    # Read again rather than held: a clip's embeddings are as large as its sound, its hints small.
    kept = [place for place, clip in enumerate(clips) if clip.key not in failed]
    return {clips[place].key: directions.hints(embeddings(place)) for place in kept}, failed


def _moments(ear: Ear, duration_s: float, pcm: Int16) -> npt.NDArray[np.float16]:
    # What a file is too short for is silence on both sides, as the network hears it.
    missing = max(0, round(duration_s * ear.card.rate_hz) - len(pcm))
    padded = np.pad(pcm, (missing // 2, missing - missing // 2))
    return np.asarray(hellinger_embeddings(ear.embed_moments(padded, STEP_S)), np.float16)
