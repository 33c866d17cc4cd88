"""The schema of `labels.db`, as numbered migrations.

`PRAGMA user_version` counts the migrations of a database, so that opening an up-to-date one needs only the standard
library; sqlite-utils, which loads pandas, is imported when there is something to migrate. A released migration is never
edited: the next change is a new module in `migrations`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from labeltool.store.migrations import (
    m001_initial,
    m002_regions,
    m003_queue,
    m004_batches,
    m005_summaries,
    m006_transcripts,
    m007_vocabulary,
    m008_checked,
    m009_removal,
)

Step = Callable[[sqlite3.Connection], None]

APPLICATION_ID = 0x6C626C74
"""Identifies a SQLite file as labeltool's ("lblt"), so that no other program's `labels.db` is migrated."""


def _executing(statements: Sequence[str]) -> Step:
    """Return a step that executes the statements in order."""

    def step(connection: sqlite3.Connection) -> None:
        for statement in statements:
            connection.execute(statement)

    return step


MIGRATIONS: tuple[tuple[str, Step], ...] = (
    # sqlite-utils finds the steps that a database has had by these names: they never change.
    ("m001_initial", _executing((f"PRAGMA application_id = {APPLICATION_ID}", *m001_initial.STATEMENTS))),
    ("m002_marks_and_sweeps", _executing(m002_regions.STATEMENTS)),
    ("m003_queue", _executing(m003_queue.STATEMENTS)),
    ("m004_acts", _executing(m004_batches.STATEMENTS)),
    ("m005_sums", _executing(m005_summaries.STATEMENTS)),
    ("m006_transcripts", _executing(m006_transcripts.STATEMENTS)),
    ("m007_vocabulary", m007_vocabulary.apply),
    ("m008_checked", m008_checked.apply),
    ("m009_removal", m009_removal.apply),
)

SCHEMA_VERSION = len(MIGRATIONS)
"""The `user_version` that this labeltool reads and writes."""


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a database up to `SCHEMA_VERSION`; each step is one transaction and is recorded by sqlite-utils."""
    from sqlite_utils import Database, Migrations  # loads pandas where installed: only when there is work

    numbered = Migrations("labeltool")
    for version, (name, step) in enumerate(MIGRATIONS, start=1):

        def apply(database: Database, step: Step = step, version: int = version) -> None:
            step(database.conn)
            database.conn.execute(f"PRAGMA user_version = {version}")

        numbered(name=name)(apply)
    numbered.apply(Database(connection, execute_plugins=False, recursive_triggers=False))
