"""Schema 5: columns and a table that triggers derive from the journal, so that large projects stay fast."""

from __future__ import annotations

# The clip that a new row of the journal speaks of, itself or through the row it takes back.
_SPOKEN_OF = "COALESCE(NEW.clip_id, (SELECT clip_id FROM journal WHERE id = NEW.revokes))"

# A verdict on the whole clip (label NULL) takes back what was said before it, and gives way to what is said after it.
_LAST_WORDS = """
    SELECT MAX(j.id), j.clip_id, j.label, j.value FROM journal j
    WHERE {of_clip} j.kind = 'verdict' AND NOT EXISTS (SELECT 1 FROM journal r WHERE r.revokes = j.id)
      AND NOT EXISTS (
          SELECT 1 FROM journal w
          WHERE w.clip_id = j.clip_id AND w.kind = 'verdict' AND w.id > j.id
            AND ((j.label IS NULL) <> (w.label IS NULL))
            AND NOT EXISTS (SELECT 1 FROM journal r WHERE r.revokes = w.id)
      )
    GROUP BY j.clip_id, j.label
"""

_IS_WAITING = """
    EXISTS (SELECT 1 FROM clips c WHERE c.id = suggestions.clip_id AND NOT c.answered AND NOT c.marked)
    AND NOT EXISTS (
        SELECT 1 FROM suggestions n WHERE n.clip_id = suggestions.clip_id AND n.model_id > suggestions.model_id
    )
"""

