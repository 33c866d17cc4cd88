"""The labels of a project with their counts and definitions, and the clips that a change of a label concerns."""

from __future__ import annotations

from dataclasses import dataclass

from labeltool.records import StoredClip
from labeltool.store import Store, clips, labels
from labeltool.store.clips import clips_by_ids, stored_names
from labeltool.store.journal_rows import is_revoked
from labeltool.store.label_acts import changes, split_queue
from labeltool.store.label_acts.split_queue import Split

MAX_EXAMPLES = 5
"""The number of clips that are named for a person to listen to."""


@dataclass(frozen=True, slots=True)
class LabelOverview:
    """A label of the project; `split` is what it is split into, while clips are left."""

    name: str
    clips: int
    key: str
    colour: str
    definition: str
    parent: str | None
    examples: tuple[int, ...]
    split: Split | None
    retired_at: str | None


def label_overview(store: Store) -> list[LabelOverview]:
    """Return the labels in use, in the order they were created, then the retired ones."""
    counts = clips.counts(store).labels
    splits = {split.label: split for split in split_queue.splits(store) if split.left}
    found = [
        LabelOverview(
            *(label.name, counts.get(label.name, 0), label.key, label.colour, label.definition, label.parent),
            *(tuple(examples_of(store, label.name)), splits.get(label.name), None),
        )
        for label in labels.project_labels(store)
    ]
    retired = store.connection.execute(
        "SELECT name, definition, retired_at FROM labels WHERE merged_into IS NULL AND retired_at NOT NULL "
        "ORDER BY retired_at, id"
    ).fetchall()
    for name, definition, retired_at in retired:
        count = len(_present(store, name))
        found.append(LabelOverview(name, count, "", "", definition or "", None, (), None, retired_at))
    return found


def examples_of(store: Store, label: str) -> list[int]:
    """Return the ids of the clips that a person named as examples of a label, oldest first."""
    names = stored_names(store, label)
    rows = store.connection.execute(
        "SELECT j.clip_id FROM journal j JOIN active_clips c ON c.id = j.clip_id "
        f"WHERE j.kind = 'example' AND j.label IN ({', '.join('?' * len(names))}) AND NOT {is_revoked('j')} "
        "ORDER BY j.id",
        names,
    )
    return list(dict.fromkeys(clip_id for (clip_id,) in rows))


def examples_to_play(store: Store, label: str) -> list[StoredClip]:
    """Return some clips of a label to listen to: those that a person named, then some from all where it is present."""
    present = _present(store, label)
    step = max(1, len(present) // MAX_EXAMPLES)
    chosen = list(dict.fromkeys((*examples_of(store, label), *present[::step])))[:MAX_EXAMPLES]
    return clips_by_ids(store, chosen)


@dataclass(frozen=True, slots=True)
class LabelUse:
    """What a change of a label concerns.

    Attributes
    ----------
    annotations
        Number of rows of the journal that are not undone, also those that later ones replaced.
    examples
        Some clips where it is present, to listen to: those a person named, then some from all of them.
    """

    label: str
    present: int
    absent: int
    unsure: int
    annotations: int
    annotators: tuple[str, ...]
    children: tuple[str, ...]
    examples: tuple[StoredClip, ...]


def use_of(store: Store, name: str) -> LabelUse:
    """Return what a change of a label in use concerns.

    Raises
    ------
    LabeltoolError
        When there is no such label, or it was renamed or retired.
    """
    with store.snapshot() as connection:
        name = labels.name_in_use(connection, name)
        values = dict(
            connection.execute(
                "SELECT value, COUNT(*) FROM current_annotations WHERE label = ? GROUP BY value", (name,)
            ).fetchall()
        )
        rows = changes.verdict_ids(connection, name)
        annotators = connection.execute(
            "SELECT DISTINCT annotator FROM active_events WHERE kind = 'verdict' AND label = ? ORDER BY annotator",
            (name,),
        ).fetchall()
        return LabelUse(
            name,
            present=values.get("present", 0),
            absent=values.get("absent", 0),
            unsure=values.get("unsure", 0),
            annotations=len(rows),
            annotators=tuple(one for (one,) in annotators),
            children=tuple(child for child, parent in labels.parents(connection).items() if parent == name),
            examples=tuple(examples_to_play(store, name)),
        )


def _present(store: Store, name: str) -> list[int]:
    statement, names = clips.select_present(store, name)
    return [clip_id for (clip_id,) in store.connection.execute(f"{statement} ORDER BY 1", names)]
