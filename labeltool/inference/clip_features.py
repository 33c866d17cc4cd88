"""The clips that can be heard, and a word on those that cannot."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from labeltool.audio.feature_cache import FeatureCache
from labeltool.audio.frontend import Frontend
from labeltool.errors import files_of
from labeltool.pretrained.embedding_frontend import framer
from labeltool.project import Project
from labeltool.records import StoredClip
from labeltool.type_aliases import Float32, Progress


@dataclass(frozen=True, slots=True)
class Hearing:
    """Clips with their frames, (frames, columns) float32 each; `left_out` says which files failed and why."""

    clips: list[StoredClip]
    log_mels: list[Float32]
    left_out: list[dict[str, str]]


def cache_of(project: Project, frontend: Frontend, called: str = "") -> FeatureCache:
    """Return the project's cache of a frontend's frames.

    Parameters
    ----------
    called
        What the ear was called that makes them, where one does and that is known.

    Raises
    ------
    LabeltoolError
        When an ear is to make them that the project does not have.
    """
    return FeatureCache(project.cache / "features", frontend, framer(frontend, [project.models], called))


def hear(cache: FeatureCache, wanted: Sequence[StoredClip], *, report: Progress, need: bool = True) -> Hearing:
    """Compute what the cache lacks and return the clips that can be heard.

    Parameters
    ----------
    need
        Whether to fail when there is none.

    Raises
    ------
    LabeltoolError
        The first file's reason, when clips were wanted and none can be heard.
    """
    failed = cache.compute(wanted, progress=lambda done, total: report("listening", done, total))
    heard = [clip for clip in wanted if clip.key not in failed]
    if need and failed and not heard:
        raise next(iter(failed.values()))
    return Hearing(heard, [cache.log_mel(clip) for clip in heard], files_of(failed.values()))


def some_of(wanted: Sequence[StoredClip], most: int, *, seed: int) -> list[StoredClip]:
    """Draw so many clips at most, in their order.

    A clip's name decides, not its place: what was heard for one model serves the next, however much was answered since.
    """
    if len(wanted) <= most:
        return list(wanted)
    marks = {clip.id: hashlib.sha256(f"{seed} {clip.key}".encode()).digest() for clip in wanted}
    drawn = set(sorted(marks, key=marks.__getitem__)[:most])
    return [clip for clip in wanted if clip.id in drawn]
