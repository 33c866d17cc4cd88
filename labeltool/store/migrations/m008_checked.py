"""Schema 8: parts of recordings that a person has checked, as rows of the journal of the kind `checked`."""

from __future__ import annotations

import sqlite3

from labeltool.store.migrations import m001_initial


def changed(table: str, *changes: tuple[str, str]) -> str:
    """Return the SQL of a table with some texts, each of which it has once, replaced by others."""
    for old, new in changes:
        assert table.count(old) == 1, old
        table = table.replace(old, new)
    return table


# SQLite cannot change a CHECK: the table is made anew, its rows are copied as they are.
JOURNAL = changed(
    m001_initial.JOURNAL,
    ("'revoke', 'rename'))", "'revoke', 'rename', 'checked'))"),
    ("took_ms", "response_ms"),
    ("said_at TEXT NOT NULL,", "created_at TEXT NOT NULL, batch_id TEXT REFERENCES journal (id),"),
)

_ADDITIONS = (
    "CREATE INDEX journal_checked ON journal (clip_id) WHERE kind = 'checked'",
    """
    CREATE VIEW checked_parts AS
    SELECT c.recording_id, c.id AS clip_id, r.path, c.start_s, c.end_s, j.id AS journal_id, j.annotator, j.origin,
           j.created_at
    FROM journal j JOIN clips c ON c.id = j.clip_id JOIN recordings r ON r.id = c.recording_id
    WHERE j.kind = 'checked' AND NOT EXISTS (SELECT 1 FROM journal o WHERE o.revokes = j.id)
    """,
)

_DESCRIPTIONS = {
    "journal": "Every annotation event, append-only: verdicts, skips, notes, renamings, checked parts of recordings, "
    "and rows that revoke an earlier row; rows with one batch_id were made together.",
    "checked_parts": "Parts of recordings in which a person labelled every sound: outside the labelled regions none of "
    "the labels of that time is present.",
}


def apply(connection: sqlite3.Connection) -> None:
    """Make the journal anew with the new kind, and describe; one transaction, which the caller opens."""
    replace_journal(connection, JOURNAL)
    for statement in _ADDITIONS:
        connection.execute(statement)
    connection.executemany("INSERT OR REPLACE INTO descriptions VALUES (?, ?)", _DESCRIPTIONS.items())


def replace_journal(connection: sqlite3.Connection, table: str) -> None:
    """Make the journal anew by the SQL of its table; rows, indexes and triggers stay as they are."""
    columns = ", ".join(name for _, name, *_ in connection.execute("PRAGMA table_info(journal)"))
    own = connection.execute(
        "SELECT sql FROM sqlite_schema WHERE tbl_name = 'journal' AND type IN ('index', 'trigger') AND sql NOT NULL"
    ).fetchall()
    # The rows of latest_events refer to the journal, which cannot be dropped while they are there.
    for name in ("journal", "latest_events"):
        connection.execute(f"CREATE TEMP TABLE copy_of_{name} AS SELECT * FROM {name}")
    connection.execute("DELETE FROM latest_events")
    connection.execute("DROP TABLE journal")
    connection.execute(table)
    connection.execute(f"INSERT INTO journal ({columns}) SELECT {columns} FROM copy_of_journal ORDER BY id")
    connection.execute("INSERT INTO latest_events SELECT * FROM copy_of_latest_events")
    for name in ("journal", "latest_events"):
        connection.execute(f"DROP TABLE copy_of_{name}")
    for (statement,) in own:
        connection.execute(statement)
