"""Names of labels: new ones, and renamings and merges, which are rows of the journal."""

from __future__ import annotations

import sqlite3

from labeltool.errors import LabeltoolError
from labeltool.records import MAX_LABEL_CHARACTERS, Note, label_name
from labeltool.store.database import Store, now
from labeltool.store.journal_rows import ALL_ROWS, Until, append


def checked_name(label: str) -> str:
    """Return text as the name of a label, see `label_name`.

    Raises
    ------
    LabeltoolError
        When it is empty, too long or not valid text.
    """
    name = label_name(label)
    if not name:
        raise LabeltoolError("a label needs a name")
    if len(name) > MAX_LABEL_CHARACTERS:
        raise LabeltoolError(f"a label has at most {MAX_LABEL_CHARACTERS} characters, this one {len(name)}")
    try:
        name.encode()
    except UnicodeEncodeError:
        # Bytes of the command line that are not UTF-8 come as lone surrogates.
        raise LabeltoolError(f"the label {label!a} is not text", remedy="is the terminal set to UTF-8?") from None
    return name


def ensure_label(connection: sqlite3.Connection, name: str) -> None:
    """Create a label of the name if there is none."""
    connection.execute("INSERT OR IGNORE INTO labels (name, created_at) VALUES (?, ?)", (name, now()))


def newest_id(connection: sqlite3.Connection) -> int:
    """Return the id of the label that was created last, 0 where there is none."""
    (last,) = connection.execute("SELECT COALESCE(MAX(id), 0) FROM labels").fetchone()
    return int(last)


def notes_on_case(connection: sqlite3.Connection, after: int) -> list[Note]:
    """Return a note on each label later than an id whose name differs from another's in its letter case only."""
    names = connection.execute("SELECT id, name FROM labels WHERE merged_into IS NULL ORDER BY id").fetchall()
    by_case: dict[str, str] = {}
    notes = []
    for number, name in names:
        other = by_case.setdefault(name.casefold(), name)
        if other != name and number > after:
            reason = f"differs from the label {other!r} in letter case only (`labeltool rename` makes them one)"
            notes.append(Note(repr(name), None, reason))
    return notes


def rename(store: Store, old: str, new: str, *, annotator: str) -> None:
    """Rename the label `old` to `new`; where `new` exists, the two labels are merged.

    Later verdicts on `old`, by an import for instance, count for `new`. `undo` reverts it.

    Raises
    ------
    LabeltoolError
        When there is no label `old`, or the two are the same label already.
    """
    new = checked_name(new)
    with store.transaction() as connection:
        current = _current_names(connection)
        old = old if old in current else label_name(old)
        if old not in current:
            raise LabeltoolError(f"no label {old!r}", remedy="`labeltool status` lists them")
        if current[old] != old:
            raise LabeltoolError(f"{old!r} was renamed to {current[old]!r}", remedy="rename that")
        if old == new:
            raise LabeltoolError("that is its name already")
        if current.get(new, new) != old:
            new = current.get(new, new)
        ensure_label(connection, new)
        append(connection, kind="rename", label=old, new_label=new, annotator=annotator, origin="human")
        resolve(connection)


def resolve(connection: sqlite3.Connection) -> None:
    """Compute `labels.merged_into` from the renamings in the journal that are not revoked."""
    connection.execute("UPDATE labels SET merged_into = NULL")
    connection.executemany(
        "UPDATE labels SET merged_into = (SELECT id FROM labels WHERE name = ?) WHERE name = ?",
        ((root, old) for old, root in renamings(connection).items()),
    )


def renamings(connection: sqlite3.Connection, until: Until = ALL_ROWS) -> dict[str, str]:
    """Return the name of each name that a label was renamed from, by the renamings that count and are not revoked."""
    renamed: dict[str, str] = {}
    for old, new in connection.execute(
        f"""
        SELECT j.label, j.new_label FROM journal j
        WHERE j.kind = 'rename' AND j.label <> j.new_label  -- a stranger's row may rename a label to itself
          AND {until.counts("j")}
          AND NOT EXISTS (SELECT 1 FROM journal r WHERE r.revokes = j.id AND {until.counts("r")})
        ORDER BY j.id
        """,
        {"at": until.at},
    ):
        # The new name is in use again: renaming back and forth must not make a cycle.
        renamed.pop(new, None)
        renamed.pop(old, None)
        renamed[old] = new
    # The new name of a renaming was renamed only later: backwards each is known, with no walk along the others.
    for old in reversed(renamed):
        renamed[old] = renamed.get(renamed[old], renamed[old])
    return renamed


def _current_names(connection: sqlite3.Connection) -> dict[str, str]:
    """Return the current name of every name that a label ever had."""
    return dict(
        connection.execute(
            "SELECT l.name, COALESCE(t.name, l.name) FROM labels l LEFT JOIN labels t ON t.id = l.merged_into"
        ).fetchall()
    )
