"""Schema 2: regions that a person marks in a recording, and suggestions in the order of one label."""

from __future__ import annotations

STATEMENTS = (
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
