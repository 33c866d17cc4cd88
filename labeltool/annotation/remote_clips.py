"""Clips of remote sounds: how many there are, and which of them can be played without a network."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from labeltool.audio.remote import block_cache
from labeltool.audio.remote.block_cache import BLOCK_BYTES
from labeltool.audio.remote.reference import SIZE_COLUMN, VERSION_COLUMN, Reference
from labeltool.store import Store
from labeltool.store.clips import UNLABELLED
from labeltool.util.urls import is_url

# By the index of own columns: in a project without remote sounds nothing is read.
_REMOTE = f"""
    FROM recording_columns k JOIN active_recordings r ON r.id = k.recording_id
    WHERE k.name = '{SIZE_COLUMN}' AND r.path LIKE '%://%'
"""


# Of a size in bytes, which may come from somebody else's project.
_MAX_DIGITS = 19


@dataclass(frozen=True, slots=True)
class RemoteClips:
    """Numbers of clips of remote sounds: all, and those that are on this disk."""

    clips: int
    on_disk: int


def remote_clips(store: Store) -> RemoteClips | None:
    """Count the clips of remote sounds; None where the project has no such sound."""
    connection = store.connection
    if connection.execute(f"SELECT 1 {_REMOTE} LIMIT 1").fetchone() is None:
        return None
    (clips,) = connection.execute(
        f"SELECT COUNT(*) FROM active_clips c WHERE c.recording_id IN (SELECT r.id {_REMOTE})"
    ).fetchone()
    return RemoteClips(clips, sum(1 for _ in _on_disk(store)))


def clips_on_disk(store: Store) -> list[int]:
    """Return the ids of the unlabelled clips of remote sounds that can be played without a network."""
    return [row["id"] for row in _on_disk(store, f"AND {UNLABELLED}")]


def are_on_disk(store: Store, clip_ids: Iterable[int]) -> dict[int, bool]:
    """Return whether clips of remote sounds can be played without a network, by their ids; others are not in it."""
    ids = json.dumps(list(clip_ids))
    rows = store.connection.execute(
        "SELECT c.id, r.path FROM active_clips c JOIN recordings r ON r.id = c.recording_id "
        "WHERE c.id IN (SELECT value FROM json_each(?))",
        (ids,),
    )
    remote = [number for number, path in rows if is_url(path)]
    if not remote:
        return {}
    wanted = f"AND c.id IN (SELECT value FROM json_each('{json.dumps(remote)}'))"
    on_disk = {row["id"] for row in _on_disk(store, wanted)}
    return {number: number in on_disk for number in remote}


def _on_disk(store: Store, condition: str = "") -> Iterator[sqlite3.Row]:
    """Yield the clips, in the order of their ids, whose part of the file is on this disk.

    Which part that is follows from their times; of compressed sounds about, for their bytes are not evenly spread.
    """
    kept = _kept(store)
    rows = store.connection.execute(
        f"""
        SELECT c.id, c.start_s, c.end_s, r.id AS recording, r.duration_s
        FROM active_clips c JOIN active_recordings r ON r.id = c.recording_id
        WHERE r.id IN (SELECT value FROM json_each(?)) {condition}
        ORDER BY c.recording_id, c.id
        """,
        (json.dumps(list(kept)),),
    )
    recording, blocks = 0, frozenset[int]()
    for row in rows:
        reference = kept[row["recording"]]
        if row["recording"] != recording:
            recording, blocks = row["recording"], block_cache.blocks_of(reference.folder)
        if _has_clip(blocks, reference.size_bytes, row["duration_s"], row["start_s"], row["end_s"]):
            yield row


def _kept(store: Store) -> dict[int, Reference]:
    """Return the references of the recordings of which something is on this disk, by the recordings' ids.

    By URL, size and version, for one that was moved to a server is known by another hash.
    """
    rows = store.connection.execute(
        f"SELECT r.id, r.path, k.value, (SELECT v.value FROM recording_columns v WHERE v.recording_id = r.id "
        f"AND v.name = '{VERSION_COLUMN}') {_REMOTE}"
    )
    ids = set(block_cache.kept_ids())
    found = {
        recording: Reference(path, int(size), version or "")
        for recording, path, size, version in rows
        if size.isdecimal() and len(size) < _MAX_DIGITS
    }
    return {recording: one for recording, one in found.items() if one.id in ids}


def _has_clip(blocks: Collection[int], size: int, duration_s: float, start_s: float, end_s: float) -> bool:
    """Whether some blocks have a clip, and the first and the last one of its file, whose size may be anything."""
    last = max(0, size - 1) // BLOCK_BYTES
    first, end = (min(last, int(min(1.0, time_s / duration_s) * size) // BLOCK_BYTES) for time_s in (start_s, end_s))
    return 0 in blocks and last in blocks and all(number in blocks for number in range(first, end + 1))
