"""The shape of `labels.db`, as numbered migrations.

`PRAGMA user_version` counts the migrations a database has had, so that opening an up-to-date one needs only the
standard library; sqlite-utils, which loads pandas, is imported when there is something to migrate. A migration that has
been released is never edited: the next change is a new function at the end.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from labeltool.store.summaries import SUMS

_INITIAL = (
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
    """
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
    """,
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


APPLICATION_ID = 0x6C626C74
"""Marks a SQLite file as labeltool's ("lblt"), so that somebody else's `labels.db` is never migrated."""


def _m001_initial(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    for statement in _INITIAL:
        connection.execute(statement)


_MARKS_AND_SWEEPS = (
    # A span that somebody marked by hand in a long recording: never asked about, and nothing at all once taken back.
    "ALTER TABLE clips ADD COLUMN marked INTEGER NOT NULL DEFAULT 0 CHECK (marked IN (0, 1))",
    # What a label's sweep walks, the surest first.
    "CREATE INDEX suggestions_by_label ON suggestions (top_label, top_probability)",
    "CREATE INDEX suggestions_by_clip ON suggestions (clip_id, model_id)",
    "DROP VIEW unlabelled_clips",
    """
    CREATE VIEW unlabelled_clips AS
    SELECT c.id AS clip_id, r.path, c.start_s, c.end_s, c.fold, r.group_name
    FROM clips c JOIN recordings r ON r.id = c.recording_id
    WHERE NOT c.marked AND NOT EXISTS (
        SELECT 1 FROM standing s WHERE s.clip_id = c.id AND s.kind IN ('verdict', 'bad audio')
    )
    """,
)


def _m002_marks_and_sweeps(connection: sqlite3.Connection) -> None:
    for statement in _MARKS_AND_SWEEPS:
        connection.execute(statement)


def _m003_queue(connection: sqlite3.Connection) -> None:
    # The order to ask in, written whole whenever it is reckoned anew; place 0 is asked first.
    connection.execute(
        "CREATE TABLE queue (clip_id INTEGER PRIMARY KEY REFERENCES clips (id), place INTEGER NOT NULL) STRICT"
    )
    connection.execute("CREATE INDEX queue_by_place ON queue (place)")


def _m004_acts(connection: sqlite3.Connection) -> None:
    # Rows that were said together carry the id of the first of them: undo takes them back at once.
    connection.execute("ALTER TABLE journal ADD COLUMN act TEXT REFERENCES journal (id)")
    connection.execute("CREATE INDEX journal_by_act ON journal (act, id) WHERE act IS NOT NULL")


def _m005_sums(connection: sqlite3.Connection) -> None:
    for statement in SUMS:
        connection.execute(statement)


_TRANSCRIPTS = (
    # What a speech model heard said in a clip: one transcript a clip, whoever made it. `language_probability` is NULL
    # where the language was told; `asked` is how the model was asked (JSON), so that equal work is not done twice.
    """
    CREATE TABLE transcripts (
        clip_id INTEGER PRIMARY KEY REFERENCES clips (id),
        model TEXT NOT NULL,
        model_sha256 TEXT NOT NULL,
        language TEXT NOT NULL,
        language_probability REAL,
        text TEXT NOT NULL,
        asked TEXT NOT NULL,
        made_at TEXT NOT NULL
    ) STRICT
    """,
    # Seconds of the recording; `words`, where they were asked for, are [[start_s, end_s, text, probability], ...].
    """
    CREATE TABLE transcript_segments (
        clip_id INTEGER NOT NULL REFERENCES transcripts (clip_id) ON DELETE CASCADE,
        place INTEGER NOT NULL,
        start_s REAL NOT NULL,
        end_s REAL NOT NULL,
        text TEXT NOT NULL,
        words TEXT,
        PRIMARY KEY (clip_id, place)
    ) STRICT, WITHOUT ROWID
    """,
    # The index holds no text of its own: the triggers keep it to what the table says. Spelt just so, Datasette finds it
    # and offers to search the table.
    """
    CREATE VIRTUAL TABLE transcripts_fts USING fts5 (
        text, content="transcripts", content_rowid="clip_id", tokenize="unicode61 remove_diacritics 2"
    )
    """,
    """
    CREATE TRIGGER transcripts_are_indexed AFTER INSERT ON transcripts
    BEGIN INSERT INTO transcripts_fts (rowid, text) VALUES (NEW.clip_id, NEW.text); END
    """,
    """
    CREATE TRIGGER transcripts_leave_the_index AFTER DELETE ON transcripts
    BEGIN INSERT INTO transcripts_fts (transcripts_fts, rowid, text) VALUES ('delete', OLD.clip_id, OLD.text); END
    """,
    """
    CREATE TRIGGER transcripts_are_indexed_anew AFTER UPDATE OF clip_id, text ON transcripts
    BEGIN
        INSERT INTO transcripts_fts (transcripts_fts, rowid, text) VALUES ('delete', OLD.clip_id, OLD.text);
        INSERT INTO transcripts_fts (rowid, text) VALUES (NEW.clip_id, NEW.text);
    END
    """,
    # INSERT OR REPLACE would delete without waking the trigger on deleting.
    """
    CREATE TRIGGER transcripts_are_never_replaced BEFORE INSERT ON transcripts
    WHEN EXISTS (SELECT 1 FROM transcripts WHERE clip_id = NEW.clip_id)
    BEGIN SELECT RAISE(ABORT, 'the clip has a transcript: delete it first'); END
    """,
)


def _m006_transcripts(connection: sqlite3.Connection) -> None:
    for statement in _TRANSCRIPTS:
        connection.execute(statement)


MIGRATIONS: tuple[tuple[str, Callable[[sqlite3.Connection], None]], ...] = (
    ("m001_initial", _m001_initial),
    ("m002_marks_and_sweeps", _m002_marks_and_sweeps),
    ("m003_queue", _m003_queue),
    ("m004_acts", _m004_acts),
    ("m005_sums", _m005_sums),
    ("m006_transcripts", _m006_transcripts),
)

SCHEMA_VERSION = len(MIGRATIONS)
"""The `user_version` this labeltool reads and writes."""


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a database up to `SCHEMA_VERSION`; each step is one transaction and is recorded by sqlite-utils."""
    from sqlite_utils import Database, Migrations  # loads pandas where installed: only when there is work

    numbered = Migrations("labeltool")
    for version, (name, step) in enumerate(MIGRATIONS, start=1):

        def apply(database: Database, step: Callable[..., None] = step, version: int = version) -> None:
            step(database.conn)
            database.conn.execute(f"PRAGMA user_version = {version}")

        numbered(name=name)(apply)
    numbered.apply(Database(connection, execute_plugins=False, recursive_triggers=False))
