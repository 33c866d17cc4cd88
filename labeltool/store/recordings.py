"""Finding recordings, removing them from the project and bringing them back."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from labeltool.errors import LabeltoolError
from labeltool.store.database import Store
from labeltool.store.journal_rows import append_batch, is_revoked
from labeltool.util.unicode_names import nfc
from labeltool.util.urls import as_url, is_url

# Versions up to 0.1 believed headers, which may claim ages where the length is not known.
_MAX_S = 30 * 24 * 3600.0

_COLUMNS = "id, path, sample_rate_hz, frames, samples_sha256"


@dataclass(frozen=True, slots=True)
class StoredRecording:
    """A recording in the store; `path` is absolute, its last known place, `samples_sha256` of its decoded samples."""

    id: int
    path: str
    sample_rate_hz: int
    frames: int
    samples_sha256: str | None

    @property
    def duration_s(self) -> float:
        """Length in seconds, as far as it can be believed."""
        return min(self.frames / self.sample_rate_hz, _MAX_S)


def recording(store: Store, recording_id: int) -> StoredRecording:
    """Return the recording of an id that the store gave."""
    row = store.connection.execute(f"SELECT {_COLUMNS} FROM recordings WHERE id = ?", (recording_id,)).fetchone()
    return _recording(store, row)


def sha256_of(store: Store, recording_id: int) -> str:
    """Return the SHA-256 of a recording's file."""
    (sha256,) = store.connection.execute("SELECT sha256 FROM recordings WHERE id = ?", (recording_id,)).fetchone()
    return str(sha256)


def find_recording(store: Store, name: str, *, is_removed: bool = False) -> StoredRecording:
    """Return the recording of a path, or of a file name if no other recording has it.

    Raises
    ------
    LabeltoolError
        When no recording or more than one has the name.
    """
    found = _named(store, name, is_removed)
    if len(found) > 1:
        raise LabeltoolError("more than one recording has that name", file=name, remedy="give its whole path")
    if found:
        return _recording(store, found[0])
    if is_removed:
        raise LabeltoolError("is no recording that was removed", file=name)
    if _named(store, name, is_removed=True):
        raise removed_error(name)
    raise LabeltoolError("is no recording of this project", file=name, remedy="`labeltool import audio FILE` adds it")


def _named(store: Store, name: str, is_removed: bool) -> list[sqlite3.Row]:
    """Return up to two recordings that go by a name; the one of exactly that path alone, where there is one.

    Where none does, a name in another Unicode form is taken.
    """
    stored = as_url(name) if is_url(name) else store.stored_path(str(Path(name).resolve()))
    given = {"stored": stored, "name": name, "ending": f"/{name}", "is_removed": is_removed}
    in_any_form = {key: nfc(value) if isinstance(value, str) else value for key, value in given.items()}
    try:
        for path, values in (("path", given), ("nfc(path)", in_any_form))[: 1 if name.isascii() else 2]:
            found = store.connection.execute(
                f"""
                SELECT {_COLUMNS} FROM recordings
                WHERE is_removed = :is_removed
                  AND ({path} IN (:stored, :name) OR substr({path}, -length(:ending)) = :ending)
                ORDER BY {path} <> :stored, id LIMIT 2
                """,
                values,
            ).fetchall()
            if found:
                return [row for row in found if row["path"] == stored] or found
    except UnicodeEncodeError:
        pass  # bytes that are not UTF-8: the store holds no such path
    return []


def ids_named(store: Store, name: str) -> list[int]:
    """Return the ids of up to two recordings that go by a path or a file name, without those that are removed."""
    return [row["id"] for row in _named(store, name, is_removed=False)]


def recording_of(store: Store, name: str, *, is_removed: bool = False) -> StoredRecording:
    """Return the recording of a file, or of a clip's id.

    Raises
    ------
    LabeltoolError
        When there is no such recording or clip.
    """
    if not (name.isascii() and name.isdigit()):
        return find_recording(store, name, is_removed=is_removed)
    row = store.connection.execute(
        # A number too large for an id becomes the largest, which no clip has.
        f"SELECT {_COLUMNS} FROM recordings WHERE id = (SELECT recording_id FROM clips WHERE id = CAST(? AS INTEGER)) "
        "AND is_removed = ?",
        (name, is_removed),
    ).fetchone()
    if row is None:
        raise LabeltoolError(f"no clip {name[:40]}" + (" of a recording that was removed" if is_removed else ""))
    return _recording(store, row)


