"""The order in which clips are labelled: a rank for each clip that was unlabelled when the order was computed."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from labeltool.store.clips import UNLABELLED
from labeltool.store.database import Store

_MAX_CLIPS = 10_000
"""More than anybody labels before the order is computed again; writing a million would block the person who labels."""


def replace(store: Store, clip_ids: Sequence[int]) -> None:
    """Replace the queue by clips in a new order; only the first `_MAX_CLIPS` are kept.

    Clips that were put first stay so until they are labelled.
    """
    with store.transaction() as connection:
        connection.execute("DELETE FROM queue WHERE rank >= 0 OR NOT is_unlabelled")
        connection.executemany(
            "INSERT OR IGNORE INTO queue (rank, clip_id) VALUES (?, ?)", enumerate(clip_ids[:_MAX_CLIPS])
        )


def put_first(store: Store, clip_id: int) -> None:
    """Make a clip the next one, before those that were put first earlier: its rank is below 0."""
    with store.transaction() as connection:
        connection.execute("DELETE FROM queue WHERE clip_id = ?", (clip_id,))
        connection.execute(
            "INSERT INTO queue (rank, clip_id) SELECT MIN(0, COALESCE(MIN(rank), 0)) - 1, ? FROM queue", (clip_id,)
        )


def is_skipped(store: Store, clip_id: int) -> bool:
    """Return whether anybody has skipped a clip, which then comes last for them."""
    (exists,) = store.connection.execute(
        "SELECT EXISTS (SELECT 1 FROM active_events WHERE clip_id = ? AND kind = 'skip')", (clip_id,)
    ).fetchone()
    return bool(exists)


def is_empty(store: Store) -> bool:
    """Return whether no order was computed yet."""
    (exists,) = store.connection.execute("SELECT EXISTS (SELECT 1 FROM queue WHERE rank >= 0)").fetchone()
    return not exists


def unlabelled_ids(store: Store) -> array[int]:
    """Return the ids of the unlabelled clips, in the queue or not, ascending, as int64 that NumPy can use in place."""
    rows = store.connection.execute(f"SELECT id FROM active_clips c WHERE {UNLABELLED} ORDER BY id")
    return array("q", (clip_id for (clip_id,) in rows))
