"""Schema 12: definitions, examples, parents, retirement and splits of labels, the locked test set, operating points.

From now on a row that revokes can be revoked itself: what it revoked counts again.
"""

from __future__ import annotations

import sqlite3

from labeltool.store.migrations import m010_identity
from labeltool.store.migrations.m008_checked import changed, replace_journal
from labeltool.store.migrations.m009_removal import active_events, checked_parts, journal_triggers

_JOURNAL = changed(
    m010_identity.JOURNAL,
    (
        "'checked', 'remove', 'group'",
        "'checked', 'remove', 'group', 'define', 'example', 'parent', 'retire', 'split', 'lock'",
    ),
    ("'suggestion', 'import'", "'suggestion', 'import', 'rule'"),
    ("(kind = 'rename') =", "(kind IN ('rename', 'parent')) ="),
    ("(kind = 'note') =", "(kind IN ('note', 'define', 'split')) ="),
    ("(kind IN ('remove', 'group')) =", "(kind IN ('remove', 'group', 'lock')) ="),
    (
        "CHECK (kind IN ('revoke', 'rename', 'remove', 'group') OR clip_id IS NOT NULL)",
        "CHECK (kind NOT IN ('define', 'example', 'parent', 'retire', 'split') OR label IS NOT NULL), "
        "CHECK (kind NOT IN ('verdict', 'skip', 'bad audio', 'note', 'checked', 'example') OR clip_id IS NOT NULL)",
    ),
)

_COLUMNS = (
    "ALTER TABLE labels ADD COLUMN parent_id INTEGER REFERENCES labels (id)",
    "ALTER TABLE labels ADD COLUMN definition TEXT",
    "ALTER TABLE labels ADD COLUMN look_set_at TEXT",
    "ALTER TABLE clips ADD COLUMN id_elsewhere INTEGER",
    "ALTER TABLE recordings ADD COLUMN is_locked INTEGER NOT NULL DEFAULT 0 CHECK (is_locked IN (0, 1))",
)


def _is_revoked(row: str) -> str:
    """Return SQL that is true for a row of the journal that another revokes, which is not revoked itself."""
    return (
        f"EXISTS (SELECT 1 FROM journal r WHERE r.revokes = {row}.id "
        "AND NOT EXISTS (SELECT 1 FROM journal u WHERE u.revokes = r.id))"
    )


# The row that a new row is about in the end: itself, what it revokes, or what was revoked by what it revokes.
_SUBJECT = "COALESCE((SELECT COALESCE(r.revokes, r.id) FROM journal r WHERE r.id = NEW.revokes), NEW.id)"
_CLIP = f"(SELECT clip_id FROM journal WHERE id = {_SUBJECT})"
_RECORDING = f"(SELECT recording_id FROM journal WHERE id = {_SUBJECT})"

_DROPS = (
    "DROP VIEW active_events",
    "DROP VIEW checked_parts",
    "DROP TRIGGER journal_updates_latest_events",
    "DROP TRIGGER journal_updates_is_removed",
    "DROP TRIGGER recordings_update_clips",
    "DROP TRIGGER journal_updates_group_name",
)

_VIEWS = (active_events(_is_revoked), checked_parts(_is_revoked))

_TRIGGERS = (
    *journal_triggers(_is_revoked, _CLIP, _RECORDING),
    m010_identity.group_name_trigger(_is_revoked, _SUBJECT),
    f"""
    CREATE TRIGGER journal_updates_is_locked AFTER INSERT ON journal
    WHEN NEW.kind IN ('lock', 'revoke')
    BEGIN
        UPDATE recordings SET is_locked = EXISTS (
            SELECT 1 FROM journal j
            WHERE j.kind = 'lock' AND j.recording_id = recordings.id AND NOT {_is_revoked("j")}
        ) WHERE id = {_RECORDING};
    END
    """,
)

_ADDITIONS = (
    "CREATE INDEX recordings_locked ON recordings (group_name) WHERE is_locked",
    "CREATE INDEX journal_locks ON journal (recording_id) WHERE kind = 'lock'",
    "CREATE INDEX journal_label_acts ON journal (id) WHERE kind IN ('define', 'example', 'parent', 'retire', 'split')",
    """
    CREATE TABLE operating_points (
        model_uid TEXT NOT NULL,
        label TEXT NOT NULL,
        source TEXT NOT NULL CHECK (source IN ('validation', 'review', 'device review')),
        threshold REAL NOT NULL,
        precision REAL NOT NULL,
        precision_low REAL NOT NULL,
        precision_high REAL NOT NULL,
        recall REAL,
        clips INTEGER NOT NULL,
        created_at TEXT NOT NULL,
        PRIMARY KEY (model_uid, label, source)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE detection_scans (
        model_id INTEGER NOT NULL REFERENCES models (id),
        recording_id INTEGER NOT NULL REFERENCES recordings (id),
        is_device INTEGER NOT NULL CHECK (is_device IN (0, 1)),
        thresholds TEXT NOT NULL,
        scanned_at TEXT NOT NULL,
        PRIMARY KEY (model_id, recording_id)
    ) STRICT
    """,
)

_DESCRIPTIONS = {
    "journal": "Every annotation event, append-only: verdicts, skips, notes, renamings, checked parts of recordings, "
    "removed recordings, groups of recordings, definitions, examples, parents, retirements and splits of labels, "
    "recordings of the locked test set, and rows that revoke an earlier row; rows with one batch_id were made "
    "together.",
    "labels": "Names of sound classes; hotkey and colour are those of the labelling app, merged_into points to the "
    "label that a renamed label became, parent_id to the more general label, retired_at is set for one that is no "
    "longer offered, look_set_at when a person chose its key or colour.",
    "clips": "Parts of recordings that get labels, start and end in seconds; is_region marks a part that a person or a "
    "model selected in a long recording, is_removed one whose recording was taken out of the project, id_elsewhere is "
    "the smaller number that the clip has in a project that was merged into this one.",
    "recordings": "Sound files of the project, each known by the SHA-256 of its file and of its decoded samples; path "
    "is relative to the project where the file lies inside it, is_removed marks one that a person took out of the "
    "project, is_locked one of the locked test set, imported_group is the group that the import gave where a person "
    "gave another.",
    "operating_points": "Thresholds of a model's scores for each label, with the precision there and its 95 percent "
    "interval, measured on the validation data or by a review of what was detected.",
    "detection_scans": "Recordings that a model searched for events, with the threshold of each label; is_device marks "
    "those that were searched as the device does.",
}


def apply(connection: sqlite3.Connection) -> None:
    """Make the journal anew with the new kinds, the views and the triggers; one transaction, which the caller opens."""
    for statement in _COLUMNS:
        connection.execute(statement)
    replace_journal(connection, _JOURNAL)
    for statement in (*_DROPS, *_VIEWS, *_TRIGGERS, *_ADDITIONS):
        connection.execute(statement)
    connection.executemany("INSERT OR REPLACE INTO descriptions VALUES (?, ?)", _DESCRIPTIONS.items())
