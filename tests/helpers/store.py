"""Filling a store and reading its current annotations."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from helpers.records import records_of
from labeltool.records import Suggestion
from labeltool.store import Store, models
from labeltool.store.importing import import_records


def fill(store: Store, *names: str) -> None:
    """Import a one-second recording without a verdict for each name; their clips get the ids 1, 2, ..."""
    import_records(store, [r for name in names for r in records_of(name)], kind="audio", source="test")


def add_model_row(store: Store, card: Mapping[str, object] = MappingProxyType({})) -> int:
    """Store a model without files, trained on one labelled clip, and return its id."""
    model = models.NewModel("miniresnet", json.dumps(dict(card)), labels_seen=1)
    return models.add(store, model, parent_id=None, journal_mark="", publish=lambda _: None)


def replace_suggestions(store: Store, suggestions: Iterable[Suggestion]) -> None:
    """Store suggestions of any labels in place of all others."""
    with store.transaction() as connection:
        connection.execute("DELETE FROM suggestions")
        for suggestion in suggestions:
            models.add_suggestion(connection, suggestion)


def current(store: Store) -> dict[tuple[int, str | None], str]:
    """Return the current annotations: value by clip and label."""
    return {
        (clip, label): value
        for clip, label, value in store.connection.execute("SELECT clip_id, label, value FROM current_annotations")
    }


def dump(store: Store) -> list[str]:
    """Return the whole database as SQL."""
    return list(store.connection.iterdump())
