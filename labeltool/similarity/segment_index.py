"""The segments of all recordings of a project, embedded by a pretrained model: computed once, kept in the cache.

The windows' embeddings are kept by `inference.scan`, block by block, so that an interrupted run goes on where it
stopped; the segments of a recording are one file, and the space that all are compared in is another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from labeltool.audio import files
from labeltool.audio.descriptors import hellinger_embeddings
from labeltool.errors import LabeltoolError
from labeltool.inference.scan import Scan
from labeltool.inference.segments import Segments, cut_segments, span_features
from labeltool.inference.window_scorers import EmbeddingScorer, ModelChoice
from labeltool.pretrained import registry
from labeltool.project import Project
from labeltool.records import Skipped, skipped_files
from labeltool.similarity.index import PrincipalSpace
from labeltool.store import Store, recordings
from labeltool.type_aliases import Float32, Float64, Int64, Progress
from labeltool.util.files.atomic_write import open_atomic, remove_tree
from labeltool.util.files.npz import UNREADABLE, open_npz
from labeltool.util.files.writable import kept

# Raised whenever segments are cut in another way.
_VERSION = 1
_FOLDER = "find"
_MAX_FITTED = 4096


@dataclass(frozen=True, slots=True)
class SegmentIndex:
    """The segments of a project's recordings.

    Attributes
    ----------
    recordings
        The recording of each segment, (segments,) int64: its id.
    starts, ends : (segments,) float64
        Seconds.
    rows : (segments, axes) float32
        Embeddings in the space.
    """

    pretrained: str
    scans: dict[int, Scan]
    recordings: Int64
    starts: Float64
    ends: Float64
    rows: Float32
    space: PrincipalSpace
    skipped: tuple[Skipped, ...]

    def span_rows(self, recording_id: int, spans: Sequence[tuple[float, float]]) -> Float32:
        """Return the embeddings of some spans of a recording, (spans, axes) float32."""
        return _in_space(self.space, span_features(self.scans[recording_id], spans))


def embedding_model(project: Project, name: str | None) -> str:
    """Return the name of the pretrained model to use: this one, else that of the settings, else the only one.

    Raises
    ------
    LabeltoolError
        When there is none or several, or it has no embedding.
    """
    able = registry.with_embeddings(project)
    name = name or (project.settings.learning.pretrained if project.settings.learning.pretrained in able else None)
    if name is None and len(able) == 1:
        name = able[0]
    if name is None:
        remedy = f"--pretrained names one of {', '.join(able)}" if able else "`labeltool model fetch yamnet` brings one"
        raise LabeltoolError(
            f"the project has {'several' if able else 'no'} pretrained models to choose", remedy=remedy
        )
    if name not in able:
        raise LabeltoolError(
            f"the project has no pretrained model {name!r} with an embedding",
            remedy=f"there are: {', '.join(able)}" if able else "`labeltool model fetch` or `add` brings one",
        )
    return name


def segment_index(
    project: Project, store: Store, pretrained: str, report: Progress, *, processes: int | None = None
) -> SegmentIndex:
    """Return the segments of all recordings; what is not in the cache is computed.

    Raises
    ------
    LabeltoolError
        When no recording can be read, or the cache cannot be written.
    """
    choice = ModelChoice(pretrained, registry.find(project, pretrained), is_own=False, embeds=True)
    scorer = EmbeddingScorer(choice.path)
    cache = project.cache / _FOLDER
    found, scans, failed = {}, {}, []
    for recording, sha256 in recordings.all_recordings(store):
        path = Path(recording.path)
        try:
            files.require_content(path, sha256, recording.samples_sha256)
            scan = Scan.of(choice, scorer, path, sha256, cache)
            scan.run(scorer, partial(_report_seconds, report, path.name), processes=processes)
            found[recording.id], scans[recording.id] = _segments_of(scan), scan
        except LabeltoolError as error:
            failed.append(error)
    if not found:
        raise (
            failed[0]
            if failed
            else LabeltoolError("the project has no recordings", remedy="`labeltool import audio FILE` adds one")
        )
    report("comparing segments", 0, 0)
    features = np.concatenate([one.features for one in found.values()])
    space = _space(cache, [scan.folder.name for scan in scans.values()], features)
    return SegmentIndex(
        pretrained,
        scans,
        np.repeat(np.fromiter(found, np.int64), [len(one) for one in found.values()]),
        np.concatenate([one.starts for one in found.values()]),
        np.concatenate([one.ends for one in found.values()]),
        _in_space(space, features),
        space,
        skipped_files(failed),
    )


def _segments_of(scan: Scan) -> Segments:
    """Return the segments of a scanned recording, from the cache where they are."""
    path = scan.folder / f"segments-{_VERSION}.npz"
    try:
        with open_npz(kept(path)) as arrays:
            return Segments(arrays["starts"], arrays["ends"], arrays["active"], arrays["features"].astype(np.float32))
    except UNREADABLE:
        segments = cut_segments(scan)
    with open_atomic(path) as file:
        features = segments.features.astype(np.float16)
        np.savez(file, starts=segments.starts, ends=segments.ends, active=segments.active, features=features)
    return Segments(segments.starts, segments.ends, segments.active, features.astype(np.float32))


def _space(cache: Path, scans: Sequence[str], features: Float32) -> PrincipalSpace:
    """Return the space that these recordings' segments are compared in, from the cache where it is."""
    path = cache / f"space-{hashlib.sha256(repr([_VERSION, *scans]).encode()).hexdigest()[:24]}.npz"
    try:
        with open_npz(kept(path)) as arrays:
            return PrincipalSpace(arrays["mean"], arrays["axes"], int(arrays["fitted_on"]))
    except UNREADABLE:
        chosen = np.random.default_rng(0).permutation(len(features))[:_MAX_FITTED]
        space = PrincipalSpace.fit(hellinger_embeddings(features[np.sort(chosen)]).astype(np.float32))
    for old in cache.glob("space-*.npz"):
        remove_tree(old)
    with open_atomic(path) as file:
        np.savez(file, mean=space.mean, axes=space.axes, fitted_on=space.fitted_on)
    return space


def _in_space(space: PrincipalSpace, features: Float32) -> Float32:
    return np.asarray((hellinger_embeddings(features).astype(np.float32) - space.mean) @ space.axes, np.float32)


def _report_seconds(report: Progress, name: str, done_s: int, total_s: int) -> None:
    report("embedding", done_s, total_s, f"seconds of {name}")
