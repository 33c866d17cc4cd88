"""Databases of released schemas, made with the SQL of that release."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

from labeltool.store import schema


def released(path: Path, version: int) -> sqlite3.Connection:
    """Create a database of a released schema from that release's SQL, and return a connection to fill it."""
    connection = sqlite3.connect(path, isolation_level=None)
    for _, step in schema.MIGRATIONS[:version]:
        step(connection)
    # What sqlite-utils recorded.
    connection.execute(
        "CREATE TABLE _sqlite_migrations (id INTEGER PRIMARY KEY, migration_set TEXT, name TEXT, applied_at TEXT)"
    )
    connection.execute("CREATE UNIQUE INDEX idx_migrations ON _sqlite_migrations (migration_set, name)")
    connection.executemany(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('labeltool', ?, '2026-01-01')",
        [(name,) for name, _ in schema.MIGRATIONS[:version]],
    )
    connection.execute(f"PRAGMA user_version = {version}")
    return connection


def add_recordings(connection: sqlite3.Connection, count: int) -> None:
    """Add recordings of ten seconds with a clip each; both have the ids 1, 2, ..."""
    for number in range(1, count + 1):
        connection.execute(
            "INSERT INTO recordings "
            "(id, sha256, path, sample_rate_hz, channels, frames, duration_s, group_name, added_at) "
            "VALUES (?, ?, ?, 16000, 1, 160000, 10.0, ?, '2026-01-01')",
            (number, f"{number:064x}", f"/sounds/{number}.wav", f"g{number}"),
        )
        connection.execute("INSERT INTO clips (id, recording_id, start_s, end_s) VALUES (?, ?, 0, 10)", [number] * 2)


def add_rows(connection: sqlite3.Connection, rows: Sequence[Mapping[str, object]]) -> None:
    """Append rows to the journal of an old schema; their ids are made of their numbers."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    for number, row in enumerate(rows, start=1):
        given = {
            "id": row_id(number),
            "annotator": "ann",
            "origin": "human",
            "said_at" if version < 7 else "created_at": f"2026-01-01T00:00:{number:02}Z",
        }
        columns = {**given, **row}
        names = ", ".join(columns)
        connection.execute(f"INSERT INTO journal ({names}) VALUES (:{', :'.join(columns)})", columns)


def row_id(number: int) -> str:
    return f"01900000-0000-7000-8000-{number:012}"


def verdict(clip_id: int, label: str | None, value: str = "present", **columns: object) -> dict[str, object]:
    return {"kind": "verdict", "clip_id": clip_id, "label": label, "value": value, **columns}
