"""Schema 10: the hash of the samples, groups that a person gave (rows of the journal of the kind `group`), own columns.

`recordings.group_name` stays the group that counts. Where a person gave one, that of the import is in `imported_group`.
"""

from __future__ import annotations

import sqlite3

from labeltool.store.migrations import m009_removal
from labeltool.store.migrations.m008_checked import changed, replace_journal
from labeltool.store.migrations.m009_removal import IsRevoked

JOURNAL = changed(
    m009_removal.JOURNAL,
    ("'checked', 'remove'", "'checked', 'remove', 'group'"),
    ("REFERENCES recordings (id),", "REFERENCES recordings (id), group_name TEXT,"),
    (
        "CHECK ((kind = 'remove') = (recording_id",
        "CHECK ((kind = 'group') = (group_name IS NOT NULL)), CHECK ((kind IN ('remove', 'group')) = (recording_id",
    ),
    ("('revoke', 'rename', 'remove') OR", "('revoke', 'rename', 'remove', 'group') OR"),
)

_COLUMNS = (
    "ALTER TABLE recordings ADD COLUMN samples_sha256 TEXT",
    "ALTER TABLE recordings ADD COLUMN imported_group TEXT",
)


def group_name_trigger(is_revoked: IsRevoked, subject: str) -> str:
    """Return the trigger that keeps the group up to date: of the last row that counts, else that of the import.

    Parameters
    ----------
    subject
        SQL of the id of the row that a new row of the journal is about.
    """
    return f"""
    CREATE TRIGGER journal_updates_group_name AFTER INSERT ON journal
    WHEN NEW.kind IN ('group', 'revoke')
    BEGIN
        UPDATE recordings SET
            imported_group = COALESCE(imported_group, group_name),
            group_name = COALESCE(
                (
                    SELECT COALESCE(a.group_name, j.group_name)
                    FROM journal j LEFT JOIN group_aliases a ON a.alias = j.group_name
                    WHERE j.kind = 'group' AND j.recording_id = recordings.id AND NOT {is_revoked("j")}
                    ORDER BY j.id DESC LIMIT 1
                ),
                imported_group,
                group_name
            )
        WHERE id = (SELECT recording_id FROM journal WHERE id = {subject} AND kind = 'group');
    END
    """


_ADDITIONS = (
    """
    CREATE TABLE recording_columns (
        recording_id INTEGER NOT NULL REFERENCES recordings (id),
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (recording_id, name)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX recording_columns_by_value ON recording_columns (name, value)",
    "CREATE INDEX recordings_by_samples ON recordings (samples_sha256) WHERE samples_sha256 IS NOT NULL",
    "CREATE INDEX recordings_by_imported_group ON recordings (imported_group) WHERE imported_group IS NOT NULL",
    "CREATE INDEX journal_groups ON journal (recording_id) WHERE kind = 'group'",
    "DROP VIEW active_recordings",
    """
    CREATE VIEW active_recordings AS
    SELECT id, sha256, path, sample_rate_hz, channels, frames, duration_s, group_name, licence, added_at, samples_sha256
    FROM recordings WHERE NOT is_removed
    """,
    group_name_trigger(m009_removal.is_revoked, "COALESCE(NEW.revokes, NEW.id)"),
)

_DESCRIPTIONS = {
    "journal": "Every annotation event, append-only: verdicts, skips, notes, renamings, checked parts of recordings, "
    "removed recordings, groups of recordings, and rows that revoke an earlier row; rows with one batch_id were made "
    "together.",
    "recordings": "Sound files of the project, each known by the SHA-256 of its file and of its decoded samples; path "
    "is relative to the project where the file lies inside it, is_removed marks one that a person took out of the "
    "project, imported_group is the group that the import gave where a person gave another.",
    "recording_columns": "What a table has about a recording in columns of its own, such as its site or its device; "
    "`labeltool clips --where NAME=VALUE` filters by them.",
}


def apply(connection: sqlite3.Connection) -> None:
    """Make the journal anew with the new kind, the columns and the trigger; one transaction, which the caller opens."""
    for statement in _COLUMNS:
        connection.execute(statement)
    replace_journal(connection, JOURNAL)
    for statement in _ADDITIONS:
        connection.execute(statement)
    connection.executemany("INSERT OR REPLACE INTO descriptions VALUES (?, ?)", _DESCRIPTIONS.items())
