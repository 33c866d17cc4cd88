"""Schema 7: the field's words for tables, columns, indexes and values; whole suggestions; a description of each table.

No row of the journal changes its meaning: columns get other names, values stay.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any

# The clip of a new row of the journal: its own, or that of the row it revokes.
_CLIP_OF_NEW_ROW = "COALESCE(NEW.clip_id, (SELECT clip_id FROM journal WHERE id = NEW.revokes))"

# A verdict on the whole clip (label NULL) replaces all verdicts before it, and a later verdict on a label replaces it.
_LATEST_EVENTS_OF_CLIP = f"""
    SELECT MAX(j.id), j.clip_id, j.label, j.value FROM journal j
    WHERE j.clip_id = {_CLIP_OF_NEW_ROW} AND j.kind = 'verdict'
      AND NOT EXISTS (SELECT 1 FROM journal r WHERE r.revokes = j.id)
      AND NOT EXISTS (
          SELECT 1 FROM journal w
          WHERE w.clip_id = j.clip_id AND w.kind = 'verdict' AND w.id > j.id
            AND ((j.label IS NULL) <> (w.label IS NULL))
            AND NOT EXISTS (SELECT 1 FROM journal r WHERE r.revokes = w.id)
      )
    GROUP BY j.clip_id, j.label
