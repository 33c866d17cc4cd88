"""Schema 9: recordings taken out of the project, by rows of the journal of the kind `remove`.

The tables keep everything. What counts is in the views: `active_recordings` and `active_clips` have what is not
removed, and `latest_events` no row of a removed clip.
"""

from __future__ import annotations

import sqlite3

from labeltool.store.migrations.m008_checked import replace_journal

# SQLite cannot change a CHECK: the table is made anew, its rows are copied as they are.
_TABLE = """
    CREATE TABLE journal (
        id TEXT PRIMARY KEY,
        kind TEXT NOT NULL CHECK (
            kind IN ('verdict', 'skip', 'bad audio', 'note', 'revoke', 'rename', 'checked', 'remove')
        ),
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
        recording_id INTEGER REFERENCES recordings (id),
        CHECK ((kind = 'verdict') = (value IS NOT NULL)),
        CHECK ((kind = 'revoke') = (revokes IS NOT NULL)),
        CHECK ((kind = 'rename') = (new_label IS NOT NULL)),
        CHECK ((kind = 'note') = (note IS NOT NULL)),
        CHECK ((kind = 'remove') = (recording_id IS NOT NULL)),
        CHECK (kind IN ('revoke', 'rename', 'remove') OR clip_id IS NOT NULL)
    ) STRICT
"""

_COLUMNS = (
    "ALTER TABLE recordings ADD COLUMN is_removed INTEGER NOT NULL DEFAULT 0 CHECK (is_removed IN (0, 1))",
    "ALTER TABLE clips ADD COLUMN is_removed INTEGER NOT NULL DEFAULT 0 CHECK (is_removed IN (0, 1))",
)

_DROPS = (
    "DROP VIEW active_events",
    "DROP VIEW checked_parts",
    "DROP VIEW unlabelled_clips",
    "DROP INDEX clips_shuffled",
    "DROP TRIGGER journal_updates_latest_events",
    "DROP TRIGGER suggestions_set_is_unlabelled",
    "DROP TRIGGER queue_sets_is_unlabelled",
    "DROP TRIGGER clips_update_is_unlabelled",
)

# A verdict on the whole clip (label NULL) replaces all verdicts before it, and a later verdict on a label replaces it.
_LATEST_EVENTS = """
    INSERT INTO latest_events (journal_id, clip_id, label, value)
    SELECT MAX(j.id), j.clip_id, j.label, j.value FROM journal j JOIN active_clips c ON c.id = j.clip_id
    WHERE {of_clips} AND j.kind = 'verdict'
      AND NOT EXISTS (SELECT 1 FROM journal r WHERE r.revokes = j.id)
      AND NOT EXISTS (
          SELECT 1 FROM journal w
          WHERE w.clip_id = j.clip_id AND w.kind = 'verdict' AND w.id > j.id
            AND ((j.label IS NULL) <> (w.label IS NULL))
            AND NOT EXISTS (SELECT 1 FROM journal r WHERE r.revokes = w.id)
      )
    GROUP BY j.clip_id, j.label
"""

# The clip and the recording of a new row of the journal: its own, or those of the row it revokes.
_CLIP_OF_NEW_ROW = "COALESCE(NEW.clip_id, (SELECT clip_id FROM journal WHERE id = NEW.revokes))"
_RECORDING_OF_NEW_ROW = "COALESCE(NEW.recording_id, (SELECT recording_id FROM journal WHERE id = NEW.revokes))"

_IS_UNLABELLED = """
    EXISTS (SELECT 1 FROM active_clips c WHERE c.id = suggestions.clip_id AND NOT c.is_labelled AND NOT c.is_region)
    AND NOT EXISTS (
        SELECT 1 FROM suggestions n WHERE n.clip_id = suggestions.clip_id AND n.model_id > suggestions.model_id
    )
"""

_VIEWS = (
    """
    CREATE VIEW active_recordings AS
    SELECT id, sha256, path, sample_rate_hz, channels, frames, duration_s, group_name, licence, added_at
    FROM recordings WHERE NOT is_removed
    """,
    """
    CREATE VIEW active_clips AS
    SELECT id, recording_id, start_s, end_s, fold, is_region, is_labelled FROM clips WHERE NOT is_removed
    """,
    # The rows of the journal that are not revoked and whose recording is not removed, by the labels' current names.
    """
    CREATE VIEW active_events AS
    SELECT j.id, j.kind, j.clip_id, COALESCE(today.name, j.label) AS label, j.label AS original_label, j.value,
           j.annotator, j.origin, j.model_uid, j.suggested_label, j.import_id, j.start_s, j.end_s, j.low_hz, j.high_hz,
           j.confidence, j.track, j.note, j.response_ms, j.created_at
    FROM journal j
    LEFT JOIN labels own ON own.name = j.label
    LEFT JOIN labels today ON today.id = COALESCE(own.merged_into, own.id)
    WHERE j.kind IN ('verdict', 'skip', 'bad audio', 'note')
      AND NOT EXISTS (SELECT 1 FROM journal r WHERE r.revokes = j.id)
      AND NOT EXISTS (SELECT 1 FROM clips c WHERE c.id = j.clip_id AND c.is_removed)
    """,
    """
    CREATE VIEW checked_parts AS
    SELECT c.recording_id, c.id AS clip_id, r.path, c.start_s, c.end_s, j.id AS journal_id, j.annotator, j.origin,
           j.created_at
    FROM journal j JOIN active_clips c ON c.id = j.clip_id JOIN recordings r ON r.id = c.recording_id
    WHERE j.kind = 'checked' AND NOT EXISTS (SELECT 1 FROM journal o WHERE o.revokes = j.id)
    """,
    """
    CREATE VIEW unlabelled_clips AS
    SELECT c.id AS clip_id, r.path, c.start_s, c.end_s, c.fold, r.group_name
    FROM active_clips c JOIN recordings r ON r.id = c.recording_id
    WHERE NOT c.is_labelled AND NOT c.is_region
    """,
)

