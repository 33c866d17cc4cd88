"""Schema 9: recordings taken out of the project, by rows of the journal of the kind `remove`.

The tables keep everything. What counts is in the views: `active_recordings` and `active_clips` have what is not
removed, and `latest_events` no row of a removed clip.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from labeltool.store.migrations import m007_vocabulary, m008_checked
from labeltool.store.migrations.m007_vocabulary import unlabelled_triggers
from labeltool.store.migrations.m008_checked import changed, replace_journal

JOURNAL = changed(
    m008_checked.JOURNAL,
    ("'rename', 'checked'", "'rename', 'checked', 'remove'"),
    (
        "batch_id TEXT REFERENCES journal (id),",
        "batch_id TEXT REFERENCES journal (id), recording_id INTEGER REFERENCES recordings (id),",
    ),
    (
        "CHECK (kind IN ('revoke', 'rename') OR",
        "CHECK ((kind = 'remove') = (recording_id IS NOT NULL)), CHECK (kind IN ('revoke', 'rename', 'remove') OR",
    ),
)

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

# The clip and the recording of a new row of the journal: its own, or those of the row it revokes.
_CLIP_OF_NEW_ROW = "COALESCE(NEW.clip_id, (SELECT clip_id FROM journal WHERE id = NEW.revokes))"
_RECORDING_OF_NEW_ROW = "COALESCE(NEW.recording_id, (SELECT recording_id FROM journal WHERE id = NEW.revokes))"

IsRevoked = Callable[[str], str]
"""Returns SQL that is true for a row of the journal, given its alias, that does not count any more."""


def is_revoked(row: str, other: str = "r") -> str:
    """Return SQL that is true for a row of the journal that another revokes."""
    return f"EXISTS (SELECT 1 FROM journal {other} WHERE {other}.revokes = {row}.id)"


def active_events(is_revoked: IsRevoked) -> str:
    """Return the view of the rows that count and whose recording is not removed, by the labels' current names."""
    of_removed = "EXISTS (SELECT 1 FROM clips c WHERE c.id = j.clip_id AND c.is_removed)"
    return m007_vocabulary.active_events(f"NOT {is_revoked('j')} AND NOT {of_removed}")


def checked_parts(is_revoked: IsRevoked) -> str:
    """Return the view of the parts of recordings that are checked."""
    return f"""
    CREATE VIEW checked_parts AS
    SELECT c.recording_id, c.id AS clip_id, r.path, c.start_s, c.end_s, j.id AS journal_id, j.annotator, j.origin,
           j.created_at
    FROM journal j JOIN active_clips c ON c.id = j.clip_id JOIN recordings r ON r.id = c.recording_id
    WHERE j.kind = 'checked' AND NOT {is_revoked("j")}
    """


def journal_triggers(is_revoked: IsRevoked, clip: str, recording: str) -> tuple[str, ...]:
    """Return the triggers that keep `latest_events`, `is_labelled` and `is_removed` up to date.

    Parameters
    ----------
    clip, recording
        SQL of those that a new row of the journal is about.
    """
    # A verdict on the whole clip (label NULL) replaces all before it, and a later one on a label replaces it.
    latest_events = f"""
        INSERT INTO latest_events (journal_id, clip_id, label, value)
        SELECT MAX(j.id), j.clip_id, j.label, j.value FROM journal j JOIN active_clips c ON c.id = j.clip_id
        WHERE {{of_clips}} AND j.kind = 'verdict' AND NOT {is_revoked("j")}
          AND NOT EXISTS (
              SELECT 1 FROM journal w
              WHERE w.clip_id = j.clip_id AND w.kind = 'verdict' AND w.id > j.id
                AND ((j.label IS NULL) <> (w.label IS NULL)) AND NOT {is_revoked("w")}
          )
        GROUP BY j.clip_id, j.label
    """
    return (
        f"""
    CREATE TRIGGER journal_updates_latest_events AFTER INSERT ON journal
    WHEN NEW.kind IN ('verdict', 'bad audio', 'revoke')
    BEGIN
        DELETE FROM latest_events WHERE clip_id = {clip};
        {latest_events.format(of_clips=f"j.clip_id = {clip}")};
        UPDATE clips SET is_labelled = EXISTS (
            SELECT 1 FROM journal j
            WHERE j.clip_id = clips.id AND j.kind IN ('verdict', 'bad audio') AND NOT {is_revoked("j")}
        ) WHERE id = {clip};
    END
    """,
        f"""
    CREATE TRIGGER journal_updates_is_removed AFTER INSERT ON journal
    WHEN NEW.kind IN ('remove', 'revoke')
    BEGIN
        UPDATE recordings SET is_removed = EXISTS (
            SELECT 1 FROM journal j
            WHERE j.kind = 'remove' AND j.recording_id = recordings.id AND NOT {is_revoked("j")}
        ) WHERE id = {recording};
    END
    """,
        f"""
    CREATE TRIGGER recordings_update_clips AFTER UPDATE OF is_removed ON recordings
    WHEN NEW.is_removed <> OLD.is_removed
    BEGIN
        UPDATE clips SET is_removed = NEW.is_removed WHERE recording_id = NEW.id;
        DELETE FROM latest_events WHERE clip_id IN (SELECT id FROM clips WHERE recording_id = NEW.id);
        {latest_events.format(of_clips="j.clip_id IN (SELECT id FROM clips WHERE recording_id = NEW.id)")};
    END
    """,
    )


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
    active_events(is_revoked),
    checked_parts(lambda row: is_revoked(row, "o")),
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
    *journal_triggers(is_revoked, _CLIP_OF_NEW_ROW, _RECORDING_OF_NEW_ROW),
    """
    CREATE TRIGGER clips_set_is_removed AFTER INSERT ON clips
    WHEN (SELECT is_removed FROM recordings WHERE id = NEW.recording_id)
    BEGIN UPDATE clips SET is_removed = 1 WHERE id = NEW.id; END
    """,
    *unlabelled_triggers("active_clips", "is_labelled", "is_region", "is_removed"),
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
    replace_journal(connection, JOURNAL)
    for statement in (*_DROPS, *_INDEXES, *_VIEWS, *_TRIGGERS):
        connection.execute(statement)
    connection.executemany("INSERT OR REPLACE INTO descriptions VALUES (?, ?)", _DESCRIPTIONS.items())
