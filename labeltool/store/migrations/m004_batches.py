"""Schema 4: journal rows that were appended together."""

from __future__ import annotations

STATEMENTS = (
    # Rows that were said together carry the id of the first of them: undo takes them back at once.
    "ALTER TABLE journal ADD COLUMN act TEXT REFERENCES journal (id)",
    "CREATE INDEX journal_by_act ON journal (act, id) WHERE act IS NOT NULL",
)
