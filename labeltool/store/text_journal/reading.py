"""Adding the journal of another project, as text, to this one: a union of the rows by their ids."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from labeltool.errors import LabeltoolError
from labeltool.records import Skipped, label_name
from labeltool.store import groups, labels
from labeltool.store.clips import recording_paths
from labeltool.store.database import Store
from labeltool.store.journal_rows import is_revoked
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
    read_lines,
)

MAX_SKIPPED = 1000
"""More lines that were skipped are counted, not listed."""

_LINES_PER_REPORT = 1000


@dataclass(slots=True)
class JournalImport:
    """Numbers of what a journal added and of what was there already, and the lines that were skipped.

    Attributes
    ----------
    rows, verdicts
        Rows of the journal, and those of them that are verdicts.
    missing
        Recordings of the project whose sound is not where the project looks for it.
    """

    recordings: int = 0
    clips: int = 0
    rows: int = 0
    verdicts: int = 0
    missing: int = 0
    already_there: dict[str, int] = field(default_factory=lambda: {"recordings": 0, "clips": 0, "rows": 0})
    skipped: list[Skipped] = field(default_factory=list)


def import_journal(
    store: Store, file: IO[bytes], name: str, *, report: Callable[[int], None] = lambda _: None
) -> JournalImport:
    """Add what a journal has and the project has not; all of it is on the disk when this returns, or nothing.

    A line that cannot be read, or that contradicts the project, is skipped and named; the others are added. Importing a
    journal twice changes nothing. Of what both have, rows are compared and a recording, a clip or a label is completed.

    Parameters
    ----------
    file
        Read once, a line at a time, while nobody else can write to the project.
    name
        What the lines that are skipped call the file.
    report
        Is called with the number of the line now and then.

    Raises
    ------
    LabeltoolError
        When the file is no journal, or of a newer version.
    """
    result = JournalImport()
    unlisted = 0
    with store.transaction() as connection:
        union = _Union(store, connection, result)
        for number, line in read_lines(file, name):
            if number % _LINES_PER_REPORT == 0:
                report(number)
            try:
                if isinstance(line, LabeltoolError):
                    raise line
                union.add(line)
            except (LabeltoolError, sqlite3.IntegrityError) as error:
                if len(result.skipped) < MAX_SKIPPED:
                    reason = error.reason if isinstance(error, LabeltoolError) else f"the database refused: {error}"
                    result.skipped.append(Skipped(name, number, reason))
                else:
                    unlisted += 1
        union.finish()
    if unlisted:
        result.skipped.append(Skipped(name, None, f"{unlisted} more lines"))
    result.missing = sum(not Path(path).is_file() for path in recording_paths(store).values())
    return result


class _Union:
    """Adds lines inside a transaction."""

    def __init__(self, store: Store, connection: sqlite3.Connection, result: JournalImport) -> None:
        self.store = store
        self.connection = connection
        self.result = result
        self.imports: dict[str, int] = {}
        self.labels: set[str] = set()
        # Recordings that are in this project with other tags or in another encoding: our hash of the bytes by theirs.
        self.twins: dict[str, str] = {}
        # Rows that two people imported from the same file: theirs and ours have other ids.
        connection.execute("CREATE TEMP TABLE IF NOT EXISTS twins (id TEXT PRIMARY KEY, ours TEXT NOT NULL) STRICT")
        connection.execute("DELETE FROM twins")
        # A new recording counts as removed until all of it is there: what is derived from its rows is then computed
        # once, not with every row.
        (self.newest,) = connection.execute("SELECT COALESCE(MAX(id), 0) FROM recordings").fetchone()

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
            kept, joined = (groups.group_of(self.connection, name) for name in (line.name, line.alias))
            if kept != joined:
                groups.join_groups(self.connection, kept, joined)

    def finish(self) -> None:
        """Compute what is derived from all rows."""
        labels.resolve(self.connection)
        labels.give_keys(self.connection)
        self.connection.execute(
            f"""
            UPDATE recordings SET is_removed = EXISTS (
                SELECT 1 FROM journal j
                WHERE j.kind = 'remove' AND j.recording_id = recordings.id AND NOT {is_revoked("j")}
            ) WHERE id > ?
            """,
            (self.newest,),
        )

    def _label(self, line: LabelLine) -> None:
        # What is checked is so for the labels of its time: of two times the later promises less.
        self.connection.execute(
            """
            INSERT INTO labels (name, created_at, hotkey, colour, retired_at)
            VALUES (:name, :created_at, :hotkey, :colour, :retired_at)
            ON CONFLICT (name) DO UPDATE SET created_at = MAX(created_at, :created_at),
                hotkey = COALESCE(hotkey, :hotkey), colour = COALESCE(colour, :colour)
            """,
            {**_fields(line), "name": label_name(line.name)},
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
        group = groups.group_of(self.connection, line.group)
        row = self._known(line)
        if row is None:
            fields = {**_fields(line), "path": self.store.stored_path(line.path), "duration_s": line.duration_s}
            fields["group"] = group
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
            if row["sha256"] != line.sha256:
                self.twins[line.sha256] = row["sha256"]
                if line.group == line.sha256:
                    group = row["group_name"]  # no group but its content, which is ours
            if row["group_name"] != group:
                groups.join_groups(self.connection, row["group_name"], group)
            self.connection.execute(
                "UPDATE recordings SET licence = COALESCE(licence, ?), added_at = MIN(added_at, ?), "
                "samples_sha256 = COALESCE(samples_sha256, ?) WHERE id = ?",
                (line.licence, line.added_at, line.samples_sha256, recording_id),
            )
        self.connection.executemany(
            "INSERT OR IGNORE INTO recording_columns VALUES (?, ?, ?)",
            [(recording_id, name, value) for name, value in line.columns.items()],
        )

    def _known(self, line: RecordingLine) -> sqlite3.Row | None:
        """Return the row of a recording's bytes, else that of the samples, where it was there before the journal."""
        row: sqlite3.Row | None = self.connection.execute(
            """
            SELECT id, sha256, COALESCE(imported_group, group_name) AS group_name FROM recordings
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
            columns = (recording_id, line.start_s, line.end_s, line.fold, line.is_region)
            self._new_clip(line.id if is_free else None, *columns)
            return
        self.result.already_there["clips"] += 1
        self.connection.execute(
            "UPDATE clips SET fold = COALESCE(fold, :fold), is_region = is_region AND :is_region "
            "WHERE id = :id AND (fold IS NULL AND :fold NOT NULL OR is_region AND NOT :is_region)",
            {"id": clip_id, "fold": line.fold, "is_region": line.is_region},
        )
        (fold,) = self.connection.execute("SELECT fold FROM clips WHERE id = ?", (clip_id,)).fetchone()
        if line.fold not in (None, fold):
            raise LabeltoolError(f"the clip is in fold {fold} already: fold {line.fold} was ignored")

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
            "INSERT INTO clips (id, recording_id, start_s, end_s, fold, is_region) VALUES (?, ?, ?, ?, ?, ?)", columns
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
                row["clip_id"] = self._new_clip(None, recording_id, *line.clip, None, True)
        if not self._is_there(line, row):
            for label in (row["label"], row["new_label"]):
                if label is not None and label not in self.labels:
                    labels.ensure_label(self.connection, label, brings_back=False)
                    self.labels.add(label)
            self.connection.execute(
                f"INSERT INTO journal ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", tuple(row.values())
            )
            self.result.rows += 1
            self.result.verdicts += line.kind == "verdict"

    def _row_id(self, line: RowLine, row_id: str | None) -> str | None:
        """Return the id by which this project has a row that a line refers to."""
        if row_id is None or row_id == line.id:
            return row_id
        ours = self.connection.execute("SELECT ours FROM twins WHERE id = ?", (row_id,)).fetchone()
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
            self.connection.execute("INSERT INTO twins VALUES (?, ?)", (line.id, twin["id"]))
        else:
            return False
        self.result.already_there["rows"] += 1
        return True


_NAMES = ("label", "new_label")


def _label(name: str | None) -> str | None:
    return None if name is None else label_name(name)


def _fields(line: Line) -> dict[str, object]:
    return {name: getattr(line, name) for name in line.__struct_fields__}
