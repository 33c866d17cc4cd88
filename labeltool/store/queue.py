"""The order to ask in: a place for each clip that was waiting when the order was reckoned."""

from __future__ import annotations

from collections.abc import Sequence

from labeltool.store.database import Store

_MOST_PLACES = 10_000
"""More than anybody answers before the order is reckoned anew; writing a million would keep who answers waiting."""


def replace(store: Store, clip_ids: Sequence[int]) -> None:
    """Put an order, first to be asked first, in place of the one there was; its far end is not kept."""
    with store.transaction() as connection:
        connection.execute("DELETE FROM queue")
        connection.executemany("INSERT INTO queue (place, clip_id) VALUES (?, ?)", enumerate(clip_ids[:_MOST_PLACES]))


def is_empty(store: Store) -> bool:
    """Tell whether no order was reckoned yet."""
    (some,) = store.connection.execute("SELECT EXISTS (SELECT 1 FROM queue)").fetchone()
    return not some
