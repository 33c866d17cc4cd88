"""Schema 8: parts of recordings that a person has checked, as rows of the journal of the kind `checked`."""

from __future__ import annotations

import sqlite3

# SQLite cannot change a CHECK: the table is made anew, its rows are copied as they are.
_TABLE = """
    CREATE TABLE journal (
        id TEXT PRIMARY KEY,
        kind TEXT NOT NULL CHECK (kind IN ('verdict', 'skip', 'bad audio', 'note', 'revoke', 'rename', 'checked')),
        clip_id INTEGER REFERENCES clips (id),
        label TEXT,
        value TEXT CHECK (value IN ('present', 'absent', 'unsure')),
        new_label TEXT,
        note TEXT,
        revokes TEXT REFERENCES journal (id),
        redoes TEXT REFERENCES journal (id),
        annotator TEXT NOT NULL,
        origin TEXT NOT NULL CHECK (origin IN ('human', 'suggestion', 'import')),
        model_uid TEXT,
        suggested_label TEXT,
        import_id INTEGER REFERENCES imports (id),
        import_key TEXT UNIQUE,
        start_s REAL,
        end_s REAL,
        low_hz REAL,
        high_hz REAL,
        confidence REAL,
        track TEXT,
        response_ms INTEGER,
        created_at TEXT NOT NULL,
        batch_id TEXT REFERENCES journal (id),
        CHECK ((kind = 'verdict') = (value IS NOT NULL)),
        CHECK ((kind = 'revoke') = (revokes IS NOT NULL)),
        CHECK ((kind = 'rename') = (new_label IS NOT NULL)),
        CHECK ((kind = 'note') = (note IS NOT NULL)),
        CHECK (kind IN ('revoke', 'rename') OR clip_id IS NOT NULL)
    ) STRICT
"""

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
    replace_journal(connection, _TABLE)
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
