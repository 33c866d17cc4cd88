"""Groups of recordings, which stay on one side of every split, and the locked test set."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Collection, Iterable, Mapping

from labeltool.errors import LabeltoolError
from labeltool.store.database import Store
from labeltool.store.journal_rows import Until, append_batch, is_revoked

MAX_NAME_CHARACTERS = 1000
"""Of a group, and of a column of a recording."""

# The group of a recording that has none: the hash of its content. A name that a person knows goes before it.
_IS_CONTENT = re.compile(r"[0-9a-f]{64}")


def group_of(connection: sqlite3.Connection, name: str) -> str:
    """Return the name by which a group goes now: that of the group it was joined to, or its own."""
    row = connection.execute("SELECT group_name FROM group_aliases WHERE alias = ?", (name,)).fetchone()
    return row["group_name"] if row else name


def join_groups(connection: sqlite3.Connection, one: str, other: str) -> None:
    """Join two groups, inside a transaction; both names are of `group_of`.

    Which name both have from then on hangs on the names alone: projects that are merged in any order have the same.
    """
    kept, joined = sorted((one, other), key=lambda name: (_IS_CONTENT.fullmatch(name) is not None, name))
    for table, column in (
        ("recordings", "group_name"),
        ("recordings", "imported_group"),
        ("group_aliases", "group_name"),
    ):
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (kept, joined))
    connection.execute("INSERT INTO group_aliases (alias, group_name) VALUES (?, ?)", (joined, kept))


def set_groups(store: Store, names: Mapping[int, str], *, annotator: str) -> int:
    """Append that recordings belong to groups, by their ids, as one batch; return how many changed their group.

    The group that an import gave stays in the project: `undo` brings it back.
    """
    row = {"kind": "group", "annotator": annotator, "origin": "human"}
    with store.transaction() as connection:
        before = dict(connection.execute("SELECT id, group_name FROM recordings").fetchall())
        changed = {number: name for number, name in names.items() if before[number] != group_of(connection, name)}
        append_batch(
            connection, [{**row, "recording_id": number, "group_name": name} for number, name in changed.items()]
        )
    return len(changed)


def lock_recordings(store: Store, recording_ids: Collection[int], *, annotator: str) -> int:
    """Append that recordings belong to the locked test set, as one batch; return how many did not before.

    `undo` reverts it.
    """
    row = {"kind": "lock", "annotator": annotator, "origin": "human"}
    with store.transaction() as connection:
        locked = locked_recordings(store)
        new = sorted({*recording_ids} - locked)
        append_batch(connection, [{**row, "recording_id": number} for number in new])
    return len(new)


def locked_recordings(store: Store) -> set[int]:
    """Return the ids of the recordings of the locked test set: those that were locked, and all of their groups."""
    rows = store.connection.execute(
        "SELECT id FROM recordings WHERE group_name IN (SELECT group_name FROM recordings WHERE is_locked)"
    )
    return {number for (number,) in rows}


def locked_groups(store: Store) -> set[str]:
    """Return the groups of the locked test set: nothing is to be learned from them, whoever joins them."""
    return {name for (name,) in store.connection.execute("SELECT DISTINCT group_name FROM recordings WHERE is_locked")}


def locked_clips(store: Store, clip_ids: Iterable[int]) -> set[int]:
    """Return those of some clips that belong to the locked test set."""
    if not (locked := locked_groups(store)):
        return set()
    rows = store.connection.execute(
        "SELECT c.id FROM clips c JOIN recordings r ON r.id = c.recording_id "
        "WHERE c.id IN (SELECT value FROM json_each(?)) AND r.group_name IN (SELECT value FROM json_each(?))",
        (json.dumps(list(clip_ids)), json.dumps(sorted(locked))),
    )
    return {clip_id for (clip_id,) in rows}


def recordings_locked_as_of(store: Store, until: Until) -> dict[int, str]:
    """Return the ids of the recordings that rows of the journal up to `until` lock, with their present groups."""
    rows = store.connection.execute(
        "SELECT r.id, r.group_name FROM journal j JOIN recordings r ON r.id = j.recording_id "
        f"WHERE j.kind = 'lock' AND {until.counts('j')} AND NOT {is_revoked('j', until)}",
        {"at": until.at},
    )
    return dict(rows.fetchall())


def unlock(store: Store, *, annotator: str) -> int:
    """Revoke all that was locked, as one batch; return how many rows that were. `redo` locks it again."""
    revoke = {"kind": "revoke", "annotator": annotator, "origin": "human"}
    with store.transaction() as connection:
        rows = connection.execute(f"SELECT id FROM journal j WHERE kind = 'lock' AND NOT {is_revoked('j')}").fetchall()
        append_batch(connection, [{**revoke, "revokes": row_id} for (row_id,) in rows])
    return len(rows)


def checked_group(name: str) -> str:
    """Return text as the name of a group, without blanks at its ends.

    Raises
    ------
    LabeltoolError
        When it is empty or too long.
    """
    if not 0 < len(name := " ".join(name.split())) <= MAX_NAME_CHARACTERS:
        raise LabeltoolError(f"a group needs a name of at most {MAX_NAME_CHARACTERS} characters")
    return name


def group_sizes(store: Store) -> dict[str, int]:
    """Return the number of recordings in each group, the largest first; without those that are removed."""
    return dict(
        store.connection.execute(
            "SELECT group_name, COUNT(*) AS n FROM active_recordings GROUP BY group_name ORDER BY n DESC, group_name"
        ).fetchall()
    )


def groups_of_fold(store: Store, fold: int | None) -> set[str]:
    """Return the groups with a clip in an official fold; none for None."""
    rows = store.connection.execute(
        "SELECT DISTINCT r.group_name FROM clips c JOIN recordings r ON r.id = c.recording_id WHERE c.fold = ?", (fold,)
    )
    return {name for (name,) in rows}


def recording_groups(store: Store) -> dict[int, str]:
    """Return the group of each recording, by its id; without those that are removed."""
    return dict(store.connection.execute("SELECT id, group_name FROM active_recordings").fetchall())


def groups_now(store: Store) -> dict[str, set[str]]:
    """Return the groups of today that have recordings of a group of before, for each that was joined or changed.

    A model that was trained on a group then has seen these.
    """
    later: dict[str, set[str]] = {}
    for before, now in store.connection.execute(
        """
        SELECT alias, group_name FROM group_aliases
        UNION SELECT imported_group, group_name FROM recordings WHERE imported_group <> group_name
        UNION SELECT j.group_name, r.group_name FROM journal j JOIN recordings r ON r.id = j.recording_id
        WHERE j.kind = 'group' AND j.group_name <> r.group_name
        """
    ):
        later.setdefault(before, set()).add(now)
    return {before: _reached(later, before) for before in later}


def _reached(later: Mapping[str, set[str]], group: str) -> set[str]:
    found, pending = {group}, [group]
    while pending:
        new = later.get(pending.pop(), set()) - found
        found |= new
        pending += new
    return found


def own_columns(store: Store) -> dict[int, dict[str, str]]:
    """Return the own columns of each recording that has some, by its id."""
    found: dict[int, dict[str, str]] = {}
    for number, name, value in store.connection.execute(
        "SELECT recording_id, name, value FROM recording_columns ORDER BY recording_id, name"
    ):
        found.setdefault(number, {})[name] = value
    return found


def columns_of(store: Store, recording_id: int) -> dict[str, str]:
    """Return a recording's own columns."""
    rows = store.connection.execute(
        "SELECT name, value FROM recording_columns WHERE recording_id = ? ORDER BY name", (recording_id,)
    )
    return dict(rows.fetchall())


def column_names(store: Store) -> list[str]:
    """Return the names of all own columns, sorted."""
    return [name for (name,) in store.connection.execute("SELECT DISTINCT name FROM recording_columns ORDER BY name")]
