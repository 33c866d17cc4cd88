"""The labelled clips of a project that are most similar to a sound that is not in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from labeltool.annotation import listing
from labeltool.annotation.listing import Filter, ListedClip
from labeltool.audio.files import AudioFile
from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.records import StoredClip
from labeltool.similarity.compare import embedder
from labeltool.similarity.index import NeighbourIndex
from labeltool.similarity.search import feature_source
from labeltool.util.files.writable import kept


@dataclass(frozen=True, slots=True)
class LabelledNeighbours:
    """The nearest labelled clips, the nearest first, each with its distance; `by` is what they were compared by."""

    by: str
    clips: tuple[tuple[ListedClip, float], ...]


def nearest_labelled(project: Project, sound: AudioFile, count: int, folder: Path) -> LabelledNeighbours:
    """Compare a sound, as one clip, with the labelled clips that are in the index (`compare`).

    Parameters
    ----------
    folder
        Where what is computed of the sound goes: nothing of it is kept in the project.

    Raises
    ------
    LabeltoolError
        When there is no index yet, or the sound cannot be read.
    """
    with project.open_store() as store:
        source = feature_source(project, store)
        index = NeighbourIndex.open(kept(source.folder(project)))
        if index is None:
            raise LabeltoolError(
                "the project's clips were not compared yet", remedy="`labeltool similar --clusters 2` compares them"
            )
        clip = StoredClip(0, 0, sound.path, sound.sha256, 0.0, sound.duration_s, None, "")
        embedded = embedder(replace(project, shared_features=folder), source, folder)([clip])
        if not len(embedded.features):
            raise LabeltoolError(str(embedded.skipped[0]) if embedded.skipped else "cannot be compared")
        distances = index.distances(embedded.features[0])
        ids = np.asarray(listing.matching(store, Filter(labelled=True)), np.int64)
        rows = np.flatnonzero(np.isin(index.clips, ids))
        nearest = rows[np.argsort(distances[rows], kind="stable")][: 2 * count]
        by_id = {int(index.clips[row]): float(distances[row]) for row in nearest}
        found = [
            (one, by_id[one.clip.id])
            for one in listing.page(store, list(by_id))
            if any(index.is_row_of(int(row), one.clip) for row in nearest[index.clips[nearest] == one.clip.id])
        ]
    return LabelledNeighbours(source.display_name, tuple(found[:count]))
