"""The order in which clips are labelled: a rank for each clip that was unlabelled when the order was computed."""

from __future__ import annotations

from collections.abc import Sequence

from labeltool.store.clips import UNLABELLED
from labeltool.store.database import Store

_MAX_CLIPS = 10_000
"""More than anybody labels before the order is computed again; to write a million would block whoever is labelling."""


def replace(store: Store, clip_ids: Sequence[int]) -> None:
    """Replace the queue by clips in a new order; only the first `_MAX_CLIPS` are kept."""
    with store.transaction() as connection:
        connection.execute("DELETE FROM queue")
        connection.executemany("INSERT INTO queue (rank, clip_id) VALUES (?, ?)", enumerate(clip_ids[:_MAX_CLIPS]))


def is_empty(store: Store) -> bool:
    """Return whether no order was computed yet."""
    (exists,) = store.connection.execute("SELECT EXISTS (SELECT 1 FROM queue)").fetchone()
    return not exists


def unlabelled_ids(store: Store) -> set[int]:
    """Return the ids of the unlabelled clips, in the queue or not."""
    return {clip_id for (clip_id,) in store.connection.execute(f"SELECT id FROM active_clips c WHERE {UNLABELLED}")}
