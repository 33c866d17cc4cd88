"""Labels are defined, ordered, split, retired and deleted: rows of the journal, which `undo` reverts."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from labeltool.errors import LabeltoolError
from labeltool.store import labels
from labeltool.store.database import Store
from labeltool.store.journal_rows import append, append_batch, is_revoked
from labeltool.store.label_acts.derived import MAX_LEVELS, ancestors

MAX_DEFINITION_CHARACTERS = 1000
"""Of the definition of a label: what is read while labelling."""


def define(store: Store, name: str, text: str | None, examples: Sequence[int] = (), *, annotator: str) -> None:
    """Append the definition of a label, and clips that are examples of it, as one batch.

    Parameters
    ----------
    text
        The definition; None leaves the one there is, "" takes it away.
    examples
        Ids of clips.

    Raises
    ------
    LabeltoolError
        When there is no such label, or the text is too long or not valid.
    """
    if text is not None:
        text = " ".join(text.split())
        if len(text) > MAX_DEFINITION_CHARACTERS:
            raise LabeltoolError(f"a definition has at most {MAX_DEFINITION_CHARACTERS} characters")
    with store.transaction() as connection:
        row = {"label": labels.name_in_use(connection, name), "annotator": annotator, "origin": "human"}
        rows: list[dict[str, object]] = [] if text is None else [{**row, "kind": "define", "note": text}]
        append_batch(connection, [*rows, *({**row, "kind": "example", "clip_id": clip_id} for clip_id in examples)])
        labels.resolve(connection)


def set_parent(store: Store, child: str, parent: str | None, *, annotator: str) -> None:
    """Append that a label is a kind of another, its parent; None: of no other.

    Raises
    ------
    LabeltoolError
        When there is no such label, or the child is above the parent already.
    """
    with store.transaction() as connection:
        child = labels.name_in_use(connection, child)
        parent = child if parent is None else labels.name_in_use(connection, parent)
        if parent != child:
            known = labels.parents(connection)
            above = ancestors(known, parent)
            if child in above:
                chain = " < ".join((parent, *above[: above.index(child) + 1]))
                raise LabeltoolError(f"{child!r} is above {parent!r} already: {chain}")
            if len(above) + 1 >= MAX_LEVELS:
                raise LabeltoolError(f"labels have at most {MAX_LEVELS} levels")
        append(connection, kind="parent", label=child, new_label=parent, annotator=annotator, origin="human")
        labels.resolve(connection)


def retire(store: Store, name: str, *, annotator: str) -> None:
    """Append that a label is retired: it is no longer offered, nor a class; its annotations stay.

    An annotation with its name, other than absent, makes it a label again.

    Raises
    ------
    LabeltoolError
        When there is no such label, or it is retired already.
    """
    with store.transaction() as connection:
        name = labels.name_in_use(connection, name)
        append(connection, **_retirement(name, annotator))
        labels.resolve(connection)


def delete(store: Store, name: str, *, annotator: str) -> int:
    """Append rows that revoke every annotation with a label, and that it is retired, as one batch.

    Returns
    -------
    int
        Number of annotations that were revoked.

    Raises
    ------
    LabeltoolError
        When there is no such label, or it is retired already.
    """
    with store.transaction() as connection:
        name = labels.name_in_use(connection, name)
        revoke = {"kind": "revoke", "annotator": annotator, "origin": "human"}
        revoked = [{**revoke, "revokes": row_id} for row_id in verdict_ids(connection, name)]
        append_batch(connection, [*revoked, _retirement(name, annotator)])
        labels.resolve(connection)
    return len(revoked)


def split(store: Store, name: str, new_names: Sequence[str], *, annotator: str) -> list[str]:
    """Append that a label is to be split: its clips are labelled again with new names, which get keys.

    Its annotations count until then.

    Returns
    -------
    list[str]
        The new names as the project has them.

    Raises
    ------
    LabeltoolError
        When there is no such label, or there are fewer than two new names; one of them may be the label itself.
    """
    with store.transaction() as connection:
        name = labels.name_in_use(connection, name)
        names = list(dict.fromkeys(map(labels.checked_name, new_names)))
        if len(names) < 2:
            raise LabeltoolError("a label is split into two names or more")
        for new_name in names:
            labels.ensure_label(connection, new_name)
        append(
            connection,
            kind="split",
            label=name,
            note=json.dumps(names, ensure_ascii=False),
            annotator=annotator,
            origin="human",
        )
        labels.resolve(connection)
    return names


def verdict_ids(connection: sqlite3.Connection, name: str) -> list[str]:
    """Return the ids of all verdicts with a label, under its former names too, that are not revoked, oldest first."""
    rows = connection.execute(
        "SELECT j.id FROM labels l JOIN labels n ON n.id = l.id OR n.merged_into = l.id "
        "JOIN journal j ON j.label = n.name "
        f"WHERE l.name = ? AND j.kind = 'verdict' AND NOT {is_revoked('j')} ORDER BY j.id",
        (name,),
    )
    return [row_id for (row_id,) in rows]


def _retirement(name: str, annotator: str) -> dict[str, object]:
    return {"kind": "retire", "label": name, "annotator": annotator, "origin": "human"}
