"""What sounds alike: the clips nearest to one, by the best that is known of how clips sound.

That is a borrowed ear's embedding where the project has one, else the newest model's last features, else
`labeltool.strategies.describe`. Working it out for every clip is `labeltool.comparing`'s; searching is light.
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
from labeltool.similarity.index import Neighbours
from labeltool.store import Store, models
from labeltool.store.clips import CLIP_COLUMNS, RESTING, label_names, stored_clip

# Neighbours that are looked up beyond those wanted: some may be gone from the project.
_SPARE = 32
# So few that 96 of 100 clips of ESC-10 are of their group's kind, as YAMNet hears them; 79 by sound alone.
_CLIPS_A_GROUP = 12
_MOST_GROUPS = 200


@dataclass(frozen=True, slots=True)
class Source:
    """What clips are compared by.

    Attributes
    ----------
    kind
        A borrowed ear, a model of the project, or no network.
    name
        The ear's name, the model's id, "".
    key
        Changes with anything that changes a clip's place.
    """

    kind: Literal["ear", "model", "sound"]
    name: str
    key: str

    @property
    def told(self) -> str:
        """What it is called: "yamnet", "model 3", "sound"."""
        return {"ear": self.name, "model": f"model {self.name}", "sound": "sound"}[self.kind]

    def folder(self, project: Project) -> Path:
        """Return where the clips' places are kept; the folder may be deleted at will."""
        return project.cache / "similar" / f"{self.kind}-{hashlib.sha256(self.key.encode()).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True)
class Like:
    """The clips nearest to one, the nearest first, with their distance from it; `source` says by what."""

    source: Source
    clips: tuple[tuple[StoredClip, float], ...]


def source_of(project: Project, store: Store) -> Source:
    """Return the best that there is to compare clips by; of several ears the first by name that embeds sounds."""
    from labeltool.networks.architectures import sound_frontend
    from labeltool.pretrained import registry
    from labeltool.pretrained.card import read_card

    for name in registry.names(project):
        card = read_card(registry.folder(project, name))
        if card.embedding is not None:
            # What it calls its classes changes no embedding.
            heard = {key: value for key, value in card.to_dict().items() if key not in ("classes", "activation")}
            return Source("ear", name, json.dumps(heard, sort_keys=True))
    newest = models.latest(store)
    if newest is not None:
        return Source("model", str(newest.id), newest.uid)
    return Source("sound", "", sound_frontend(project.settings.architecture, project.settings.patch_s).fingerprint)


def waiting(project: Project, store: Store, source: Source) -> int:
    """Return how many clips have no place yet."""
    index = Neighbours.open(source.folder(project))
    ids = np.asarray(matching(store), np.int64)
    return len(ids) if index is None else int((~np.isin(ids, index.clips)).sum())


def group_count(store: Store) -> int:
    """Return in how many groups to put the clips without an answer: more than there may be kinds of them."""
    waiting = len(matching(store, Filter(answered=False)))
    # Few clips are of many kinds, too: of at least those that were heard so far.
    kinds = min(waiting // 2, 2 * len(label_names(store)))
    return min(_MOST_GROUPS, max(2, kinds, round(math.sqrt(waiting)), round(waiting / _CLIPS_A_GROUP)))


def like(project: Project, store: Store, source: Source, clip: StoredClip, count: int) -> Like | None:
    """Return the clips nearest to one, itself first; None while it has no place.

    Parameters
    ----------
    count
        So many at most, the clip itself among them.
    """
    index = Neighbours.open(source.folder(project))
    place = index.place(clip) if index is not None else None
    if index is None or place is None:
        return None
    places, distances = index.nearest(place, count + _SPARE)
    ids = index.clips[places].tolist()
    rows = store.connection.execute(
        f"""
        SELECT {CLIP_COLUMNS} FROM clips c JOIN recordings r ON r.id = c.recording_id
        WHERE c.id IN (SELECT value FROM json_each(?)) AND NOT {RESTING}
        """,
        (json.dumps(ids),),
    )
    known = {row["id"]: stored_clip(store, row) for row in rows}
    found = (
        (known[clip_id], float(distance))
        for clip_id, at, distance in zip(ids, places, distances, strict=True)
        if clip_id in known and index.is_at(int(at), known[clip_id])
    )
    return Like(source, tuple(found)[:count])