def removed_error(path: str) -> LabeltoolError:
    """Return the error for whoever names a recording that was removed."""
    return LabeltoolError(
        "was removed from the project", file=path, remedy="`labeltool remove --undo FILE` brings it back"
    )


def remove(store: Store, recordings: Sequence[StoredRecording], *, annotator: str) -> None:
    """Append that recordings are removed, as one batch: their clips, labels and suggestions no longer count.

    Nothing is deleted, and no sound file changes.
    """
    row = {"kind": "remove", "annotator": annotator, "origin": "human"}
    with store.transaction() as connection:
        append_batch(connection, [{**row, "recording_id": recording.id} for recording in recordings])


def bring_back(store: Store, recordings: Sequence[StoredRecording], *, annotator: str) -> None:
    """Revoke everything by which recordings are removed: they are in the project again, with all they had."""
    row = {"kind": "revoke", "annotator": annotator, "origin": "human"}
    with store.transaction() as connection:
        found = connection.execute(
            f"""
            SELECT j.id FROM journal j WHERE j.kind = 'remove' AND j.recording_id IN (SELECT value FROM json_each(?))
              AND NOT {is_revoked("j")}
            """,
            (json.dumps([recording.id for recording in recordings]),),
        ).fetchall()
        append_batch(connection, [{**row, "revokes": row_id} for (row_id,) in found])


def by_content(store: Store, sha256: str, samples_sha256: str | None = None) -> StoredRecording | None:
    """Return the recording of the bytes, else of the samples; None where the project has none, or it was removed."""
    row = store.connection.execute(
        f"SELECT {_COLUMNS} FROM active_recordings WHERE sha256 = ? OR samples_sha256 = ? ORDER BY sha256 <> ? LIMIT 1",
        (sha256, samples_sha256, sha256),
    ).fetchone()
    return None if row is None else _recording(store, row)


def was_removed(store: Store, sha256: str, samples_sha256: str | None = None) -> bool:
    """Return whether the recording of the bytes or of the samples was removed from the project."""
    row = store.connection.execute(
        "SELECT 1 FROM recordings WHERE is_removed AND (sha256 = ? OR samples_sha256 = ?) LIMIT 1",
        (sha256, samples_sha256),
    ).fetchone()
    return row is not None


def has_any_of_length(store: Store, sample_rate_hz: int, frames: int) -> bool:
    """Return whether a recording has a rate and a length: only then can it have the samples of such a file."""
    row = store.connection.execute(
        "SELECT 1 FROM active_recordings WHERE sample_rate_hz = ? AND frames = ? LIMIT 1", (sample_rate_hz, frames)
    ).fetchone()
    return row is not None


def all_recordings(store: Store) -> list[tuple[StoredRecording, str]]:
    """Return every recording with the SHA-256 of its file, in the order of the ids."""
    rows = store.connection.execute(f"SELECT {_COLUMNS}, sha256 FROM active_recordings ORDER BY id")
    return [(StoredRecording(number, store.absolute_path(path), *rest), sha256) for number, path, *rest, sha256 in rows]


def _recording(store: Store, row: sqlite3.Row) -> StoredRecording:
    return StoredRecording(**{**row, "path": store.absolute_path(row["path"])})


def relocate(
    store: Store, found: Sequence[tuple[str, str]], columns: Mapping[str, Sequence[tuple[str, str]]] | None = None
) -> int:
    """Store new places of recordings, given as (SHA-256, absolute path); return how many changed.

    Parameters
    ----------
    columns
        Own columns, as name and value, that change with the place, by the SHA-256.
    """
    with store.transaction() as connection:
        connection.executemany(
            "INSERT OR REPLACE INTO recording_columns SELECT id, ?, ? FROM recordings WHERE sha256 = ?",
            [(*pair, sha256) for sha256, pairs in (columns or {}).items() for pair in pairs],
        )
        return sum(
            connection.execute(
                "UPDATE recordings SET path = ? WHERE sha256 = ? AND path <> ?",
                (store.stored_path(path), sha256, store.stored_path(path)),
            ).rowcount
            for sha256, path in found
        )
