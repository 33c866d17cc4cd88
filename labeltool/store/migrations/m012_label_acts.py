"""Schema 12: definitions, examples, parents, retirement and splits of labels, the locked test set, operating points.

From now on a row that revokes can be revoked itself: what it revoked counts again.
"""

from __future__ import annotations

import sqlite3

from labeltool.store.migrations.m008_checked import replace_journal

# SQLite cannot change a CHECK: the table is made anew, its rows are copied as they are.
_TABLE = """
    CREATE TABLE journal (
        id TEXT PRIMARY KEY,
        kind TEXT NOT NULL CHECK (
            kind IN (
                'verdict', 'skip', 'bad audio', 'note', 'revoke', 'rename', 'checked', 'remove', 'group',
                'define', 'example', 'parent', 'retire', 'split', 'lock'
            )
        ),
        clip_id INTEGER REFERENCES clips (id),
        label TEXT,
        value TEXT CHECK (value IN ('present', 'absent', 'unsure')),
        new_label TEXT,
        note TEXT,
        revokes TEXT REFERENCES journal (id),
        redoes TEXT REFERENCES journal (id),
        annotator TEXT NOT NULL,
        origin TEXT NOT NULL CHECK (origin IN ('human', 'suggestion', 'import', 'rule')),
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
        recording_id INTEGER REFERENCES recordings (id),
        group_name TEXT,
        CHECK ((kind = 'verdict') = (value IS NOT NULL)),
        CHECK ((kind = 'revoke') = (revokes IS NOT NULL)),
        CHECK ((kind IN ('rename', 'parent')) = (new_label IS NOT NULL)),
        CHECK ((kind IN ('note', 'define', 'split')) = (note IS NOT NULL)),
        CHECK ((kind = 'group') = (group_name IS NOT NULL)),
        CHECK ((kind IN ('remove', 'group', 'lock')) = (recording_id IS NOT NULL)),
        CHECK (kind NOT IN ('define', 'example', 'parent', 'retire', 'split') OR label IS NOT NULL),
        CHECK (kind NOT IN ('verdict', 'skip', 'bad audio', 'note', 'checked', 'example') OR clip_id IS NOT NULL)
    ) STRICT
"""

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


# A verdict on the whole clip (label NULL) replaces all verdicts before it, and a later verdict on a label replaces it.
_LATEST_EVENTS = f"""
    INSERT INTO latest_events (journal_id, clip_id, label, value)
    SELECT MAX(j.id), j.clip_id, j.label, j.value FROM journal j JOIN active_clips c ON c.id = j.clip_id
    WHERE {{of_clips}} AND j.kind = 'verdict' AND NOT {_is_revoked("j")}
      AND NOT EXISTS (
          SELECT 1 FROM journal w
          WHERE w.clip_id = j.clip_id AND w.kind = 'verdict' AND w.id > j.id
            AND ((j.label IS NULL) <> (w.label IS NULL)) AND NOT {_is_revoked("w")}
      )
    GROUP BY j.clip_id, j.label
"""

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

_VIEWS = (
    # The rows of the journal that are not revoked and whose recording is not removed, by the labels' current names.
    f"""
    CREATE VIEW active_events AS
    SELECT j.id, j.kind, j.clip_id, COALESCE(today.name, j.label) AS label, j.label AS original_label, j.value,
           j.annotator, j.origin, j.model_uid, j.suggested_label, j.import_id, j.start_s, j.end_s, j.low_hz, j.high_hz,
           j.confidence, j.track, j.note, j.response_ms, j.created_at
    FROM journal j
    LEFT JOIN labels own ON own.name = j.label
    LEFT JOIN labels today ON today.id = COALESCE(own.merged_into, own.id)
    WHERE j.kind IN ('verdict', 'skip', 'bad audio', 'note') AND NOT {_is_revoked("j")}
      AND NOT EXISTS (SELECT 1 FROM clips c WHERE c.id = j.clip_id AND c.is_removed)
    """,
    f"""
    CREATE VIEW checked_parts AS
    SELECT c.recording_id, c.id AS clip_id, r.path, c.start_s, c.end_s, j.id AS journal_id, j.annotator, j.origin,
           j.created_at
    FROM journal j JOIN active_clips c ON c.id = j.clip_id JOIN recordings r ON r.id = c.recording_id
    WHERE j.kind = 'checked' AND NOT {_is_revoked("j")}
    """,
)

_TRIGGERS = (
    f"""
    CREATE TRIGGER journal_updates_latest_events AFTER INSERT ON journal
    WHEN NEW.kind IN ('verdict', 'bad audio', 'revoke')
    BEGIN
        DELETE FROM latest_events WHERE clip_id = {_CLIP};
        {_LATEST_EVENTS.format(of_clips=f"j.clip_id = {_CLIP}")};
        UPDATE clips SET is_labelled = EXISTS (
            SELECT 1 FROM journal j
            WHERE j.clip_id = clips.id AND j.kind IN ('verdict', 'bad audio') AND NOT {_is_revoked("j")}
        ) WHERE id = {_CLIP};
    END
    """,
    f"""
    CREATE TRIGGER journal_updates_is_removed AFTER INSERT ON journal
    WHEN NEW.kind IN ('remove', 'revoke')
    BEGIN
        UPDATE recordings SET is_removed = EXISTS (
            SELECT 1 FROM journal j
            WHERE j.kind = 'remove' AND j.recording_id = recordings.id AND NOT {_is_revoked("j")}
        ) WHERE id = {_RECORDING};
    END
    """,
    f"""
    CREATE TRIGGER recordings_update_clips AFTER UPDATE OF is_removed ON recordings
    WHEN NEW.is_removed <> OLD.is_removed
    BEGIN
        UPDATE clips SET is_removed = NEW.is_removed WHERE recording_id = NEW.id;
        DELETE FROM latest_events WHERE clip_id IN (SELECT id FROM clips WHERE recording_id = NEW.id);
        {_LATEST_EVENTS.format(of_clips="j.clip_id IN (SELECT id FROM clips WHERE recording_id = NEW.id)")};
    END
    """,
    # The group of the last row that is not revoked, by the name of what it was joined to; else that of the import.
    f"""
    CREATE TRIGGER journal_updates_group_name AFTER INSERT ON journal
    WHEN NEW.kind IN ('group', 'revoke')
    BEGIN
        UPDATE recordings SET
            imported_group = COALESCE(imported_group, group_name),
            group_name = COALESCE(
                (
                    SELECT COALESCE(a.group_name, j.group_name)
                    FROM journal j LEFT JOIN group_aliases a ON a.alias = j.group_name
                    WHERE j.kind = 'group' AND j.recording_id = recordings.id AND NOT {_is_revoked("j")}
                    ORDER BY j.id DESC LIMIT 1
                ),
                imported_group,
                group_name
            )
        WHERE id = (SELECT recording_id FROM journal WHERE id = {_SUBJECT} AND kind = 'group');
    END
    """,
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
    replace_journal(connection, _TABLE)
    for statement in (*_DROPS, *_VIEWS, *_TRIGGERS, *_ADDITIONS):
        connection.execute(statement)
    connection.executemany("INSERT OR REPLACE INTO descriptions VALUES (?, ?)", _DESCRIPTIONS.items())
