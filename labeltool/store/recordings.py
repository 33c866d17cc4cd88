"""Finding recordings."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from labeltool.errors import LabeltoolError
from labeltool.store.database import Store

# Versions up to 0.1 believed headers, which may claim ages where the length is not known.
_MAX_S = 30 * 24 * 3600.0

_COLUMNS = "id, path, sample_rate_hz, frames"


@dataclass(frozen=True, slots=True)
class StoredRecording:
    """A recording in the store; `path` is absolute, its last known place."""

    id: int
    path: str
    sample_rate_hz: int
    frames: int

    @property
    def duration_s(self) -> float:
        """Length in seconds, as far as it can be believed."""
        return min(self.frames / self.sample_rate_hz, _MAX_S)


def recording(store: Store, recording_id: int) -> StoredRecording:
    """Return the recording of an id that the store gave."""
    row = store.connection.execute(f"SELECT {_COLUMNS} FROM recordings WHERE id = ?", (recording_id,)).fetchone()
    return _recording(store, row)


def find_recording(store: Store, name: str) -> StoredRecording:
    """Return the recording of a path, or of a file name if no other recording has it.

    Raises
    ------
    LabeltoolError
        When no recording or more than one has the name.
    """
    stored = store.stored_path(str(Path(name).resolve()))
    try:
        found = store.connection.execute(
            f"""
            SELECT {_COLUMNS} FROM recordings
            WHERE path IN (:stored, :name) OR substr(path, -length(:ending)) = :ending
            ORDER BY path <> :stored LIMIT 2
            """,
            {"stored": stored, "name": name, "ending": f"/{name}"},
        ).fetchall()
    except UnicodeEncodeError:
        found = []  # bytes that are not UTF-8: the store holds no such path
    found = [row for row in found if row["path"] == stored] or found
    if not found:
        raise LabeltoolError(
            "is no recording of this project", file=name, remedy="`labeltool import audio FILE` adds it"
        )
    if len(found) > 1:
        raise LabeltoolError("more than one recording has that name", file=name, remedy="give its whole path")
    return _recording(store, found[0])


def by_content(store: Store, sha256: str) -> StoredRecording | None:
    """Return the recording whose file has this SHA-256; None where the project has none."""
    row = store.connection.execute(f"SELECT {_COLUMNS} FROM recordings WHERE sha256 = ?", (sha256,)).fetchone()
    return None if row is None else _recording(store, row)


def all_recordings(store: Store) -> list[tuple[StoredRecording, str]]:
    """Return every recording with the SHA-256 of its file, in the order of the ids."""
    rows = store.connection.execute("SELECT id, path, sample_rate_hz, frames, sha256 FROM recordings ORDER BY id")
    return [(StoredRecording(number, store.absolute_path(path), *rest), sha256) for number, path, *rest, sha256 in rows]


def _recording(store: Store, row: sqlite3.Row) -> StoredRecording:
    return StoredRecording(**{**row, "path": store.absolute_path(row["path"])})
