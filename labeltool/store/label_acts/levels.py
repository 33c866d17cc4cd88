"""Labels that are kinds of others, "dog bark" < "dog" < "animal"; what a verdict on one means is in `Hierarchy`."""

from __future__ import annotations

from labeltool.hierarchy import NO_HIERARCHY, Hierarchy
from labeltool.store.database import Store
from labeltool.store.journal_rows import is_revoked
from labeltool.store.labels import parents


def hierarchy(store: Store) -> Hierarchy:
    """Return which of the labels in use are kinds of others."""
    found = parents(store.connection)
    return Hierarchy(found) if found else NO_HIERARCHY


def suggested_labels(store: Store) -> list[str]:
    """Return the labels in use that may be suggested, in the order they were created.

    One that only groups others, which no clip has itself, is not: the others would lose against it. Nor is one of which
    all was undone: suggestions are as before it was given.
    """
    of_label = "FROM labels n JOIN journal j ON j.label = n.name WHERE (n.id = l.id OR n.merged_into = l.id)"
    return [
        name
        for (name,) in store.connection.execute(
            f"""
            SELECT l.name FROM labels l
            WHERE l.merged_into IS NULL AND l.retired_at IS NULL AND (
                NOT EXISTS (
                    SELECT 1 FROM labels c
                    WHERE c.parent_id = l.id AND c.merged_into IS NULL AND c.retired_at IS NULL
                ) OR EXISTS (
                    SELECT 1 FROM labels n JOIN latest_events e ON e.label = n.name
                    WHERE (n.id = l.id OR n.merged_into = l.id) AND e.value = 'present'
                )
            ) AND (
                EXISTS (SELECT 1 {of_label} AND NOT {is_revoked("j")}) OR NOT EXISTS (SELECT 1 {of_label})
            )
            ORDER BY l.id
            """
        )
    ]