"""


def active_events(condition: str) -> str:
    """Return the view of the rows of the journal that meet a condition, each label under its current name."""
    return f"""
    CREATE VIEW active_events AS
    SELECT j.id, j.kind, j.clip_id, COALESCE(today.name, j.label) AS label, j.label AS original_label, j.value,
           j.annotator, j.origin, j.model_uid, j.suggested_label, j.import_id, j.start_s, j.end_s, j.low_hz, j.high_hz,
           j.confidence, j.track, j.note, j.response_ms, j.created_at
    FROM journal j
    LEFT JOIN labels own ON own.name = j.label
    LEFT JOIN labels today ON today.id = COALESCE(own.merged_into, own.id)
    WHERE j.kind IN ('verdict', 'skip', 'bad audio', 'note') AND {condition}
    """


def unlabelled_triggers(clips: str, *columns: str) -> tuple[str, ...]:
    """Return the triggers that keep `is_unlabelled` of suggestions and of the queue up to date.

    Parameters
    ----------
    clips
        Table or view of the clips that count.
    columns
        Those of clips that are 1 for a clip which is not unlabelled.
    """
    new, old, own = (" OR ".join(f"{row}.{column}" for column in columns) for row in ("NEW", "OLD", "c"))
    is_unlabelled = f"""
        EXISTS (SELECT 1 FROM {clips} c WHERE c.id = suggestions.clip_id AND NOT c.is_labelled AND NOT c.is_region)
        AND NOT EXISTS (
            SELECT 1 FROM suggestions n WHERE n.clip_id = suggestions.clip_id AND n.model_id > suggestions.model_id
        )
    """
    return (
        # There is none on deleting: all suggestions of a clip go at once, and it would cost a million clips seconds.
        f"""
    CREATE TRIGGER suggestions_set_is_unlabelled AFTER INSERT ON suggestions
    BEGIN
        UPDATE suggestions SET is_unlabelled = 0
        WHERE clip_id = NEW.clip_id AND model_id < NEW.model_id AND is_unlabelled;
        UPDATE suggestions SET is_unlabelled = 0
        WHERE clip_id = NEW.clip_id AND model_id = NEW.model_id AND NOT ({is_unlabelled});
    END
    """,
        f"""
    CREATE TRIGGER queue_sets_is_unlabelled AFTER INSERT ON queue
    WHEN EXISTS (SELECT 1 FROM clips c WHERE c.id = NEW.clip_id AND ({own}))
    BEGIN UPDATE queue SET is_unlabelled = 0 WHERE clip_id = NEW.clip_id; END
    """,
        f"""
    CREATE TRIGGER clips_update_is_unlabelled AFTER UPDATE OF {", ".join(columns)} ON clips
    WHEN ({new}) <> ({old})
    BEGIN
        UPDATE suggestions SET is_unlabelled = {is_unlabelled} WHERE clip_id = NEW.id;
        UPDATE queue SET is_unlabelled = NOT ({new}) WHERE clip_id = NEW.id;
    END
    """,
    )


# Views and triggers name the columns: they are dropped first, and made again below.
_DROPS = (
    "DROP VIEW labelled_clips",
    "DROP VIEW unlabelled_clips",
    "DROP VIEW truth",
    "DROP VIEW standing",
    "DROP TRIGGER journal_is_summed_up",
    "DROP TRIGGER suggestions_are_queued",
    "DROP TRIGGER queue_is_of_waiting_clips",
    "DROP TRIGGER clips_wait_or_not",
    "DROP TRIGGER transcripts_leave_the_index",
    "DROP TRIGGER transcripts_are_indexed_anew",
    "DROP INDEX journal_by_act",
    "DROP INDEX journal_to_learn",
    "DROP INDEX clips_resting",
    "DROP INDEX queue_by_place",
    "DROP INDEX last_words_by_clip",
    "DROP INDEX last_words_by_label",
)

_RENAMES = (
    "ALTER TABLE journal RENAME COLUMN said_at TO created_at",
    "ALTER TABLE journal RENAME COLUMN took_ms TO response_ms",
    "ALTER TABLE journal RENAME COLUMN act TO batch_id",
    "ALTER TABLE clips RENAME COLUMN marked TO is_region",
    "ALTER TABLE clips RENAME COLUMN answered TO is_labelled",
    "ALTER TABLE queue RENAME COLUMN place TO rank",
    "ALTER TABLE queue RENAME COLUMN waiting TO is_unlabelled",
    "ALTER TABLE suggestions RENAME COLUMN waiting TO is_unlabelled",
    "ALTER TABLE last_words RENAME TO latest_events",
    "ALTER TABLE transcripts RENAME COLUMN asked TO options",
    "ALTER TABLE transcripts RENAME COLUMN made_at TO created_at",
    "ALTER TABLE transcript_segments RENAME COLUMN place TO position",
)

_ADDITIONS = (
    "ALTER TABLE suggestions ADD COLUMN background REAL NOT NULL DEFAULT 0",
    "ALTER TABLE suggestions ADD COLUMN is_independent INTEGER NOT NULL DEFAULT 0 CHECK (is_independent IN (0, 1))",
    "CREATE INDEX journal_by_batch ON journal (batch_id, id) WHERE batch_id IS NOT NULL",
    "CREATE INDEX journal_for_training ON journal (id) WHERE kind NOT IN ('skip', 'note')",
    "CREATE INDEX clips_unlabelled_regions ON clips (id) WHERE is_region AND NOT is_labelled",
    "CREATE INDEX queue_by_rank ON queue (rank) WHERE is_unlabelled",
    "CREATE INDEX latest_events_by_clip ON latest_events (clip_id, label, value)",
    "CREATE INDEX latest_events_by_label ON latest_events (value, label, clip_id)",
    active_events("NOT EXISTS (SELECT 1 FROM journal r WHERE r.revokes = j.id)"),
    # The latest verdict on each label of each clip, under the label's current name.
    """
    CREATE VIEW current_annotations AS
    SELECT t.clip_id, t.label, t.value, t.journal_id, j.annotator, j.origin, j.confidence, j.created_at
    FROM (
        SELECT e.clip_id, COALESCE(today.name, e.label) AS label, e.value, MAX(e.journal_id) AS journal_id
        FROM latest_events e
        LEFT JOIN labels own ON own.name = e.label
        LEFT JOIN labels today ON today.id = COALESCE(own.merged_into, own.id)
        GROUP BY e.clip_id, COALESCE(today.name, e.label)
    ) t LEFT JOIN journal j ON j.id = t.journal_id
    """,
    """
    CREATE VIEW labelled_clips AS
    SELECT a.clip_id, r.path, c.start_s, c.end_s, a.label, a.value, a.annotator, a.origin, a.created_at,
           c.fold, r.group_name, r.licence
    FROM current_annotations a JOIN clips c ON c.id = a.clip_id JOIN recordings r ON r.id = c.recording_id
    """,
    """
    CREATE VIEW unlabelled_clips AS
    SELECT c.id AS clip_id, r.path, c.start_s, c.end_s, c.fold, r.group_name
    FROM clips c JOIN recordings r ON r.id = c.recording_id
    WHERE NOT c.is_labelled AND NOT c.is_region
    """,
    f"""
    CREATE TRIGGER journal_updates_latest_events AFTER INSERT ON journal
    WHEN NEW.kind IN ('verdict', 'bad audio', 'revoke')
    BEGIN
        DELETE FROM latest_events WHERE clip_id = {_CLIP_OF_NEW_ROW};
        INSERT INTO latest_events (journal_id, clip_id, label, value) {_LATEST_EVENTS_OF_CLIP};
        UPDATE clips SET is_labelled = EXISTS (
            SELECT 1 FROM active_events e WHERE e.clip_id = clips.id AND e.kind IN ('verdict', 'bad audio')
        ) WHERE id = {_CLIP_OF_NEW_ROW};
    END
    """,
    *unlabelled_triggers("clips", "is_labelled", "is_region"),
    """
    CREATE TRIGGER transcripts_are_unindexed AFTER DELETE ON transcripts
    BEGIN INSERT INTO transcripts_fts (transcripts_fts, rowid, text) VALUES ('delete', OLD.clip_id, OLD.text); END
    """,
    """
    CREATE TRIGGER transcripts_are_reindexed AFTER UPDATE OF clip_id, text ON transcripts
    BEGIN
        INSERT INTO transcripts_fts (transcripts_fts, rowid, text) VALUES ('delete', OLD.clip_id, OLD.text);
        INSERT INTO transcripts_fts (rowid, text) VALUES (NEW.clip_id, NEW.text);
    END
    """,
    "CREATE TABLE descriptions (name TEXT PRIMARY KEY, description TEXT NOT NULL) STRICT, WITHOUT ROWID",
)

_DESCRIPTIONS = {
    "recordings": "Sound files of the project, each known by the SHA-256 of its file; path is relative to the "
    "project where the file lies inside it.",
    "group_aliases": "Other names of a group of recordings; those of one group stay on one side of every split.",
    "clips": "Parts of recordings that get labels, start and end in seconds; is_region marks a part that a person or a "
    "model selected in a long recording.",
    "labels": "Names of sound classes; merged_into points to the label that a renamed label became.",
    "imports": "One row per import: what read it, from where, how many rows it added, and what was skipped (JSON).",
    "models": "Models trained in the project, and pretrained models that made suggestions; card is the model card "
    "(JSON).",
    "journal": "Every annotation event, append-only: verdicts, skips, notes, renamings, and rows that revoke an "
    "earlier row; rows with one batch_id were made together.",
    "claims": "Clips that are reserved for one annotator until the given Unix time in seconds, so that no two people "
    "label the same clip.",
    "suggestions": "Class probabilities that a model predicted for a clip; is_unlabelled is 1 while the clip has no "
    "label and no newer model has scored it.",
    "queue": "The order in which unlabelled clips are shown, the lowest rank first: from 0 on as the query strategy "
    "chose it, below 0 those that were put first.",
    "latest_events": "The latest verdict on each label of each clip under its original name; derived from the journal "
    "by triggers.",
    "transcripts": "Text that a speech model recognised in a clip, one transcript per clip; options are the model's "
    "settings (JSON).",
    "transcript_segments": "Segments of the transcripts with times in seconds of the recording; words are start, end, "
    "text, probability (JSON).",
    "transcripts_fts": "Full-text index of the transcripts.",
    "descriptions": "One sentence about each table and view of this database.",
    "_sqlite_migrations": "Migrations that this database has had, recorded by sqlite-utils.",
    "active_events": "Rows of the journal that are not revoked, with each label's current name.",
    "current_annotations": "The annotations that count now: the latest verdict on each label of each clip, with the "
    "label's current name; label is empty where the verdict is on the whole clip.",
    "labelled_clips": "The current annotations with the file, the times and the group of their clip.",
    "unlabelled_clips": "Clips that have no label yet, with their file, times and group.",
}


def apply(connection: sqlite3.Connection) -> None:
    """Rename, add, and describe; one transaction, which the caller opens."""
    for statement in _DROPS:
        connection.execute(statement)
    set_aside = _drop_broken_views(connection)
    for statement in (*_RENAMES, *_ADDITIONS):
        connection.execute(statement)
    connection.executemany("INSERT INTO descriptions (name, description) VALUES (?, ?)", _DESCRIPTIONS.items())
    connection.execute("UPDATE models SET architecture = 'pretrained' WHERE architecture = 'borrowed ear'")
    for model_id, text in connection.execute("SELECT id, card FROM models").fetchall():
        try:
            card = json.loads(text)
        except (ValueError, RecursionError):
            continue  # a damaged card stays as it is: whoever needs it names it
        if isinstance(card, dict):
            _complete_suggestions(connection, model_id, card)
            connection.execute("UPDATE models SET card = ? WHERE id = ?", (json.dumps(_renamed(card)), model_id))
    connection.execute(
        "UPDATE suggestions SET is_independent = 1 WHERE clip_id IN (SELECT id FROM clips WHERE is_region)"
    )
    for statement in set_aside:
        connection.execute(statement)


def _drop_broken_views(connection: sqlite3.Connection) -> list[str]:
    """Drop views of other programs over the dropped ones, with which nothing can be renamed; return their SQL.

    Other views stay, and SQLite gives their columns the new names.
    """
    statements = []
    for name, sql in connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'view'").fetchall():
        quoted = '"' + name.replace('"', '""') + '"'
        try:
            connection.execute(f"SELECT * FROM {quoted} LIMIT 0")
        except sqlite3.OperationalError:
            statements.append(sql)
            connection.execute(f"DROP VIEW {quoted}")
    return statements


def _complete_suggestions(connection: sqlite3.Connection, model_id: int, card: dict[str, Any]) -> None:
    """Fill the two new columns of a model's suggestions from its card."""
    rule = card.get("clip_rule")
    if card.get("finds") or (isinstance(rule, dict) and rule.get("head") == "sigmoid"):
        connection.execute("UPDATE suggestions SET is_independent = 1 WHERE model_id = ?", (model_id,))
    elif card.get("background"):
        # The probabilities of the labels leave the background's share, to the five digits they are stored with.
        connection.execute(
            """
            UPDATE suggestions SET background = round(max(0.0, 1.0 - (
                SELECT COALESCE(SUM(value), 0.0) FROM json_each(probabilities)
            )), 5) WHERE model_id = ? AND json_valid(probabilities)
            """,
            (model_id,),
        )


def _renamed(card: dict[str, Any]) -> dict[str, Any]:
    """Return a model card with the new words for its keys; the frontend, of which fingerprints are made, stays."""
    words = {"ear": "pretrained", "left_out": "skipped"}
    card = {words.get(key, key): value for key, value in card.items()}
    if card.get("architecture") == "borrowed ear":
        card["architecture"] = "pretrained"
    return card
