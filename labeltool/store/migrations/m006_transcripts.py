"""Schema 6: transcripts and their full-text index."""

from __future__ import annotations

STATEMENTS = (
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
