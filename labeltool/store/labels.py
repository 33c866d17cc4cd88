"""The labels' names: new ones, and renamings and merges, which are rows of the journal."""

from __future__ import annotations

import sqlite3

from labeltool.errors import LabeltoolError
from labeltool.store.database import Store, now
from labeltool.store.journal_rows import append


def check_name(label: str) -> None:
    """Refuse what is no name.

    Raises
    ------
    LabeltoolError
        When it is empty or no text.
    """
    if not label.strip():
        raise LabeltoolError("a label needs a name")
    try:
        label.encode()
    except UnicodeEncodeError:
        # Bytes of the command line that are not UTF-8 come as lone surrogates.
        raise LabeltoolError(f"the label {label!a} is not text", remedy="is the terminal set to UTF-8?") from None


def ensure_label(connection: sqlite3.Connection, name: str) -> None:
    """Make a label of the name if there is none."""
    connection.execute("INSERT OR IGNORE INTO labels (name, created_at) VALUES (?, ?)", (name, now()))


def rename(store: Store, old: str, new: str, *, annotator: str) -> None:
    """Let `old` go by the name of `new` from now on; where `new` exists, the two become one (a merge).

    Whatever is said of `old` later, by an import for instance, counts for `new`. `undo` takes it back.

    Raises
    ------
    LabeltoolError
        When there is no label `old`, or the two are one already.
    """
    check_name(new)
    with store.transaction() as connection:
        today = _today(connection)
        if old not in today:
            raise LabeltoolError(f"no label {old!r}", remedy="`labeltool status` lists them")
        if today[old] != old:
            raise LabeltoolError(f"{old!r} goes by {today[old]!r} now", remedy="rename that")
        if old == new:
            raise LabeltoolError("that is its name already")
        if today.get(new, new) != old:
            new = today.get(new, new)
        ensure_label(connection, new)
        append(connection, kind="rename", label=old, new_label=new, annotator=annotator, origin="human")
        resolve(connection)


def resolve(connection: sqlite3.Connection) -> None:
    """Rewrite `labels.merged_into` from the renamings that stand: the table is a picture, the journal the truth."""
    goes_by: dict[str, str] = {}
    for old, new in connection.execute(
        """
        SELECT j.label, j.new_label FROM journal j
        WHERE j.kind = 'rename' AND NOT EXISTS (SELECT 1 FROM journal r WHERE r.revokes = j.id)
        ORDER BY j.id
        """
    ):
        # A name renamed to is a name in use again: renaming there and back must not make a circle.
        goes_by.pop(new, None)
        goes_by[old] = new
    connection.execute("UPDATE labels SET merged_into = NULL")
    for old in goes_by:
        root = goes_by[old]
        while root in goes_by:
            root = goes_by[root]
        connection.execute(
            "UPDATE labels SET merged_into = (SELECT id FROM labels WHERE name = ?) WHERE name = ?", (root, old)
        )


def _today(connection: sqlite3.Connection) -> dict[str, str]:
    """Return every name ever used for a label and the name it goes by today."""
    return {
        said: today
        for said, today in connection.execute(
            "SELECT l.name, COALESCE(t.name, l.name) FROM labels l LEFT JOIN labels t ON t.id = l.merged_into"
        )
    }
