"""Schema 1: recordings, clips, labels, the journal, models, suggestions and the views over them."""

from __future__ import annotations

JOURNAL = """
    CREATE TABLE journal (
        id TEXT PRIMARY KEY,
        kind TEXT NOT NULL CHECK (kind IN ('verdict', 'skip', 'bad audio', 'note', 'revoke', 'rename')),
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
        took_ms INTEGER,
        said_at TEXT NOT NULL,
        CHECK ((kind = 'verdict') = (value IS NOT NULL)),
        CHECK ((kind = 'revoke') = (revokes IS NOT NULL)),
        CHECK ((kind = 'rename') = (new_label IS NOT NULL)),
        CHECK ((kind = 'note') = (note IS NOT NULL)),
        CHECK (kind IN ('revoke', 'rename') OR clip_id IS NOT NULL)
    ) STRICT
"""

STATEMENTS = (
    """
    CREATE TABLE recordings (
        id INTEGER PRIMARY KEY,
        sha256 TEXT NOT NULL UNIQUE,
        path TEXT NOT NULL,
        sample_rate_hz INTEGER NOT NULL,
        channels INTEGER NOT NULL,
        frames INTEGER NOT NULL,
        duration_s REAL NOT NULL,
        group_name TEXT NOT NULL,
        licence TEXT,
        added_at TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX recordings_by_group ON recordings (group_name)",
    "CREATE INDEX recordings_by_path ON recordings (path)",
    # Two sources may name the group of one sound differently; from then on both names mean one group.
    """
    CREATE TABLE group_aliases (
        alias TEXT PRIMARY KEY,
        group_name TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX group_aliases_by_group ON group_aliases (group_name)",
    """
    CREATE TABLE clips (
        id INTEGER PRIMARY KEY,
        recording_id INTEGER NOT NULL REFERENCES recordings (id),
        start_s REAL NOT NULL,
        end_s REAL NOT NULL,
        fold INTEGER,
        UNIQUE (recording_id, start_s, end_s),
        CHECK (0 <= start_s AND start_s < end_s)
    ) STRICT
    """,
    # A fixed shuffle of the clips (Knuth's multiplicative hash of the id), to ask in before there is a model.
    "CREATE INDEX clips_shuffled ON clips (id * 2654435761 % 4294967296)",
    """
    CREATE TABLE labels (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        hotkey TEXT,
        colour TEXT,
        merged_into INTEGER REFERENCES labels (id),
        retired_at TEXT,
        created_at TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE imports (
        id INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,
        source TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        imported_at TEXT NOT NULL,
        recordings INTEGER NOT NULL,
        clips INTEGER NOT NULL,
        verdicts INTEGER NOT NULL,
        skipped TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE models (
        id INTEGER PRIMARY KEY,
        uid TEXT NOT NULL UNIQUE,
        parent_id INTEGER REFERENCES models (id),
        architecture TEXT NOT NULL,
        labels_seen INTEGER NOT NULL,
        journal_mark TEXT NOT NULL,
        clip_accuracy REAL,
        int8_clip_accuracy REAL,
        created_at TEXT NOT NULL,
        card TEXT NOT NULL
    ) STRICT
    """,
    JOURNAL,
    "CREATE INDEX journal_by_clip ON journal (clip_id, kind)",
    "CREATE INDEX journal_by_label ON journal (label)",
    "CREATE INDEX journal_by_annotator ON journal (annotator, id)",
    "CREATE INDEX journal_revoked ON journal (revokes) WHERE revokes IS NOT NULL",
    # INSERT OR REPLACE would delete without waking the trigger on deleting.
    """
    CREATE TRIGGER journal_is_never_replaced BEFORE INSERT ON journal
    WHEN EXISTS (SELECT 1 FROM journal WHERE id = NEW.id OR import_key = NEW.import_key)
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only: this row is there already'); END
    """,
    """
    CREATE TRIGGER journal_is_never_edited BEFORE UPDATE ON journal
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only: append a revoking row instead'); END
    """,
    """
    CREATE TRIGGER journal_is_never_cut BEFORE DELETE ON journal
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only: append a revoking row instead'); END
    """,
    # Who has a clip on the screen or prepared, so that two people are never asked about the same; seconds since 1970.
    """
    CREATE TABLE claims (
        clip_id INTEGER PRIMARY KEY REFERENCES clips (id),
        annotator TEXT NOT NULL,
        until_s REAL NOT NULL
    ) STRICT
    """,
    "CREATE INDEX claims_by_annotator ON claims (annotator)",
    """
    CREATE TABLE suggestions (
        model_id INTEGER NOT NULL REFERENCES models (id),
        clip_id INTEGER NOT NULL REFERENCES clips (id),
        top_label TEXT NOT NULL,
        top_probability REAL NOT NULL,
        margin REAL NOT NULL,
        entropy REAL NOT NULL,
        probabilities TEXT NOT NULL,
        PRIMARY KEY (model_id, clip_id)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX suggestions_by_margin ON suggestions (margin)",
    # What was said and not taken back, each label under the name it goes by today.
    """
    CREATE VIEW standing AS
    SELECT j.id, j.kind, j.clip_id, COALESCE(today.name, j.label) AS label, j.label AS said_label, j.value,
           j.annotator, j.origin, j.model_uid, j.suggested_label, j.import_id, j.start_s, j.end_s, j.low_hz, j.high_hz,
           j.confidence, j.track, j.note, j.took_ms, j.said_at
    FROM journal j
    LEFT JOIN labels said ON said.name = j.label
    LEFT JOIN labels today ON today.id = COALESCE(said.merged_into, said.id)
    WHERE j.kind IN ('verdict', 'skip', 'bad audio', 'note')
      AND NOT EXISTS (SELECT 1 FROM journal r WHERE r.revokes = j.id)
    """,
    # The last word on each label of each clip. A verdict on the whole clip (label NULL: "none of these", "cannot tell")
    # takes back what was said before it, and gives way to what is said after it.
    """
    CREATE VIEW truth AS
    SELECT s.clip_id, s.label, s.value, MAX(s.id) AS journal_id, s.annotator, s.origin, s.confidence, s.said_at
    FROM standing s
    WHERE s.kind = 'verdict'
      AND NOT EXISTS (
          SELECT 1 FROM standing w
          WHERE w.clip_id = s.clip_id AND w.kind = 'verdict' AND w.id > s.id
            AND ((s.label IS NULL) <> (w.label IS NULL))
      )
    GROUP BY s.clip_id, s.label
    """,
    # What a person asks of the database in Datasette: which sound carries which label, and where it is.
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
    WHERE NOT EXISTS (
        SELECT 1 FROM standing s WHERE s.clip_id = c.id AND s.kind IN ('verdict', 'bad audio')
    )
    """,
)
