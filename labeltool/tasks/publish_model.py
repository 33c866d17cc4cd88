"""A trained model becomes one of the project: its row in the database and its folder, both or neither."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from labeltool.networks.model_card import ModelCard
from labeltool.store import Store, models
from labeltool.type_aliases import Progress
from labeltool.util import lifetime
from labeltool.util.files import no_links
from labeltool.util.files.atomic_write import NewFolder


def publish_model(store: Store, new: NewFolder, card: ModelCard, journal_mark: str, report: Progress) -> int:
    """Store a model, trained up to the row `journal_mark`; name its folder by its id, which is returned."""
    model = models.NewModel(
        card.architecture, card.to_json(), card.labels_seen, card.clip_accuracy, card.int8_clip_accuracy
    )
    published: list[int] = []

    def publish(model_id: int) -> None:
        _set_aside(new.path.with_name(str(model_id)), report)
        new.publish(str(model_id))
        published.append(model_id)

    new.sync()  # it takes a moment, and the database is locked later
    try:
        model_id = models.add(store, model, parent_id=card.parent, journal_mark=journal_mark, publish=publish)
    except BaseException:
        stored = models.latest(store)
        if published and (stored is None or stored.id not in published):
            new.withdraw(str(published[0]))
        raise
    trained = f"model {model_id}, trained on {card.labels_seen} labelled clips; `labeltool suggest` suggests by it"
    report("suggesting", 0, 0, f"{lifetime.KEPT}{trained}")
    return model_id


def _set_aside(folder: Path, report: Progress) -> None:
    """Rename what has the name of a new model: the database does not own it, so it may be anybody's.

    A process that was killed between publishing and storing leaves such a folder too.
    """
    if os.path.lexists(folder):
        other = folder.with_name(f"{folder.name}.not-in-the-database-{uuid.uuid4().hex[:8]}")
        no_links.rename(folder, other)
        report("training", 0, 0, f"{folder} is not in the database: renamed to {other.name}")
