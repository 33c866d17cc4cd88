"""Compare the clips of a project by their features: keep the index complete, cluster clips, and draw a map.

References
----------
Sculley 2010 (mini-batch k-means); van der Maaten and Hinton 2008 (t-SNE).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from labeltool.annotation import listing
from labeltool.audio.descriptors import hellinger_embeddings
from labeltool.audio.feature_cache import FeatureCache
from labeltool.errors import LabeltoolError
from labeltool.evaluation import charts
from labeltool.evaluation.charts import of_clips
from labeltool.inference.clip_features import ClipFeatures, compute_features, feature_cache_of, feature_cache_of_model
from labeltool.inference.embed import FeatureExtractor
from labeltool.networks import model_folder
from labeltool.networks.architectures import sound_frontend
from labeltool.pretrained import registry
from labeltool.pretrained.clip_cache import embed_clips
from labeltool.pretrained.probe import open_model
from labeltool.project import Project
from labeltool.records import Skipped, StoredClip, skipped_files
from labeltool.similarity import search
from labeltool.similarity.index import NeighbourIndex, PrincipalSpace
from labeltool.similarity.search import FeatureSource
from labeltool.store import Store, clips
from labeltool.store.label_acts import split_queue
from labeltool.type_aliases import Float32, Int64, Progress
from labeltool.util.files.atomic_write import remove_tree
from labeltool.util.files.locks import wait_for_lock
from labeltool.util.files.writable import fetch

_STAGE = "comparing"
_BATCH = 512
# This many clips settle in which directions sounds differ, however many there are.
_MAX_FITTED = 4096
# A space that was fitted on fewer is fitted again when there are this many times as many.
_REFIT_GROWTH = 4
# Cluster centres are found among at most this many clips: 51 MB, and more would not move them.
_MAX_CLUSTERED = 100_000
# A map of more would be a blot, and takes minutes.
_MAX_MAPPED = 2000
_PERPLEXITY = 30.0


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster of clips: the clip in its middle, with its file and place in it, seconds; all its clips by distance."""

    clip: int
    file: str
    start_s: float
    end_s: float
    clips: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SimilarResult:
    """What `compare` returns.

    Attributes
    ----------
    by
        What clips are compared by, as `FeatureSource.display_name`.
    skipped
        `{"file", "reason"}` of each file that could not be read.
    clusters
        The clusters, the largest first; None where none were asked for.
    drawn, map
        Number of clips on the map, and its file; None where none was asked for.
    """

    by: str
    added: int
    skipped: tuple[Skipped, ...]
    clusters: tuple[Cluster, ...] | None = None
    drawn: int | None = None
    map: str | None = None


@dataclass(frozen=True, slots=True)
class Embedded:
    """Clips with their features, (clips, features) float32, and the files that could not be read."""

    clips: Sequence[StoredClip]
    features: Float32
    skipped: tuple[Skipped, ...]


Embedder = Callable[[Sequence[StoredClip]], Embedded]


class _Batches:
    """Embeds clips batch by batch, reports how far it is, and counts."""

    def __init__(self, project: Project, store: Store, source: FeatureSource, report: Progress) -> None:
        self._project, self._store, self._source, self._report = project, store, source, report
        self._done = 0
        self.total = 0
        self.added = 0
        self.skipped: list[Skipped] = []

    def embedded(self, ids: Int64) -> Iterator[Embedded]:
        """Yield the batches of some clips, without those of which no clip can be read."""
        for first in range(0, len(ids), _BATCH):
            self._report(_STAGE, self._done, self.total)
            batch_ids = ids[first : first + _BATCH]
            batch = self._embed([clips.clip(self._store, int(clip_id)) for clip_id in batch_ids])
            self._done += len(batch_ids)
            self.added += len(batch.clips)
            self.skipped += (one for one in batch.skipped if one not in self.skipped)
            if batch.clips:
                yield batch

    @cached_property
    def _embed(self) -> Embedder:
        return embedder(self._project, self._source)  # loads a network: only where a clip is missing


