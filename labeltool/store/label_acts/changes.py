"""Appending to the journal that labels are defined, ordered, split, retired or deleted; `undo` reverts each."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence

from labeltool.errors import LabeltoolError
from labeltool.hierarchy import MAX_LEVELS, ancestors
from labeltool.store import labels
from labeltool.store.database import Store
from labeltool.store.journal_rows import append, append_batch, is_revoked

MAX_DEFINITION_CHARACTERS = 1000
"""Of the definition of a label, which is read while labelling."""


def define(store: Store, name: str, text: str | None, examples: Sequence[int] = (), *, annotator: str) -> None:
    """Append the definition of a label, and clips that are examples of it, as one batch.

    Parameters
    ----------
    text
        The definition; None leaves the one there is, "" takes it away.

    Raises
    ------
    LabeltoolError
        When there is no such label, or the text is too long or not valid.
    """
    text = text if text is None else _checked_definition(text)
    with store.transaction() as connection:
        row = {"label": labels.name_in_use(connection, name), "annotator": annotator, "origin": "human"}
        rows: list[dict[str, object]] = [] if text is None else [{**row, "kind": "define", "note": text}]
        append_batch(connection, [*rows, *({**row, "kind": "example", "clip_id": clip_id} for clip_id in examples)])
        labels.update_derived_columns(connection)


def set_parent(store: Store, child: str, parent: str | None, *, annotator: str) -> None:
    """Append that a label is a kind of another, its parent; None: of no other.

    Raises
    ------
    LabeltoolError
        When there is no label `child`, or it is above the parent already.
    """
    with store.transaction() as connection:
        child = labels.name_in_use(connection, child)
        parent = child if parent is None else _checked_parent(connection, child, parent, labels.parents(connection))
        append(connection, kind="parent", label=child, new_label=parent, annotator=annotator, origin="human")
        labels.update_derived_columns(connection)


def describe_labels(
    store: Store, listed: Iterable[tuple[str, str, str]], *, annotator: str
) -> tuple[int, dict[int, LabeltoolError]]:
    """Append parents and definitions as one batch; labels that are not there yet are made.

    Parameters
    ----------
    listed
        Name, parent, definition; "" leaves what there is.

    Returns
    -------
    int
        Number of labels that changed.
    dict
        What is wrong with a row, by its place; such a row changes nothing.
    """
    row = {"annotator": annotator, "origin": "human"}
    rows: list[dict[str, object]] = []
    changed, refused = set[str](), dict[int, LabeltoolError]()
    with store.transaction() as connection:
        known = labels.parents(connection)
        definitions = {one.name: one.definition for one in labels.project_labels(store)}
        for place, (name, parent, definition) in enumerate(listed):
            connection.execute("SAVEPOINT row")
            try:
                name, text = labels.checked_name(name), _checked_definition(definition)
                parent = labels.checked_name(parent) if parent else ""
                labels.ensure_label(connection, name)
                name = labels.name_in_use(connection, name)
                if parent and (parent := _checked_parent(connection, name, parent, known)) != known.get(name):
                    rows.append({**row, "kind": "parent", "label": name, "new_label": parent})
                    known[name] = parent
                    changed.add(name)
                if text and text != definitions.get(name):
                    rows.append({**row, "kind": "define", "label": name, "note": text})
                    changed.add(name)
            except LabeltoolError as error:
                refused[place] = error
                connection.execute("ROLLBACK TO row")  # the labels that it made
            connection.execute("RELEASE row")
        append_batch(connection, rows)
        labels.update_derived_columns(connection)
    return len(changed), refused


def _checked_definition(text: str) -> str:
    text = " ".join(text.split())
    if len(text) > MAX_DEFINITION_CHARACTERS:
        raise LabeltoolError(f"a definition has at most {MAX_DEFINITION_CHARACTERS} characters")
    return text


def _checked_parent(connection: sqlite3.Connection, child: str, parent: str, known: Mapping[str, str]) -> str:
    """Return the current name of a parent that a label can have; it is made a label where it is none.

    What groups other labels need not be a label of any clip.
    """
    labels.ensure_label(connection, labels.checked_name(parent), brings_back=False)
    parent = labels.name_in_use(connection, parent)
    above = ancestors(known, parent)
    if child in (parent, *above):
        chain = " < ".join((parent, *above[: above.index(child) + 1])) if child in above else parent
        raise LabeltoolError(f"{child!r} is above {parent!r} already: {chain}")
    if len(above) + 1 >= MAX_LEVELS:
        raise LabeltoolError(f"labels have at most {MAX_LEVELS} levels")
    return parent


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
        labels.update_derived_columns(connection)


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
        labels.update_derived_columns(connection)
    return len(revoked)


def split(store: Store, name: str, given: Sequence[str], *, annotator: str) -> list[str]:
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
        names = new_names(given)
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
        labels.update_derived_columns(connection)
    return names


def new_names(given: Sequence[str]) -> list[str]:
    """Return the names that a label is split into, each once.

    Raises
    ------
    LabeltoolError
        When there are fewer than two, or one is no name of a label.
    """
    names = list(dict.fromkeys(map(labels.checked_name, given)))
    if len(names) < 2:
        raise LabeltoolError("a label is split into two names or more")
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
