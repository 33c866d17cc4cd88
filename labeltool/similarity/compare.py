"""Comparing clips by how they sound: each one's place among the others, groups of them, and a map; for the worker.

References
----------
Sculley 2010 (mini-batch k-means); van der Maaten and Hinton 2008 (t-SNE).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from labeltool.annotation import listing
from labeltool.audio import descriptors
from labeltool.audio.descriptors import hellinger_embeddings
from labeltool.errors import LabeltoolError, files_of
from labeltool.evaluation import plots
from labeltool.inference import embed as inference_embed
from labeltool.inference.clip_features import cache_of, hear
from labeltool.networks import model_folder
from labeltool.networks.architectures import sound_frontend
from labeltool.pretrained import registry
from labeltool.pretrained.clip_cache import embed_clips
from labeltool.pretrained.probe import open_ear
from labeltool.project import Project
from labeltool.records import StoredClip
from labeltool.similarity import map_plot, search
from labeltool.similarity.index import Neighbours, Space
from labeltool.similarity.search import Source
from labeltool.store import Store, clips
from labeltool.type_aliases import Float32, Int64, Progress
from labeltool.util.locks import alone

Embedder = Callable[[Sequence[StoredClip]], tuple[list[StoredClip], Float32, list[dict[str, str]]]]
"""Clips to those that can be heard, their features, (clips, features) float32, and which files could not be."""

_STAGE = "comparing"
_BATCH = 512
# So many clips settle in which directions sounds differ, however many there are.
_SETTLED_BY = 4096
# A space that fewer have settled is made anew when there are so many times as many.
_GROWN = 4
# Middles of groups are found among so many clips at most: 51 MB, and more would not move them.
_MOST_GROUPED = 100_000
# A map of more would be a blot, and takes minutes.
_MOST_MAPPED = 2000
_PERPLEXITY = 30.0


def compare(
    project: Project,
    *,
    report: Progress,
    clusters: int | None = None,
    picture: str | None = None,
    most: int | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Give every clip that has none its place; then group those that wait for an answer, or draw all; a worker's task.

    Parameters
    ----------
    clusters
        How many groups at most; None for none.
    picture
        The PNG to draw; None for none.
    most
        So many of the clips that have no place are listened to at most; None for all.

    Returns
    -------
    dict
        `{"by", "added", "left_out"}`; with groups `"clusters"`: `[{"clip", "file", "start_s", "end_s", "clips"}]`, the
        largest first, each by the clip in its middle; with a picture `"map"` and how many clips are `"drawn"`.

    Raises
    ------
    LabeltoolError
        When there is nothing to group or draw, or pictures cannot be made here.
    """
    if picture is not None and not plots.available():
        raise LabeltoolError("pictures need matplotlib", remedy='`pip install "labeltool[plots]"`')
    with project.open_store() as store, alone(project.cache / "similar.lock", "comparison"):
        source = search.source_of(project, store)
        index, result = _brought_up_to_date(project, store, source, report=report, most=most, seed=seed)
        if clusters is not None:
            report("grouping", 0, 0)
            result["clusters"] = _clusters(store, index, clusters, seed)
        if picture is not None:
            report("drawing", 0, 0)
            result["drawn"] = _draw(store, index, Path(picture), f"by {source.told}", seed)
            result["map"] = picture
    return result


def _brought_up_to_date(
    project: Project, store: Store, source: Source, *, report: Progress, most: int | None, seed: int
) -> tuple[Neighbours | None, dict[str, Any]]:
    wanted = np.asarray(listing.matching(store), np.int64)
    index = Neighbours.open(source.folder(project))
    # Some of those that were to settle it could not be heard, perhaps: it is not made anew for them.
    if index is not None and index.space.settled_by * _GROWN <= min(len(wanted), _SETTLED_BY * (_GROWN - 1)):
        index = None
    missing = wanted if index is None else wanted[~np.isin(wanted, index.clips)]
    if most is not None:
        missing = np.sort(np.random.default_rng(seed).permutation(missing)[:most])
    result: dict[str, Any] = {"by": source.told, "added": 0, "left_out": []}
    if not len(missing):
        return index, result
    embed = _embedder(project, store, source)
    done, total = 0, len(missing)

    def embedded(ids: Int64) -> tuple[list[StoredClip], Float32]:
        nonlocal done
        report(_STAGE, done, total)
        heard, features, left_out = embed([clips.clip(store, int(clip_id)) for clip_id in ids])
        done += len(ids)
        result["added"] += len(heard)
        result["left_out"] += (one for one in left_out if one not in result["left_out"])
        return heard, features

    if index is None:
        # By some of all that is there, not by those that came first: one import is much like itself.
        chosen = np.random.default_rng(seed).permutation(missing)[:_SETTLED_BY]
        some = [embedded(chosen[first : first + _BATCH]) for first in range(0, len(chosen), _BATCH)]
        some = [(heard, features) for heard, features in some if heard]
        if some:
            features = np.concatenate([features for _, features in some])
            space = Space.of(features, standardise=source.kind != "ear")
            # What another ear, or the model before, made of the clips is not asked for again.
            shutil.rmtree(source.folder(project).parent, ignore_errors=True)
            index = Neighbours.make(source.folder(project), space)
            index.append([clip for heard, _ in some for clip in heard], features)
        missing = missing[~np.isin(missing, chosen)]
    for first in range(0, len(missing) if index is not None else 0, _BATCH):
        heard, features = embedded(missing[first : first + _BATCH])
        if heard and index is not None:
            index.append(heard, features)
    return index, result


