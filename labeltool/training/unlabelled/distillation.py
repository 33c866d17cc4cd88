"""Distillation targets: a large network's embedding of each moment of a clip, which a small one learns to predict.

Such a target has many numbers where a label is one of few: the same clips train more (Romero et al. 2015, "FitNets:
hints for thin deep nets"). The layer that predicts them is dropped after training; the small network keeps its size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labeltool.audio.clip_samples import padded_span
from labeltool.audio.descriptors import hellinger_embeddings
from labeltool.audio.frontend import Frontend
from labeltool.errors import LabeltoolError
from labeltool.pretrained.clip_cache import STAGE, cached
from labeltool.pretrained.model import PretrainedModel
from labeltool.records import StoredClip
from labeltool.type_aliases import Float32, Float64, Int16, Int64, Progress

STEP_S = 0.1
"""Seconds between two moments; the first is a clip's beginning."""

_WIDTH = 128
_SUFFIX = ".hellinger"
# Clips and moments that the principal axes are computed from, at most: more do not change them.
_MAX_CLIPS, _MAX_MOMENTS = 512, 8192


@dataclass(frozen=True, slots=True)
class DistillationTargets:
    """The distillation targets of some clips.

    Attributes
    ----------
    rows : (moments, width) float32
        One clip's after the other's.
    first, count : (clips,) int64
        Each clip's first row and number of rows.
    """

    rows: Float32
    first: Int64
    count: Int64

    @classmethod
    def of(cls, clips: Sequence[Float32]) -> DistillationTargets:
        """Join clips' targets, `(moments, width)` float32 each."""
        count = np.array([len(rows) for rows in clips], np.int64)
        return cls(np.concatenate(list(clips)), np.cumsum(count) - count, count)

    @property
    def width(self) -> int:
        """Number of targets of a moment."""
        return int(self.rows.shape[1])

    def at(self, clips: Int64, moments_s: Float64) -> Float32:
        """Return the targets of one moment of each clip, in seconds from the clip's beginning: `(n, width)`."""
        nearest = np.rint(moments_s / STEP_S).astype(np.int64)
        return np.asarray(self.rows[self.first[clips] + np.clip(nearest, 0, self.count[clips] - 1)])


@dataclass(frozen=True, slots=True)
class PrincipalAxes:
    """The principal axes of embeddings: distillation targets are coordinates along them.

    Written with NumPy and not as scikit-learn's `PCA`, which flips signs and whitens each axis by itself; here all axes
    share one scale. No other part of labeltool computes this decomposition: `similarity.index` iterates to approximate
    axes, `linear_probe` needs any basis of the rows.

    Attributes
    ----------
    mean : (width of an embedding,) float64
    axes : (width of an embedding, number of targets) float64
        Scaled so that targets have a variance of one on the mean: their loss compares with that of the labels in the
        same way whatever network the embeddings come from.
    """

    mean: Float64
    axes: Float64

    @classmethod
    def of(cls, rows: npt.NDArray[np.floating]) -> PrincipalAxes:
        """Return the axes of embeddings, `(moments, width)` as `hellinger_embeddings` scales them."""
        mean = rows.mean(axis=0, dtype=np.float64)
        axes = np.linalg.svd(rows - mean, full_matrices=False)[2][:_WIDTH].T
        deviation = float(((rows - mean) @ axes).std())
        return cls(mean, axes / max(deviation, 1e-9))

    def project(self, rows: npt.NDArray[np.floating]) -> Float32:
        """Project embeddings as `hellinger_embeddings` scales them: `(moments, number of targets)`."""
        return np.asarray((rows - self.mean) @ self.axes, np.float32)


def sample_moments(rows: Float32, clips: int) -> Float32:
    """Return some of a clip's moments, evenly over its length: its share where the axes are of `clips` clips."""
    count = max(1, _MAX_MOMENTS // clips)
    return rows[np.unique(np.linspace(0, len(rows) - 1, count).astype(np.int64))]


def compute_distillation_targets(
    pretrained: PretrainedModel, directory: Path, clips: Sequence[StoredClip], frontend: Frontend, *, report: Progress
) -> tuple[dict[str, Float32], dict[str, LabeltoolError]]:
    """Compute the distillation targets of clips to train on, moment by moment.

    Parameters
    ----------
    clips
        They settle the principal axes too: no validation clip may be among them.
    frontend
        The network's: the teacher gets the same region of the recording.

    Returns
    -------
    targets
        Clip key to (moments, number of targets) float32.
    failed
        Clip key to error, of the clips that could not be read.
    """
    failed: dict[str, LabeltoolError] = {}

    def embeddings(place: int) -> Float32:
        clip = clips[place]
        region = padded_span(clip, frontend)
        make = partial(_embed_moments, pretrained, region[1] - region[0])
        return cached(directory, pretrained, clip, region, _SUFFIX, make, partial(report, STAGE, place, len(clips)))

    sampled = set(np.linspace(0, len(clips) - 1, min(len(clips), _MAX_CLIPS)).astype(int).tolist())
    rows: list[Float32] = []
    for place, clip in enumerate(clips):
        try:
            moments = embeddings(place)
        except LabeltoolError as error:
            failed[clip.key] = error
            continue
        if place in sampled or not rows:
            rows.append(sample_moments(moments, len(sampled)))
    if not rows:
        return {}, failed
    axes = PrincipalAxes.of(np.concatenate(rows))
    # Read again from the cache, not kept in memory: a clip's embeddings are as large as its samples, its targets small.
    readable = [place for place, clip in enumerate(clips) if clip.key not in failed]
    return {clips[place].key: axes.project(embeddings(place)) for place in readable}, failed


def _embed_moments(pretrained: PretrainedModel, duration_s: float, pcm: Int16) -> npt.NDArray[np.float16]:
    # Where the file is shorter there is silence on both sides, as in the network's own patches.
    missing = max(0, round(duration_s * pretrained.card.rate_hz) - len(pcm))
    padded = np.pad(pcm, (missing // 2, missing - missing // 2))
    return np.asarray(hellinger_embeddings(pretrained.embed_moments(padded, STEP_S)), np.float16)
