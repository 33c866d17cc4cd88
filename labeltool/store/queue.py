"""The order to ask in: a place for every clip that was waiting when the order was reckoned."""

from __future__ import annotations

from collections.abc import Sequence

from labeltool.store.clips import WAITING
from labeltool.store.database import Store


def replace(store: Store, clip_ids: Sequence[int]) -> None:
    """Put an order, first to be asked first, in place of the one there was."""
    with store.transaction() as connection:
        connection.execute("DELETE FROM queue")
        connection.executemany("INSERT INTO queue (place, clip_id) VALUES (?, ?)", enumerate(clip_ids))


def without_place(store: Store) -> int:
    """Return how many waiting clips have no place: they came after the order was reckoned."""
    (count,) = store.connection.execute(
        f"SELECT COUNT(*) FROM clips c WHERE {WAITING} AND NOT EXISTS (SELECT 1 FROM queue q WHERE q.clip_id = c.id)"
    ).fetchone()
    return int(count)