def _embedder(project: Project, store: Store, source: Source) -> Embedder:
    if source.kind == "ear":
        ear = open_ear(registry.find(project, source.name), embedding=True)

        def by_ear(wanted: Sequence[StoredClip]) -> tuple[list[StoredClip], Float32, list[dict[str, str]]]:
            rows, failed = embed_clips(ear, project.cache / "teacher", wanted, report=_quietly)
            heard = [clip for clip in wanted if clip.key in rows]
            features = hellinger_embeddings(np.stack([rows[clip.key] for clip in heard])) if heard else np.empty((0, 0))
            return heard, features.astype(np.float32), files_of(failed.values())

        return by_ear
    if source.kind == "model":
        files = model_folder.read(project.models / source.name)
        listener = inference_embed.Listener(files)
        frontend, called = files.frontend, files.ear
    else:
        listener = None
        frontend, called = sound_frontend(project.settings.architecture, project.settings.patch_s), ""
    cache = cache_of(project, frontend, called)

    def by_log_mel(wanted: Sequence[StoredClip]) -> tuple[list[StoredClip], Float32, list[dict[str, str]]]:
        hearing = hear(cache, wanted, report=_quietly, need=False)
        if listener is not None:
            rows = [one.features for one in listener.listen(hearing)]
        else:
            rows = [descriptors.describe(log_mel, frontend) for log_mel in hearing.log_mels]
        return hearing.clips, np.asarray(rows, np.float32), hearing.left_out

    return by_log_mel


def _clusters(store: Store, index: Neighbours | None, count: int, seed: int) -> list[dict[str, Any]]:
    from sklearn.cluster import MiniBatchKMeans

    open_ids = np.asarray(listing.matching(store, listing.Filter(answered=False)), np.int64)
    places = np.flatnonzero(np.isin(index.clips, open_ids)) if index is not None else np.empty(0, np.int64)
    if index is None or not len(places):
        raise LabeltoolError("no clip that can be heard waits for an answer", remedy="`labeltool import` brings some")
    rng = np.random.default_rng(seed)
    some = np.sort(rng.permutation(places)[:_MOST_GROUPED])
    count = min(count, len(places))
    middles = MiniBatchKMeans(count, batch_size=4096, n_init=3, random_state=seed).fit(index.rows(some))
    group = np.empty(len(places), np.int64)
    apart = np.empty(len(places), np.float32)
    first = 0
    for _, rows in index.blocks(places):
        distances = middles.transform(rows)
        group[first : first + len(rows)] = distances.argmin(axis=1)
        apart[first : first + len(rows)] = distances.min(axis=1)
        first += len(rows)
    nearest_first = np.argsort(apart, kind="stable")
    told = []
    for number in range(count):
        members = places[nearest_first[group[nearest_first] == number]]
        if len(members):
            ids = index.clips[members].tolist()
            medoid = clips.clip(store, ids[0])
            span = {"start_s": medoid.start_s, "end_s": medoid.end_s}
            told.append({"clip": medoid.id, "file": medoid.path, **span, "clips": ids})
    return sorted(told, key=lambda one: (-len(one["clips"]), one["clip"]))


def _draw(store: Store, index: Neighbours | None, path: Path, title: str, seed: int) -> int:
    from sklearn.manifold import TSNE

    if index is None:
        raise LabeltoolError("no clip can be heard", remedy="`labeltool import` brings some")
    places = np.sort(np.random.default_rng(seed).permutation(len(index))[:_MOST_MAPPED])
    rows = index.rows(places)
    shown = {row.clip.id: row for row in listing.page(store, index.clips[places].tolist())}
    kept = [at for at, clip_id in enumerate(index.clips[places].tolist()) if clip_id in shown]
    labels = [shown[clip_id].present for clip_id in index.clips[places[kept]].tolist()]
    perplexity = min(_PERPLEXITY, (len(kept) - 1) / 3)
    # Fewer have no neighbourhoods; the axes that they differ by most are their map.
    flat = perplexity < 1 or rows.shape[1] < 2
    points = (
        rows[kept, :2] if flat else TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(rows[kept])
    )
    map_plot.sounds(path, np.asarray(points, np.float32), labels, title)
    return len(kept)


def _quietly(*_: object) -> None:
    """Say nothing: the stage is told of already."""
