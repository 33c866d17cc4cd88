"""Features of stored clips, from the cache or computed, with the files that could not be read."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labeltool.audio.feature_cache import FeatureCache, FrameFunction
from labeltool.audio.frontend import Frontend
from labeltool.audio.trunk_frontend import TrunkFrontend
from labeltool.networks.model_folder import INT8, ModelFiles
from labeltool.pretrained.embedding_frames import frame_function
from labeltool.pretrained.trunk_frames import trunk_frames_of_model
from labeltool.project import Project
from labeltool.records import Skipped, StoredClip, skipped_files
from labeltool.type_aliases import Float32, Int64, Progress
from labeltool.util.lazy_frames import LazySequence, pick
from labeltool.util.time_limit import NO_LIMIT, TimeLimit


@dataclass(frozen=True, slots=True)
class ClipFeatures:
    """Clips with their features.

    Attributes
    ----------
    frames : (frames, columns) each
        Of the cache's frontend, one array a clip; read when asked for.
    skipped
        `{"file", "reason"}` of each file that could not be read; its clips are not among `clips`.
    left_out
        Number of clips that are not among them because the time was up.
    """

    clips: Sequence[StoredClip]
    frames: Sequence[Float32]
    skipped: tuple[Skipped, ...]
    left_out: int = 0


def feature_cache_of(project: Project, frontend: Frontend, pretrained_name: str = "") -> FeatureCache:
    """Return the project's feature cache of a frontend.

    Parameters
    ----------
    pretrained_name
        Name of the pretrained model that computes the frontend's embeddings, where it is known.

    Raises
    ------
    LabeltoolError
        When the frontend needs a pretrained model that the project does not have.
    """
    return bounded_cache(project, frontend, frame_function(frontend, [project.models], pretrained_name))


def feature_cache_of_model(project: Project, files: ModelFiles) -> FeatureCache:
    """Return the project's cache of what a model's predictors take (`scoring.float_predictor`).

    Raises
    ------
    LabeltoolError
        When the model needs a pretrained model that the project does not have.
    """
    frontend = files.feature_frontend
    if not isinstance(frontend, TrunkFrontend):
        return feature_cache_of(project, frontend, files.pretrained)
    frames = trunk_frames_of_model(files.directory / INT8, frontend, project.cache / "trunks")
    return bounded_cache(project, frontend, frames)


def bounded_cache(project: Project, frontend: Frontend, frames: FrameFunction) -> FeatureCache:
    """Return the project's cache of frames that a function computes, of the size that the settings allow."""
    return FeatureCache(project.features, frontend, frames, max_bytes=round(project.settings.learning.cache_gb * 1e9))


def compute_features(
    cache: FeatureCache,
    clips: Sequence[StoredClip],
    *,
    report: Progress,
    require_any: bool = True,
    limit: TimeLimit = NO_LIMIT,
    first: Sequence[StoredClip] = (),
    compute_order: Sequence[StoredClip] = (),
) -> ClipFeatures:
    """Compute what the cache lacks and return the features of all clips that can be read.

    Parameters
    ----------
    require_any
        Whether to fail when clips were given and none can be read.
    limit
        No clip is begun after it.
    first
        Those of the clips that are computed in any case.
    compute_order
        All clips, in the order in which they are computed where the time is limited; default as they are given.

    Raises
    ------
    LabeltoolError
        The first file's error, with `require_any`.
    """
    failed = cache.compute(first) if first else {}
    failed |= cache.compute(
        compute_order or clips, progress=lambda done, total: report("computing features", done, total), limit=limit
    )
    there = cache.has(clips)
    if require_any and failed and not there.any():
        raise next(iter(failed.values()))
    readable = pick(clips, np.flatnonzero(there))
    left_out = sum(clip.key not in failed for clip in pick(clips, np.flatnonzero(~there)))
    frames = LazySequence(cache.log_mel, readable, cache.frame_count)
    return ClipFeatures(readable, frames, skipped_files(failed.values()), left_out)


def draw_clips(clips: Sequence[StoredClip], max_clips: int, *, seed: int) -> list[StoredClip]:
    """Draw at most `max_clips` clips, kept in their order; the same ones as far as the clips are the same."""
    if len(clips) <= max_clips:
        return list(clips)
    return [*pick(clips, np.sort(shuffled_indices(clips, seed=seed)[:max_clips]))]


def shuffled_indices(clips: Sequence[StoredClip], *, seed: int) -> Int64:
    """Return the indices of clips in a pseudo-random order.

    It depends on each clip's key alone, so that features computed for one model serve the next, however many clips were
    labelled in between.
    """
    digests = (hashlib.sha256(f"{seed} {clip.key}".encode()).digest() for clip in clips)
    return np.argsort(np.fromiter(digests, "S32", len(clips)), kind="stable")