_INDEXES = (
    # What is unlabelled is counted and drawn from the index alone.
    "CREATE INDEX clips_shuffled ON clips (id * 2654435761 % 4294967296) "
    "WHERE NOT is_labelled AND NOT is_region AND NOT is_removed",
    "CREATE INDEX clips_removed ON clips (id) WHERE is_removed",
    "CREATE INDEX journal_removals ON journal (recording_id) WHERE kind = 'remove'",
)

_TRIGGERS = (
    f"""
    CREATE TRIGGER journal_updates_latest_events AFTER INSERT ON journal
    WHEN NEW.kind IN ('verdict', 'bad audio', 'revoke')
    BEGIN
        DELETE FROM latest_events WHERE clip_id = {_CLIP_OF_NEW_ROW};
        {_LATEST_EVENTS.format(of_clips=f"j.clip_id = {_CLIP_OF_NEW_ROW}")};
        UPDATE clips SET is_labelled = EXISTS (
            SELECT 1 FROM journal j WHERE j.clip_id = clips.id AND j.kind IN ('verdict', 'bad audio')
              AND NOT EXISTS (SELECT 1 FROM journal r WHERE r.revokes = j.id)
        ) WHERE id = {_CLIP_OF_NEW_ROW};
    END
    """,
    f"""
    CREATE TRIGGER journal_updates_is_removed AFTER INSERT ON journal
    WHEN NEW.kind IN ('remove', 'revoke')
    BEGIN
        UPDATE recordings SET is_removed = EXISTS (
            SELECT 1 FROM journal j WHERE j.kind = 'remove' AND j.recording_id = recordings.id
              AND NOT EXISTS (SELECT 1 FROM journal r WHERE r.revokes = j.id)
        ) WHERE id = {_RECORDING_OF_NEW_ROW};
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
    """
    CREATE TRIGGER clips_set_is_removed AFTER INSERT ON clips
    WHEN (SELECT is_removed FROM recordings WHERE id = NEW.recording_id)
    BEGIN UPDATE clips SET is_removed = 1 WHERE id = NEW.id; END
    """,
    # There is no trigger on deleting: all suggestions of a clip go at once, and it would cost a million clips seconds.
    f"""
    CREATE TRIGGER suggestions_set_is_unlabelled AFTER INSERT ON suggestions
    BEGIN
        UPDATE suggestions SET is_unlabelled = 0
        WHERE clip_id = NEW.clip_id AND model_id < NEW.model_id AND is_unlabelled;
        UPDATE suggestions SET is_unlabelled = 0
        WHERE clip_id = NEW.clip_id AND model_id = NEW.model_id AND NOT ({_IS_UNLABELLED});
    END
    """,
    """
    CREATE TRIGGER queue_sets_is_unlabelled AFTER INSERT ON queue
    WHEN EXISTS (SELECT 1 FROM clips c WHERE c.id = NEW.clip_id AND (c.is_labelled OR c.is_region OR c.is_removed))
    BEGIN UPDATE queue SET is_unlabelled = 0 WHERE clip_id = NEW.clip_id; END
    """,
    f"""
    CREATE TRIGGER clips_update_is_unlabelled AFTER UPDATE OF is_labelled, is_region, is_removed ON clips
    WHEN (NEW.is_labelled OR NEW.is_region OR NEW.is_removed) <> (OLD.is_labelled OR OLD.is_region OR OLD.is_removed)
    BEGIN
        UPDATE suggestions SET is_unlabelled = {_IS_UNLABELLED} WHERE clip_id = NEW.id;
        UPDATE queue SET is_unlabelled = NOT (NEW.is_labelled OR NEW.is_region OR NEW.is_removed)
        WHERE clip_id = NEW.id;
    END
    """,
)

_DESCRIPTIONS = {
    "journal": "Every annotation event, append-only: verdicts, skips, notes, renamings, checked parts of recordings, "
    "removed recordings, and rows that revoke an earlier row; rows with one batch_id were made together.",
    "recordings": "Sound files of the project, each known by the SHA-256 of its file; path is relative to the project "
    "where the file lies inside it, is_removed marks one that a person took out of the project.",
    "clips": "Parts of recordings that get labels, start and end in seconds; is_region marks a part that a person or a "
    "model selected in a long recording, is_removed one whose recording was taken out of the project.",
    "active_recordings": "The recordings that are not removed.",
    "active_clips": "The clips of recordings that are not removed: what is shown, counted and trained on.",
    "active_events": "Rows of the journal that are not revoked, with each label's current name; without those of "
    "removed recordings.",
    "latest_events": "The latest verdict on each label of each clip under its original name; derived from the journal "
    "by triggers, without removed recordings.",
}


def apply(connection: sqlite3.Connection) -> None:
    """Make the journal anew with the new kind, the views and the triggers; one transaction, which the caller opens."""
    for statement in _COLUMNS:
        connection.execute(statement)
    replace_journal(connection, _TABLE)
    for statement in (*_DROPS, *_INDEXES, *_VIEWS, *_TRIGGERS):
        connection.execute(statement)
    connection.executemany("INSERT OR REPLACE INTO descriptions VALUES (?, ?)", _DESCRIPTIONS.items())