def compare(
    project: Project,
    *,
    report: Progress,
    clusters: int | None = None,
    split: str = "",
    map_path: str | None = None,
    max_clips: int | None = None,
    seed: int = 0,
) -> SimilarResult:
    """Add the clips that are missing from the index, then cluster the unlabelled clips or draw all; a worker's task.

    Parameters
    ----------
    clusters
        Number of clusters at most; None for none.
    split
        Cluster the clips that are left of the split of this label, instead of the unlabelled ones.
    map_path
        The PNG to draw; None for none.
    max_clips
        Number of clips to add at most; None for all.

    Raises
    ------
    LabeltoolError
        When there is nothing to cluster or draw, or vl-convert is missing.
    """
    if map_path is not None:
        charts.require_available()
    found, drawn = None, None
    with (
        wait_for_lock(project.cache / "similar.lock", "comparison", lambda what: report(what, 0, 0)),
        project.open_store() as store,
    ):
        source = search.feature_source(project, store)
        batches = _Batches(project, store, source, report)
        index = _updated_index(project, store, source, batches, max_clips=max_clips, seed=seed)
        if clusters is not None:
            report("clustering", 0, 0)
            found = _clusters(store, index, clusters, seed, split)
        if map_path is not None:
            report("drawing", 0, 0)
            drawn = _draw(store, index, Path(map_path), f"by {source.display_name}", seed)
    return SimilarResult(source.display_name, batches.added, tuple(batches.skipped), found, drawn, map_path)


def _updated_index(
    project: Project, store: Store, source: FeatureSource, batches: _Batches, *, max_clips: int | None, seed: int
) -> NeighbourIndex | None:
    """Open the index, or make it anew where there are many more clips now, and add the clips it lacks.

    None where no clip can be read.
    """
    ids = np.asarray(listing.matching(store), np.int64)
    index = NeighbourIndex.open(fetch(source.folder(project)))
    # Some of the clips chosen for fitting may not be readable: that alone is no reason to fit again.
    if index is not None and index.space.fitted_on * _REFIT_GROWTH <= min(len(ids), _MAX_FITTED * (_REFIT_GROWTH - 1)):
        index = None
    missing = ids if index is None else ids[~np.isin(ids, index.clips)]
    if max_clips is not None:
        missing = np.sort(np.random.default_rng(seed).permutation(missing)[:max_clips])
    batches.total = len(missing)
    if index is None:
        # Fitted on clips from all that are there, not on the first ones: the clips of one import are alike.
        chosen = np.random.default_rng(seed).permutation(missing)[:_MAX_FITTED]
        index = _new_index(project, source, list(batches.embedded(chosen)))
        missing = missing[~np.isin(missing, chosen)]
    if index is not None:
        for batch in batches.embedded(missing):
            index.append(batch.clips, batch.features)
    return index


def _new_index(project: Project, source: FeatureSource, embedded: Sequence[Embedded]) -> NeighbourIndex | None:
    """Fit a space to some clips and make an index of them; None where there are none."""
    if not embedded:
        return None
    features = np.concatenate([batch.features for batch in embedded])
    space = PrincipalSpace.fit(features, standardise=source.kind != "pretrained")
    # An index by another source is not needed any more.
    remove_tree(source.folder(project).parent)
    index = NeighbourIndex.make(source.folder(project), space)
    index.append([clip for batch in embedded for clip in batch.clips], features)
    return index


def embedder(project: Project, source: FeatureSource, embeddings: Path | None = None) -> Embedder:
    """Return what computes the features that a source compares; it may load a network.

    Parameters
    ----------
    embeddings
        Where embeddings of a pretrained model are kept; None: in the project's cache.
    """
    if source.kind == "pretrained":
        return _pretrained_embedder(project, source.name, embeddings or project.cache / "teacher")
    if source.kind == "model":
        files = model_folder.read(project.models / source.name)
        extractor = FeatureExtractor(files)
        cache = feature_cache_of_model(project, files)
        return _cached_embedder(cache, lambda found: [one.features for one in extractor.extract(found)])
    frontend = sound_frontend(project.settings.learning)
    cache = feature_cache_of(project, frontend)
    return _cached_embedder(cache, lambda found: [frontend.describe(frames) for frames in found.frames])


def _pretrained_embedder(project: Project, name: str, folder: Path) -> Embedder:
    pretrained = open_model(registry.find(project, name), embedding=True)

    def embed(wanted: Sequence[StoredClip]) -> Embedded:
        rows, failed = embed_clips(pretrained, folder, wanted, report=_ignore)
        readable = [clip for clip in wanted if clip.key in rows]
        features = np.empty((0, 0), np.float32)
        if readable:
            features = hellinger_embeddings(np.stack([rows[clip.key] for clip in readable])).astype(np.float32)
        return Embedded(readable, features, skipped_files(failed.values()))

    return embed


def _cached_embedder(cache: FeatureCache, rows_of: Callable[[ClipFeatures], Sequence[Float32]]) -> Embedder:
    def embed(wanted: Sequence[StoredClip]) -> Embedded:
        found = compute_features(cache, wanted, report=_ignore, require_any=False)
        return Embedded(found.clips, np.asarray(rows_of(found), np.float32), found.skipped)

    return embed


