"""The union of two journals: what another's lines add to a project, in whatever order they and others come.

The result hangs on what the lines have, never on which came first: of two values of one thing the same one counts in
every project. What is a project's own stays as it is: the place of a sound that is there, the numbers of its clips.
"""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path
from typing import Any

from labeltool.errors import LabeltoolError
from labeltool.records import Note, label_name
from labeltool.store import groups, labels
from labeltool.store.database import Store
from labeltool.store.journal_rows import is_revoked, without_triggers
from labeltool.store.label_acts import derived
from labeltool.store.text_journal import undone_imports
from labeltool.store.text_journal.journal_import import JournalImport
from labeltool.store.text_journal.lines import (
    COLUMNS,
    LONGEST_S,
    ClipLine,
    GroupLine,
    ImportLine,
    LabelLine,
    Line,
    RecordingLine,
    RowLine,
)
from labeltool.util.urls import as_url, is_there, is_url


class Union:
    """Adds lines inside a transaction; relative paths are in the folder `sounds_in`, None: the project's own."""

    def __init__(
        self, store: Store, connection: sqlite3.Connection, result: JournalImport, sounds_in: Path | None
    ) -> None:
        self.store = store
        self.connection = connection
        self.result = result
        self.sounds_in = sounds_in or store.directory
        self.imports: dict[str, int] = {}
        self.labels: set[str] = set()
        # Recordings that are in this project with other tags or in another encoding: our hash of the bytes by theirs.
        self.twins: dict[str, str] = {}
        self.oldest = ""
        # Rows that two people imported from the same file: theirs and ours have other ids.
        for statement in (*_TEMPORARY, *undone_imports.TABLES):
            connection.execute(statement)
        (self.last_row,) = connection.execute("SELECT COALESCE(MAX(rowid), 0) FROM journal").fetchone()
        # A recording with new rows counts as removed until all of them are there: what is derived from them is then
        # computed once, not with every row.
        (self.newest,) = connection.execute("SELECT COALESCE(MAX(id), 0) FROM recordings").fetchone()
        self.changed: set[int] = set()

    def add(self, line: Line) -> None:
        """Add a line.

        Raises
        ------
        LabeltoolError
            When it contradicts what is there, or refers to what is not.
        """
        if isinstance(line, RowLine):
            self._row(line)
        elif isinstance(line, ClipLine):
            self._clip(line)
        elif isinstance(line, RecordingLine):
            self._recording(line)
        elif isinstance(line, LabelLine):
            self._label(line)
        elif isinstance(line, ImportLine):
            self._import(line)
        elif isinstance(line, GroupLine):
            self._join(line.name, line.alias)

    def finish(self) -> None:
        """Compute what is derived from all rows."""
        self._take_earlier_rows()
        for name in derived.derive(self.connection):
            # With the key that it has, whatever order the journals come in.
            self.connection.execute("UPDATE labels SET retired_at = NULL WHERE name = ?", (name,))
        self.connection.execute(
            f"""
            UPDATE recordings SET is_removed = EXISTS (
                SELECT 1 FROM journal j
                WHERE j.kind = 'remove' AND j.recording_id = recordings.id AND NOT {is_revoked("j")}
            ) WHERE id > ? OR id IN (SELECT value FROM json_each(?))
            """,
            (self.newest, json.dumps([*self.changed])),
        )
        self.result.notes += undone_imports.undone_imports(self.connection, self.last_row)
        if self.oldest:
            # Models that were trained since have not seen the new rows, though these are older.
            self.connection.execute(
                "UPDATE models SET journal_mark = (SELECT COALESCE(MAX(id), '') FROM journal WHERE id < :oldest) "
                "WHERE journal_mark >= :oldest",
                {"oldest": self.oldest},
            )

    def _take_earlier_rows(self) -> None:
        """Of a row that two people imported, keep the earlier: what was done since is then later in every project."""
        connection = self.connection
        # Once more, for a row that was added may have brought one back.
        hidden = connection.execute(
            "UPDATE recordings SET is_removed = 1 WHERE id IN (SELECT c.recording_id FROM clips c "
            "JOIN temp.earlier e ON e.clip_id = c.id) RETURNING id"
        ).fetchall()
        if not hidden:
            return
        self.changed.update(number for (number,) in hidden)
        columns = [name for _, name, *_ in connection.execute("PRAGMA table_info(journal)")]
        connection.execute("PRAGMA defer_foreign_keys = ON")
        with without_triggers(connection):
            connection.execute(
                f"UPDATE journal SET ({', '.join(columns)}) = (SELECT {', '.join(columns)} FROM temp.earlier e "
                "WHERE e.ours = journal.id) WHERE id IN (SELECT ours FROM temp.earlier)"
            )
            for table, column in (
                *(("journal", name) for name in ("revokes", "redoes", "batch_id")),
                ("latest_events", "journal_id"),
            ):
                connection.execute(
                    f"UPDATE {table} SET {column} = (SELECT e.id FROM temp.earlier e WHERE e.ours = {table}.{column}) "
                    f"WHERE {column} IN (SELECT ours FROM temp.earlier)"
                )

    def _will_change(self, recording_id: int) -> None:
        if recording_id <= self.newest and recording_id not in self.changed:
            self.changed.add(recording_id)
            self.connection.execute("UPDATE recordings SET is_removed = 1 WHERE id = ?", (recording_id,))

    def _label(self, line: LabelLine) -> None:
        fields = {**_fields(line), "name": label_name(line.name)}
        stored = self.connection.execute(
            "SELECT hotkey, colour, look_set_at FROM labels WHERE name = ?", (fields["name"],)
        ).fetchone()
        if stored is not None:
            # What a person chose last; else the first of the keys.
            looks = (tuple(stored), (line.hotkey, line.colour, line.look_set_at))
            fields["hotkey"], fields["colour"], fields["look_set_at"] = max(looks, key=labels.look_order)
        # What is checked is so for the labels of its time: of two times the later promises less.
        self.connection.execute(
            """
            INSERT INTO labels (name, created_at, hotkey, colour, look_set_at, retired_at)
            VALUES (:name, :created_at, :hotkey, :colour, :look_set_at, :retired_at)
            ON CONFLICT (name) DO UPDATE SET created_at = MAX(created_at, :created_at), hotkey = :hotkey,
                colour = :colour, look_set_at = :look_set_at, retired_at = MIN(retired_at, :retired_at)
            """,
            fields,
        )

    def _import(self, line: ImportLine) -> None:
        fields = _fields(line)
        same = " AND ".join(f"{name} = :{name}" for name in fields)
        row = self.connection.execute(f"SELECT id FROM imports WHERE {same}", fields).fetchone()
        if row is None:
            columns = ", ".join(fields)
            cursor = self.connection.execute(
                f"INSERT INTO imports ({columns}, skipped) VALUES (:{', :'.join(fields)}, '[]')", fields
            )
        self.imports[line.key] = row["id"] if row else cursor.lastrowid or 0

    def _recording(self, line: RecordingLine) -> None:
        row = self._known(line)
        if is_url(line.path):
            path = as_url(line.path)
        else:
            path = self.store.stored_path(os.path.normpath(self.sounds_in / line.path))
        if row is None:
            fields = {**_fields(line), "path": path, "duration_s": line.duration_s}
            fields["group"] = groups.group_of(self.connection, line.group)
            cursor = self.connection.execute(
                "INSERT INTO recordings (sha256, path, sample_rate_hz, channels, frames, duration_s, group_name, "
                "licence, added_at, is_removed, samples_sha256) VALUES (:sha256, :path, :sample_rate_hz, :channels, "
                ":frames, :duration_s, :group, :licence, :added_at, 1, :samples_sha256)",
                fields,
            )
            recording_id = cursor.lastrowid or 0
            self.result.recordings += 1
        else:
            recording_id = row["id"]
            self.result.already_there["recordings"] += 1
            self._complete(row, line, path)
        for name, value in line.columns.items():
            stored = self.connection.execute(
                "SELECT value FROM recording_columns WHERE recording_id = ? AND name = ?", (recording_id, name)
            ).fetchone()
            self.connection.execute(
                "INSERT OR REPLACE INTO recording_columns VALUES (?, ?, ?)",
                (recording_id, name, self._one_of(line.path, name, stored and stored["value"], value)),
            )

    def _complete(self, row: sqlite3.Row, line: RecordingLine, path: str) -> None:
        """Add to a recording what the line has of it."""
        kept = min(row["sha256"], line.sha256)
        # The other's hash may be ours by now.
        self.twins.update({one: kept for one, ours in self.twins.items() if ours == row["sha256"]})
        for one in (row["sha256"], line.sha256):
            if one != kept:
                self.twins[one] = kept
        self._join(row["group_name"], line.group)
        # An older version believed headers, and had no hash of the samples.
        facts = ("samples_sha256", "frames", "sample_rate_hz", "channels")
        known = min(
            (tuple(row[name] for name in facts), tuple(getattr(line, name) for name in facts)),
            key=lambda one: (one[0] is None, one[0] or "", *one[1:]),
        )
        if not is_there(self.store.absolute_path(row["path"])) and is_there(self.store.absolute_path(path)):
            place = path
        else:
            place = row["path"]
        self.connection.execute(
            "UPDATE recordings SET sha256 = ?, path = ?, licence = ?, added_at = MIN(added_at, ?), samples_sha256 = ?, "
            "frames = ?, sample_rate_hz = ?, channels = ?, duration_s = ? WHERE id = ?",
            (
                *(kept, place, self._one_of(line.path, "licence", row["licence"], line.licence), line.added_at),
                *(*known, known[1] / known[2], row["id"]),
            ),
        )

    def _one_of(self, path: str, what: str, ours: Any, theirs: Any) -> Any:
        """Return the value that counts of two, the same in every project: the one there is, else the smaller."""
        if ours is None or theirs is None or ours == theirs:
            return theirs if ours is None else ours
        kept = min(ours, theirs)
        self.result.notes.append(Note(path, None, f"{what} is {ours!r} here and {theirs!r} there: {kept!r} counts"))
        return kept

    def _join(self, one: str, other: str) -> None:
        names = {groups.group_of(self.connection, name) for name in (one, other)}
        if len(names) > 1:
            groups.join_groups(self.connection, *names)

    def _known(self, line: RecordingLine) -> sqlite3.Row | None:
        """Return the row of a recording's bytes, else of the samples, where it was there before the journal."""
        row: sqlite3.Row | None = self.connection.execute(
            """
            SELECT id, sha256, path, licence, samples_sha256, frames, sample_rate_hz, channels,
                   COALESCE(imported_group, group_name) AS group_name
            FROM recordings
            WHERE sha256 = :sha256 OR samples_sha256 = :samples_sha256 AND id <= :newest
            ORDER BY sha256 <> :sha256, id LIMIT 1
            """,
            {"sha256": line.sha256, "samples_sha256": line.samples_sha256, "newest": self.newest},
        ).fetchone()
        return row

    def _clip(self, line: ClipLine) -> None:
        recording_id, clip_id = self._place(line.recording, (line.start_s, line.end_s))
        if clip_id is None:
            is_free = self.connection.execute("SELECT 1 FROM clips WHERE id = ?", (line.id,)).fetchone() is None
            numbers = (line.id, None) if is_free else (None, line.id)
            self._new_clip(*numbers, recording_id, line.start_s, line.end_s, line.fold, line.is_region)
            return
        self.result.already_there["clips"] += 1
        (fold,) = self.connection.execute("SELECT fold FROM clips WHERE id = ?", (clip_id,)).fetchone()
        fold = self._one_of(f"clip {clip_id}", "the fold", fold, line.fold)
        self.connection.execute(
            "UPDATE clips SET fold = :fold, is_region = is_region AND :is_region, "
            "id_elsewhere = NULLIF(MIN(COALESCE(id_elsewhere, id), :elsewhere), id) "
            "WHERE id = :id AND (fold IS NOT :fold OR is_region AND NOT :is_region "
            "OR COALESCE(id_elsewhere, id) > :elsewhere)",
            {"id": clip_id, "fold": fold, "is_region": line.is_region, "elsewhere": line.id},
        )

    def _place(self, sha256: str, span: tuple[float, float] | None) -> tuple[int, int | None]:
        """Return the ids of a recording and of its clip; None where there is no such clip yet."""
        start_s, end_s = span or (None, None)
        row = self.connection.execute(
            "SELECT r.id, c.id AS clip_id FROM recordings r "
            "LEFT JOIN clips c ON c.recording_id = r.id AND c.start_s = ? AND c.end_s = ? WHERE r.sha256 = ?",
            (start_s, end_s, self.twins.get(sha256, sha256)),
        ).fetchone()
        if row is None:
            raise LabeltoolError("its recording is not in the journal before it, nor in the project")
        # It may end after its recording, whose length an older version took from a header.
        if span is not None and not 0 <= span[0] < span[1] <= LONGEST_S:
            raise LabeltoolError(f"{span[0]:g} to {span[1]:g} s is no span of time")
        return row["id"], row["clip_id"]

    def _new_clip(self, *columns: float | None) -> int:
        cursor = self.connection.execute(
            "INSERT INTO clips (id, id_elsewhere, recording_id, start_s, end_s, fold, is_region) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            columns,
        )
        self.result.clips += 1
        return cursor.lastrowid or 0

    def _row(self, line: RowLine) -> None:
        row = {name: getattr(line, name) for name in COLUMNS}
        for name in ("revokes", "redoes", "batch_id"):
            row[name] = self._row_id(line, row[name])
        for name in _NAMES:
            row[name] = _label(row[name])
        row["recording_id"] = row["clip_id"] = row["import_id"] = None
        if line.import_ is not None:
            row["import_id"] = self.imports.get(line.import_)
            if row["import_id"] is None:
                raise LabeltoolError("its import is not in the journal before it")
        if line.recording is not None:
            recording_id, row["clip_id"] = self._place(line.recording, line.clip)
            if line.clip is None:
                row["recording_id"] = recording_id
            elif row["clip_id"] is None:
                # The line of the clip is damaged or missing: a region is never in the queue.
                row["clip_id"] = self._new_clip(None, None, recording_id, *line.clip, None, True)
        if line.kind == "revoke" and line.origin == "import":
            self.connection.execute("INSERT OR IGNORE INTO temp.undos VALUES (?)", (line.id,))
        if not self._is_there(line, row):
            if line.recording is not None:
                self._will_change(recording_id)
            for label in (row["label"], row["new_label"]):
                if label is not None and label not in self.labels:
                    labels.ensure_label(self.connection, label, brings_back=False)
                    self.labels.add(label)
            self.connection.execute(
                f"INSERT INTO journal ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", tuple(row.values())
            )
            self.oldest = min(self.oldest or line.id, line.id)
            self.result.rows += 1
            self.result.verdicts += line.kind == "verdict"

    def _row_id(self, line: RowLine, row_id: str | None) -> str | None:
        """Return the id by which this project has a row that a line refers to."""
        if row_id is None or row_id == line.id:
            return row_id
        ours = self.connection.execute("SELECT ours FROM temp.twins WHERE id = ?", (row_id,)).fetchone()
        if ours is not None:
            return str(ours[0])
        if self.connection.execute("SELECT 1 FROM journal WHERE id = ?", (row_id,)).fetchone() is None:
            raise LabeltoolError(f"refers to the row {row_id}, which is not in the journal before it")
        return row_id

    def _is_there(self, line: RowLine, row: dict[str, object]) -> bool:
        """Return whether the project has a row already, by its id or by what an import read.

        Raises
        ------
        LabeltoolError
            When it has another row of this id.
        """
        stored = self.connection.execute("SELECT * FROM journal WHERE id = ?", (line.id,)).fetchone()
        if stored is not None:
            # An older version stored the names of labels as they came.
            if any((_label(stored[name]) if name in _NAMES else stored[name]) != value for name, value in row.items()):
                raise LabeltoolError(f"the project has another row {line.id}")
        elif line.import_key is not None:
            twin = self.connection.execute("SELECT id FROM journal WHERE import_key = ?", (line.import_key,)).fetchone()
            if twin is None:
                return False
            self.connection.execute("INSERT OR IGNORE INTO temp.twins VALUES (?, ?)", (line.id, twin["id"]))
            if line.id < twin["id"]:
                self.connection.execute(
                    f"INSERT OR IGNORE INTO temp.earlier (ours, {', '.join(row)}) "
                    f"VALUES (?, {', '.join('?' * len(row))})",
                    (twin["id"], *row.values()),
                )
        else:
            return False
        self.result.already_there["rows"] += 1
        return True


_TEMPORARY = (
    "CREATE TEMP TABLE IF NOT EXISTS twins (id TEXT PRIMARY KEY, ours TEXT NOT NULL) STRICT",
    "DELETE FROM temp.twins",
    "DROP TABLE IF EXISTS temp.earlier",
    "CREATE TEMP TABLE earlier AS SELECT id AS ours, * FROM journal WHERE FALSE",
    "CREATE UNIQUE INDEX temp.earlier_by_ours ON earlier (ours)",
)

_NAMES = ("label", "new_label")


def _label(name: str | None) -> str | None:
    return None if name is None else label_name(name)


def _fields(line: Line) -> dict[str, object]:
    return {name: getattr(line, name) for name in line.__struct_fields__}