STATEMENTS = (
    "ALTER TABLE clips ADD COLUMN answered INTEGER NOT NULL DEFAULT 0 CHECK (answered IN (0, 1))",
    # The last word on each label of each clip, under the name it was said by.
    """
    CREATE TABLE last_words (
        journal_id TEXT PRIMARY KEY REFERENCES journal (id),
        clip_id INTEGER NOT NULL REFERENCES clips (id),
        label TEXT,
        value TEXT NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX last_words_by_clip ON last_words (clip_id, label, value)",
    "CREATE INDEX last_words_by_label ON last_words (value, label, clip_id)",
    f"INSERT INTO last_words {_LAST_WORDS.format(of_clip='')}",
    """
    UPDATE clips SET answered = 1 WHERE id IN (
        SELECT clip_id FROM standing WHERE kind IN ('verdict', 'bad audio')
    )
    """,
    f"""
    CREATE TRIGGER journal_is_summed_up AFTER INSERT ON journal
    WHEN NEW.kind IN ('verdict', 'bad audio', 'revoke')
    BEGIN
        DELETE FROM last_words WHERE clip_id = {_SPOKEN_OF};
        INSERT INTO last_words {_LAST_WORDS.format(of_clip=f"j.clip_id = {_SPOKEN_OF} AND")};
        UPDATE clips SET answered = EXISTS (
            SELECT 1 FROM standing s WHERE s.clip_id = clips.id AND s.kind IN ('verdict', 'bad audio')
        ) WHERE id = {_SPOKEN_OF};
    END
    """,
    "DROP VIEW unlabelled_clips",
    "DROP VIEW labelled_clips",
    "DROP VIEW truth",
    # The last word on each label of each clip, under the name the label goes by today.
    """
    CREATE VIEW truth AS
    SELECT t.clip_id, t.label, t.value, t.journal_id, j.annotator, j.origin, j.confidence, j.said_at
    FROM (
        SELECT w.clip_id, COALESCE(today.name, w.label) AS label, w.value, MAX(w.journal_id) AS journal_id
        FROM last_words w
        LEFT JOIN labels said ON said.name = w.label
        LEFT JOIN labels today ON today.id = COALESCE(said.merged_into, said.id)
        GROUP BY w.clip_id, COALESCE(today.name, w.label)
    ) t LEFT JOIN journal j ON j.id = t.journal_id
    """,
    """
    CREATE VIEW labelled_clips AS
    SELECT t.clip_id, r.path, c.start_s, c.end_s, t.label, t.value, t.annotator, t.origin, t.said_at,
           c.fold, r.group_name, r.licence
    FROM truth t JOIN clips c ON c.id = t.clip_id JOIN recordings r ON r.id = c.recording_id
    """,
    """
    CREATE VIEW unlabelled_clips AS
    SELECT c.id AS clip_id, r.path, c.start_s, c.end_s, c.fold, r.group_name
    FROM clips c JOIN recordings r ON r.id = c.recording_id
    WHERE NOT c.answered AND NOT c.marked
    """,
    "DROP INDEX clips_shuffled",
    "CREATE INDEX clips_shuffled ON clips (id * 2654435761 % 4294967296) WHERE NOT answered AND NOT marked",
    "CREATE INDEX clips_resting ON clips (id) WHERE marked AND NOT answered",
    # Whether its clip waits for an answer and no newer model has scored it. Partial indexes pass the others over.
    "ALTER TABLE suggestions ADD COLUMN waiting INTEGER NOT NULL DEFAULT 1 CHECK (waiting IN (0, 1))",
    "DROP INDEX suggestions_by_clip",
    "CREATE INDEX suggestions_by_clip ON suggestions (clip_id, model_id, top_label, top_probability)",
    f"UPDATE suggestions SET waiting = 0 WHERE NOT ({_IS_WAITING})",
    "DROP INDEX suggestions_by_margin",
    "CREATE INDEX suggestions_by_margin ON suggestions (margin) WHERE waiting",
    "DROP INDEX suggestions_by_label",
    "CREATE INDEX suggestions_by_label ON suggestions (top_label, top_probability, waiting) WHERE waiting",
    "ALTER TABLE queue ADD COLUMN waiting INTEGER NOT NULL DEFAULT 1 CHECK (waiting IN (0, 1))",
    "UPDATE queue SET waiting = 0 WHERE clip_id IN (SELECT id FROM clips WHERE answered OR marked)",
    "DROP INDEX queue_by_place",
    "CREATE INDEX queue_by_place ON queue (place) WHERE waiting",
    # There is none on deleting: all suggestions of a clip go at once, and it would cost a million clips seconds.
    f"""
    CREATE TRIGGER suggestions_are_queued AFTER INSERT ON suggestions
    BEGIN
        UPDATE suggestions SET waiting = 0 WHERE clip_id = NEW.clip_id AND model_id < NEW.model_id AND waiting;
        UPDATE suggestions SET waiting = 0
        WHERE clip_id = NEW.clip_id AND model_id = NEW.model_id AND NOT ({_IS_WAITING});
    END
    """,
    """
    CREATE TRIGGER queue_is_of_waiting_clips AFTER INSERT ON queue
    WHEN EXISTS (SELECT 1 FROM clips c WHERE c.id = NEW.clip_id AND (c.answered OR c.marked))
    BEGIN UPDATE queue SET waiting = 0 WHERE clip_id = NEW.clip_id; END
    """,
    f"""
    CREATE TRIGGER clips_wait_or_not AFTER UPDATE OF answered, marked ON clips
    WHEN (NEW.answered OR NEW.marked) <> (OLD.answered OR OLD.marked)
    BEGIN
        UPDATE suggestions SET waiting = {_IS_WAITING} WHERE clip_id = NEW.id;
        UPDATE queue SET waiting = NOT (NEW.answered OR NEW.marked) WHERE clip_id = NEW.id;
    END
    """,
    # Who disagrees, which names changed, and how much a model has not learnt from, without reading the rows themselves.
    "DROP INDEX journal_by_clip",
    "CREATE INDEX journal_by_clip ON journal (clip_id, kind, annotator)",
    "CREATE INDEX journal_renames ON journal (id) WHERE kind = 'rename'",
    "CREATE INDEX journal_to_learn ON journal (id) WHERE kind NOT IN ('skip', 'note')",
)