def _clusters(store: Store, index: NeighbourIndex | None, count: int, seed: int, split: str) -> tuple[Cluster, ...]:
    from sklearn.cluster import MiniBatchKMeans

    if split:
        found = split_queue.find_split(store, split)
        ids = np.asarray(found.left if found is not None else (), np.int64)
    else:
        ids = np.asarray(listing.matching(store, listing.Filter(labelled=False)), np.int64)
    rows = np.flatnonzero(np.isin(index.clips, ids)) if index is not None else np.empty(0, np.int64)
    if index is None or not len(rows):
        what = f"left of the split of {split!r}" if split else "unlabelled"
        raise LabeltoolError(f"no clip that can be read is {what}", remedy="`labeltool import` adds clips")
    sample = np.sort(np.random.default_rng(seed).permutation(rows)[:_MAX_CLUSTERED])
    count = min(count, len(rows))
    kmeans = MiniBatchKMeans(count, batch_size=4096, n_init=3, random_state=seed).fit(index.rows(sample))
    assigned, distances = [], []
    for block in index.blocks(rows):
        to_centres = kmeans.transform(block)
        assigned.append(to_centres.argmin(axis=1))
        distances.append(to_centres.min(axis=1))
    cluster_of = np.concatenate(assigned)
    nearest_first = np.argsort(np.concatenate(distances), kind="stable")
    clusters = []
    for number in range(count):
        members = rows[nearest_first[cluster_of[nearest_first] == number]]
        if len(members):
            ids = index.clips[members].tolist()
            medoid = clips.clip(store, ids[0])
            clusters.append(Cluster(medoid.id, medoid.path, medoid.start_s, medoid.end_s, tuple(ids)))
    return tuple(sorted(clusters, key=lambda one: (-len(one.clips), one.clip)))


@dataclass(frozen=True, slots=True, eq=False)
class ClipMap:
    """Clips as points of a plane, similar ones close to each other.

    Attributes
    ----------
    points : (clips, 2) float32
    total
        Number of clips in the project that can be read: of many, only a sample is on the map.
    """

    by: str
    clips: tuple[listing.ListedClip, ...]
    points: Float32
    total: int
    skipped: tuple[Skipped, ...] = ()


def clip_map(project: Project, *, report: Progress, max_clips: int = _MAX_MAPPED, seed: int = 0) -> ClipMap:
    """Add the clips that are missing from the index, then place all on a map, or a sample of `max_clips`.

    Raises
    ------
    LabeltoolError
        When no clip can be read.
    """
    with (
        wait_for_lock(project.cache / "similar.lock", "comparison", lambda what: report(what, 0, 0)),
        project.open_store() as store,
    ):
        source = search.feature_source(project, store)
        batches = _Batches(project, store, source, report)
        index = _updated_index(project, store, source, batches, max_clips=None, seed=seed)
        report("mapping", 0, 0)
        listed, points, total = _mapped(store, index, seed, max_clips)
    return ClipMap(source.display_name, tuple(listed), points, total, tuple(batches.skipped))


def _draw(store: Store, index: NeighbourIndex | None, path: Path, title: str, seed: int) -> int:
    """Draw a map of clips, or of a sample of many, and return how many are on it."""
    listed, points, _ = _mapped(store, index, seed, _MAX_MAPPED)
    spec = of_clips.clip_map(points, [one.present for one in listed], ids=[one.clip.id for one in listed])
    charts.write_picture({"title": title, **spec}, path)
    return len(listed)


def _mapped(
    store: Store, index: NeighbourIndex | None, seed: int, max_clips: int
) -> tuple[list[listing.ListedClip], Float32, int]:
    """Place clips, or a sample of many, on a map, (clips, 2) float32; return the number of all, too."""
    from sklearn.manifold import TSNE

    if index is None:
        raise LabeltoolError("no clip can be read", remedy="`labeltool import` adds clips")
    # The index keeps clips that were removed since.
    there = np.flatnonzero(np.isin(index.clips, np.asarray(listing.matching(store), np.int64)))
    sample = np.sort(np.random.default_rng(seed).permutation(there)[:max_clips])
    ids = index.clips[sample].tolist()
    listed = {row.clip.id: row for row in listing.page(store, ids)}
    kept = [number for number, clip_id in enumerate(ids) if clip_id in listed]
    rows = index.rows(sample)[kept]
    perplexity = min(_PERPLEXITY, (len(kept) - 1) / 3)
    # t-SNE divides by the variance: silent clips, all equal, have none.
    if perplexity < 1 or rows.shape[1] < 2 or not np.ptp(rows, axis=0).any():
        points = rows[:, :2]  # too few for neighbourhoods: the first principal axes are the map
    else:
        points = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(rows)
    points = np.pad(np.asarray(points, np.float32), ((0, 0), (0, 2 - points.shape[1])))
    return [listed[ids[number]] for number in kept], points, len(there)


def _ignore(*_: object) -> None:
    """Take a report and drop it: batches are reported already."""
