"""Storing the recordings of an import: each sound once, by the hash of its bytes or of its samples."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from labeltool.records import GroupsNote, Note, Recording, Skipped
from labeltool.store import recordings
from labeltool.store.database import Store, now
from labeltool.store.groups import group_of, join_groups
from labeltool.util.urls import is_there

if TYPE_CHECKING:
    from labeltool.store.importing import ImportResult


_REPLACE = "UPDATE SET value = excluded.value WHERE value <> excluded.value"


class StoredSound(NamedTuple):
    """The recording that a file of an import is: its id, the hash by which the project knows it, the file."""

    id: int
    identity: str
    path: str


class ImportedRecordings:
    """Writes the recordings of one import, inside its transaction.

    Attributes
    ----------
    stored
        What was stored, by the hash of the bytes that the import read.
    """

    def __init__(self, store: Store, connection: sqlite3.Connection, result: ImportResult) -> None:
        self.stored: dict[str, StoredSound] = {}
        self._store = store
        self._connection = connection
        self._result = result
        self._took_groups = False
        self._kept_groups: list[str] = []

    def write(self, recording: Recording) -> None:
        """Store a recording, or complete the one that has its sound."""
        first = self.stored.get(recording.sha256)
        if first is not None and first.path != recording.path:
            self._report(Skipped(recording.path, None, f"is the same sound as {first.path}: stored once"))
        row = self._known(recording)
        if row is None:
            number, identity = self._add(recording), recording.sha256
        else:
            number, identity = row["id"], row["sha256"]
            self._complete(recording, row)
        self._result.amended += self._set_columns(number, recording)
        self.stored.setdefault(recording.sha256, StoredSound(number, identity, recording.path))

    def finish(self) -> None:
        """Complete the report: a note on groups is about those that were taken."""
        if not self._took_groups:
            self._result.skipped = [one for one in self._result.skipped if not isinstance(one, GroupsNote)]
        if self._kept_groups:
            first, more = self._kept_groups[0], len(self._kept_groups) - 1
            others = f", as have {more} others" if more else ""
            self._report(
                Note(first, None, f"keeps the group that it has{others} (`labeltool group --by RULE` changes it)")
            )

    def _report(self, one: Skipped) -> None:
        self._result.skipped.append(one)

    def _known(self, recording: Recording) -> sqlite3.Row | None:
        """Return the row of a recording's bytes, else of its samples."""
        for column in ("sha256", "samples_sha256"):
            row: sqlite3.Row | None = self._connection.execute(
                "SELECT id, sha256, path, COALESCE(imported_group, group_name) AS group_name, is_removed "
                f"FROM recordings WHERE {column} = ? ORDER BY id LIMIT 1",
                (getattr(recording, column),),
            ).fetchone()
            if row is not None:
                return row
        return None

    def _add(self, recording: Recording) -> int:
        cursor = self._connection.execute(
            "INSERT INTO recordings (sha256, path, sample_rate_hz, channels, frames, duration_s, group_name, licence, "
            "added_at, samples_sha256) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                recording.sha256,
                self._store.stored_path(recording.path),
                recording.sample_rate_hz,
                recording.channels,
                recording.frames,
                recording.duration_s,
                group_of(self._connection, recording.group),
                recording.licence,
                now(),
                recording.samples_sha256,
            ),
        )
        self._result.recordings += 1
        self._took_groups |= recording.grouped_by != "source"
        return cursor.lastrowid or 0

    def _complete(self, recording: Recording, row: sqlite3.Row) -> None:
        if recording.sha256 not in self.stored:
            self._result.already_there["recordings"] += 1
            if row["is_removed"]:
                removed = recordings.removed_error(recording.path)
                self._report(Skipped(recording.path, None, f"{removed.reason} ({removed.remedy})"))
        self._take_group(recording, row)
        self._take_hash(recording, row)
        # An older version believed the header.
        changed = self._connection.execute(
            "UPDATE recordings SET frames = ?, duration_s = ? WHERE id = ? AND frames <> ?",
            (recording.frames, recording.duration_s, row["id"], recording.frames),
        )
        self._result.amended += changed.rowcount
        stored = self._store.stored_path(recording.path)
        if row["path"] == stored:
            return
        if not is_there(self._store.absolute_path(row["path"])):
            # A recording is identified by its content: this is its new place.
            self._connection.execute("UPDATE recordings SET path = ? WHERE id = ?", (stored, row["id"]))
            self._result.amended += 1
        elif recording.sha256 not in self.stored and row["sha256"] != recording.sha256:
            known = self._store.absolute_path(row["path"])
            self._report(
                Note(recording.path, None, f"is the same sound as {known}, in another encoding or with other tags")
            )

    def _take_group(self, recording: Recording, row: sqlite3.Row) -> None:
        """Join the group that the source gives to the one that is there; one of another kind only fills a gap."""
        group = group_of(self._connection, recording.group)
        if recording.group == recording.sha256 or group == row["group_name"]:
            return
        if recording.grouped_by == "source":
            join_groups(self._connection, row["group_name"], group)
        elif row["group_name"] == row["sha256"]:
            join_groups(self._connection, group, row["group_name"])
            self._took_groups = True
        else:
            if recording.grouped_by == "person":
                self._kept_groups.append(recording.path)
            return
        self._result.amended += 1

    def _take_hash(self, recording: Recording, row: sqlite3.Row) -> None:
        """Store the hash of the samples of a recording that an older version imported; its twins are in its group."""
        changed = self._connection.execute(
            "UPDATE recordings SET samples_sha256 = ? WHERE id = ? AND samples_sha256 IS NULL",
            (recording.samples_sha256, row["id"]),
        )
        if recording.samples_sha256 is not None and changed.rowcount:
            self._result.amended += 1
            join_twins(self._connection, row["id"])

    def _set_columns(self, number: int, recording: Recording) -> int:
        """Store the own columns, and return how many are new or changed; what a recorder wrote changes none."""
        return sum(
            self._connection.execute(
                f"INSERT INTO recording_columns VALUES (?, ?, ?) ON CONFLICT DO {where_known}", (number, name, value)
            ).rowcount
            for columns, where_known in ((recording.columns, _REPLACE), (recording.recorder_columns, "NOTHING"))
            for name, value in columns
        )


def store_samples_hashes(store: Store, hashes: Mapping[str, str]) -> None:
    """Store hashes of samples that were not known, by the hashes of the bytes."""
    with store.transaction() as connection:
        for sha256, samples in hashes.items():
            row = connection.execute(
                "UPDATE recordings SET samples_sha256 = ? WHERE sha256 = ? AND samples_sha256 IS NULL RETURNING id",
                (samples, sha256),
            ).fetchone()
            if row is not None:
                join_twins(connection, row["id"])


def join_twins(connection: sqlite3.Connection, recording_id: int) -> None:
    """Join the group of a recording to those of the recordings with its samples, inside a transaction."""
    group = "COALESCE(imported_group, group_name)"
    (own, samples) = connection.execute(
        f"SELECT {group}, samples_sha256 FROM recordings WHERE id = ?", (recording_id,)
    ).fetchone()
    for (other,) in connection.execute(
        f"SELECT DISTINCT {group} FROM recordings WHERE samples_sha256 = ? AND {group} <> ?", (samples, own)
    ).fetchall():
        join_groups(connection, own, other)
