"""Search for the clips that are most similar to one.

Clips are compared by a pretrained model's embeddings where the project has one, else by the newest model's last
features, else by `descriptors.describe`. `compare` computes them for every clip; searching is light.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from labeltool.annotation.listing import Filter, matching
from labeltool.project import Project
from labeltool.records import StoredClip
from labeltool.similarity.index import NeighbourIndex
from labeltool.store import Store, models
from labeltool.store.clips import CLIP_COLUMNS, UNLABELLED_REGION, label_names, stored_clip
from labeltool.util.extras import has_tensorflow
from labeltool.util.files.writable import kept

# Neighbours looked up beyond those wanted: some may be gone from the project.
_SPARE = 32
# With clusters of this size, 96 of 100 clips of ESC-10 are of their cluster's class by YAMNet's embeddings, 79 by
# descriptors.
_CLIPS_PER_CLUSTER = 12
_MAX_CLUSTERS = 200


@dataclass(frozen=True, slots=True)
class FeatureSource:
    """What clips are compared by.

    Attributes
    ----------
    kind
        A pretrained model, a model of the project, or descriptors of the sound without a network.
    name
        The pretrained model's name, the model's id, "".
    key
        Changes with anything that changes a clip's features.
    """

    kind: Literal["pretrained", "model", "sound"]
    name: str
    key: str

    @property
    def display_name(self) -> str:
        """Its name for a person: "yamnet", "model 3", "sound"."""
        return {"pretrained": self.name, "model": f"model {self.name}", "sound": "sound"}[self.kind]

    def folder(self, project: Project) -> Path:
        """Return the folder of the index, which may be deleted at any time."""
        return project.cache / "similar" / f"{self.kind}-{hashlib.sha256(self.key.encode()).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True)
class SimilarClips:
    """The clips nearest to a clip, the nearest first, each with its distance; compared by `source`."""

    source: FeatureSource
    clips: tuple[tuple[StoredClip, float], ...]


def feature_source(project: Project, store: Store) -> FeatureSource:
    """Return the best source of features there is; of several pretrained models, the first by name with embeddings."""
    from labeltool.networks.architectures import sound_frontend
    from labeltool.pretrained import registry
    from labeltool.pretrained.card import read_card

    for name in registry.names(project):
        card = read_card(registry.folder(project, name))
        if card.embedding is not None:
            # The names of its classes change no embedding.
            fields = {key: value for key, value in card.to_dict().items() if key not in ("classes", "activation")}
            return FeatureSource("pretrained", name, json.dumps(fields, sort_keys=True))
    newest = models.latest(store)
    if newest is not None:
        # Without TensorFlow the int8 network computes them.
        return FeatureSource("model", str(newest.id), newest.uid + ("" if has_tensorflow() else " int8"))
    return FeatureSource("sound", "", sound_frontend(project.settings.learning).fingerprint)


def count_unindexed(project: Project, store: Store, source: FeatureSource) -> int:
    """Return the number of clips that are not in the index yet."""
    index = NeighbourIndex.open(kept(source.folder(project)))
    ids = np.asarray(matching(store), np.int64)
    return len(ids) if index is None else int((~np.isin(ids, index.clips)).sum())


def default_cluster_count(store: Store) -> int:
    """Return the number of clusters for the unlabelled clips: more than they are likely to have classes."""
    unlabelled = len(matching(store, Filter(labelled=False)))
    # Few clips may be of many classes too: at least of those labelled so far.
    classes = min(unlabelled // 2, 2 * len(label_names(store)))
    return min(_MAX_CLUSTERS, max(2, classes, round(math.sqrt(unlabelled)), round(unlabelled / _CLIPS_PER_CLUSTER)))


def similar_clips(
    project: Project, store: Store, source: FeatureSource, clip: StoredClip, count: int
) -> SimilarClips | None:
    """Return at most `count` clips nearest to one, itself first; None while it is not in the index."""
    index = NeighbourIndex.open(kept(source.folder(project)))
    row = index.row_of(clip) if index is not None else None
    if index is None or row is None:
        return None
    numbers, distances = index.nearest(row, count + _SPARE)
    ids = index.clips[numbers].tolist()
    records = store.connection.execute(
        f"""
        SELECT {CLIP_COLUMNS} FROM active_clips c JOIN recordings r ON r.id = c.recording_id
        WHERE c.id IN (SELECT value FROM json_each(?)) AND NOT {UNLABELLED_REGION}
        """,
        (json.dumps(ids),),
    )
    stored = {record["id"]: stored_clip(store, record) for record in records}
    found = (
        (stored[clip_id], float(distance))
        for clip_id, number, distance in zip(ids, numbers, distances, strict=True)
        if clip_id in stored and index.is_row_of(int(number), stored[clip_id])
    )
    return SimilarClips(source, tuple(found)[:count])
