"""Clips and verdicts of an import: SQL over a hundred thousand rows at once instead of statements for each.

A statement, the triggers and the CHECKs of one row take several times as long as storing it. So rows are collected in a
temporary table; statements on all of them make clips, rows of the journal, and what triggers would derive from those.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import repeat
from typing import TYPE_CHECKING, Any, NamedTuple

from labeltool.errors import LabeltoolError
from labeltool.records import MAX_TABLE_ROWS, Clip, Skipped, Value, Verdict, VerdictTable, label_name
from labeltool.store.database import now
from labeltool.store.importing.imported_recordings import StoredSound
from labeltool.store.importing.undo import bring_back
from labeltool.store.journal_rows import new_row_ids, newest, without_triggers
from labeltool.store.labels import ensure_label, update_derived_columns
from labeltool.util.time_grid import MICROSECONDS

if TYPE_CHECKING:
    import pandas as pd


class _Columns(NamedTuple):
    """Rows by their columns, as Python's own values; `bounds` are the five numbers of a verdict."""

    sha256: Sequence[str]
    start_s: Sequence[float]
    end_s: Sequence[float]
    fold: Sequence[int | None]
    label: Sequence[str | None]
    value: Sequence[str | None]
    bounds: Sequence[Sequence[float | None]]
    track: Sequence[str | None]
    file: Sequence[str | None]
    line: Sequence[int | None]


# `key` is empty where a row has no verdict, or one that is stored already. The rowid is the place in the file.
_TABLE = """
    CREATE TEMP TABLE imported (
        recording_id INTEGER, start_s REAL, end_s REAL, fold INTEGER, key TEXT, label TEXT, value TEXT,
        event_start_s REAL, event_end_s REAL, low_hz REAL, high_hz REAL, confidence REAL, track TEXT
    )
"""
_WITH_CLIPS = "temp.imported i CROSS JOIN clips c USING (recording_id, start_s, end_s)"

_ADD_CLIPS = """
    INSERT INTO clips (recording_id, start_s, end_s, fold, is_labelled)
    SELECT recording_id, start_s, end_s, fold, key IS NOT NULL FROM temp.imported WHERE true ORDER BY rowid
    ON CONFLICT (recording_id, start_s, end_s) DO NOTHING
"""

_ADD_VERDICTS = f"""
    INSERT INTO journal (id, kind, clip_id, label, value, annotator, origin, import_id, import_key,
                         start_s, end_s, low_hz, high_hz, confidence, track, created_at)
    SELECT :beginning || printf('%012x', :number + i.rowid), 'verdict', c.id, i.label, i.value, :kind, 'import',
           :import_id, i.key, i.event_start_s, i.event_end_s, i.low_hz, i.high_hz, i.confidence, i.track, :now
    FROM {_WITH_CLIPS} WHERE i.key IS NOT NULL ORDER BY i.rowid
"""

# What the trigger `journal_updates_latest_events` does for each row. No new row is revoked: its clip is labelled.
# A verdict on a whole clip (label NULL) replaces all verdicts before it, and a later verdict on a label replaces it.
_DERIVE = (
    """
    DELETE FROM latest_events WHERE journal_id IN (
        SELECT e.journal_id FROM journal j JOIN latest_events e ON e.clip_id = j.clip_id
        WHERE j.rowid > :last AND (e.label IS j.label OR (e.label IS NULL) <> (j.label IS NULL))
    )
    """,
    # The + keeps SQLite from walking all of the journal in the order of its clips.
    """
    INSERT INTO latest_events (journal_id, clip_id, label, value)
    SELECT MAX(j.id), j.clip_id, j.label, j.value FROM journal j JOIN active_clips c ON c.id = j.clip_id
    WHERE j.rowid > :last AND (:has_whole_clips = 0 OR NOT EXISTS (
        SELECT 1 FROM journal w
        WHERE w.clip_id = j.clip_id AND w.kind = 'verdict' AND w.id > j.id AND (j.label IS NULL) <> (w.label IS NULL)
    ))
    GROUP BY +j.clip_id, j.label
    """,
    "UPDATE clips SET is_labelled = 1 "
    "WHERE NOT is_labelled AND id IN (SELECT clip_id FROM journal WHERE rowid > :last)",
)


def import_key(*content: str | float | None) -> str:
    """Return a hash of the content of a row, wherever it was read: equal content is the same row."""
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()


class ClipRows:
    """Stores the clips and verdicts of one import, inside its transaction.

    Attributes
    ----------
    new_clips, known_clips, amended_clips, new_verdicts, known_verdicts
        Numbers of rows that were added, that were there already, and of changes to clips.
    """

    def __init__(
        self, connection: sqlite3.Connection, kind: str, import_id: int, recordings: Mapping[str, StoredSound]
    ) -> None:
        self._connection = connection
        self._kind = kind
        self._import_id = import_id
        self._recordings = recordings
        self._paths = {one.id: one.path for one in recordings.values()}
        self._keys: set[bytes] = set()
        self._names: dict[str | None, str | None] = {}
        self._json = _Json()
        (self._newest_clip,) = connection.execute("SELECT COALESCE(MAX(id), 0) FROM clips").fetchone()
        self._hash = hashlib.sha256()
        self.new_clips = self.known_clips = self.amended_clips = self.new_verdicts = self.known_verdicts = 0
        self.skipped: list[Skipped] = []
        self._done = 0
        connection.execute(_TABLE)
        connection.execute("CREATE TEMP TABLE known_clips (id INTEGER PRIMARY KEY)")

    def write(self, records: Iterable[Clip | Verdict | VerdictTable], report: Callable[[int], None]) -> bytes:
        """Store all records and return a hash of their content; report how many rows are stored, some at a time.

        Raises
        ------
        LabeltoolError
            When a table has a value that no verdict has.
        """
        self._report = report
        pending: list[Clip | Verdict] = []
        for record in records:
            if not isinstance(record, VerdictTable):
                pending.append(record)
            if pending and (isinstance(record, VerdictTable) or len(pending) == MAX_TABLE_ROWS):
                self._write_columns(_of_records(pending))
                pending.clear()
            if isinstance(record, VerdictTable):
                self._write_columns(_of_table(record))
        if pending:
            self._write_columns(_of_records(pending))
        for table in ("imported", "known_clips"):
            self._connection.execute(f"DROP TABLE temp.{table}")
        return self._hash.digest()

    def _write_columns(self, rows: _Columns) -> None:
        if unknown := set(rows.value).difference(Value, [None]):
            raise LabeltoolError(f"{unknown.pop()!r} is no value of a verdict")
        self._connection.executemany(
            f"INSERT INTO temp.imported VALUES ({', '.join('?' * 13)})",
            zip(
                *([self._recordings[one].id for one in rows.sha256], rows.start_s, rows.end_s, rows.fold),
                *(self._new_keys(rows), map(self._name, rows.label), rows.value),
                *(*rows.bounds, rows.track),
                strict=True,
            ),
        )
        keys = "SELECT key FROM temp.imported WHERE key IS NOT NULL"
        back = bring_back(self._connection, keys, annotator=self._kind, import_id=self._import_id)
        self.new_verdicts += back
        self.known_verdicts -= back
        self.known_verdicts += self._connection.execute(
            "UPDATE temp.imported SET key = NULL WHERE key IN (SELECT import_key FROM journal)"
        ).rowcount
        self._write_clips()
        self._write_verdicts(len(rows.sha256))
        self._connection.execute("DELETE FROM temp.imported")
        self._done += len(rows.sha256)
        self._report(self._done)

    def _new_keys(self, rows: _Columns) -> list[str | None]:
        """Return the key of each row that has a verdict and is the first with it in this import."""
        keys: list[str | None] = []
        seen = self._keys
        for row, digest in enumerate(self._digests(rows)):
            if rows.value[row] is None:
                keys.append(None)
            elif digest in seen:
                keys.append(None)
                self.skipped.append(Skipped(rows.file[row] or "", rows.line[row], "repeats a verdict of this import"))
            else:
                seen.add(digest)
                keys.append(digest.hex())
        return keys

    def _digests(self, rows: _Columns) -> list[bytes]:
        """Return the hash of each row's content: that of `import_key`, whose JSON is made column by column here."""
        quoted = self._json.__getitem__
        start_s, end_s = _numbers(rows.start_s), _numbers(rows.end_s)
        # Most verdicts have the bounds of their clips, and half of the time goes into the digits.
        known = ((rows.start_s, start_s), (rows.end_s, end_s))
        bounds = [next((text for one, text in known if one == bound), []) or _numbers(bound) for bound in rows.bounds]
        columns = zip(
            *((quoted(self._recordings[one].identity) for one in rows.sha256), start_s, end_s),
            *(map(quoted, rows.label), map(quoted, rows.value)),
            *(*bounds, map(quoted, rows.track)),
            strict=True,
        )
        kind = quoted(self._kind)
        digests = [
            hashlib.sha256(f"[{kind}, {', '.join(row)}]".encode("utf-8", "surrogatepass")).digest() for row in columns
        ]
        self._hash.update(b"".join(digests))
        return digests

    def _name(self, label: str | None) -> str | None:
        # The key has the label as the source has it: a file that an older version imported stays known.
        if label not in self._names:
            self._names[label] = None if label is None else label_name(label)
        return self._names[label]

    def _write_clips(self) -> None:
        connection = self._connection
        known = f"FROM {_WITH_CLIPS} WHERE c.id <= {self._newest_clip}"
        self.known_clips += connection.execute(f"INSERT OR IGNORE INTO temp.known_clips SELECT c.id {known}").rowcount
        # A region so far, now a clip of a source: it goes into the queue like any other.
        self.amended_clips += connection.execute(
            f"UPDATE clips SET is_region = 0 WHERE id IN (SELECT c.id {known} AND c.is_region)"
        ).rowcount
        self.new_clips += connection.execute(_ADD_CLIPS).rowcount
        folds: dict[int, int] = {}
        for clip_id, recording_id, stored, fold in connection.execute(
            f"SELECT c.id, c.recording_id, c.fold, i.fold FROM {_WITH_CLIPS} "
            "WHERE i.fold IS NOT NULL AND c.fold IS NOT i.fold GROUP BY c.id, i.fold ORDER BY MIN(i.rowid)"
        ).fetchall():
            first = folds.setdefault(clip_id, fold if stored is None else stored)
            if first != fold:
                reason = f"its sound is in fold {first} already: fold {fold} was ignored"
                self.skipped.append(Skipped(self._paths[recording_id], None, reason))
            elif stored is None:
                connection.execute("UPDATE clips SET fold = ? WHERE id = ?", (fold, clip_id))
                self.amended_clips += 1

    def _write_verdicts(self, rows: int) -> None:
        connection = self._connection
        new, has_whole_clips = connection.execute(
            "SELECT COUNT(*), COUNT(*) > COUNT(label) FROM temp.imported WHERE key IS NOT NULL"
        ).fetchone()
        if not new:
            return
        for (label,) in connection.execute(
            "SELECT label FROM temp.imported WHERE key IS NOT NULL AND label IS NOT NULL "
            "AND label NOT IN (SELECT name FROM labels) GROUP BY label ORDER BY MIN(rowid)"
        ).fetchall():
            ensure_label(connection, label)
        beginning, number = new_row_ids(rows, after=newest(connection))
        (last,) = connection.execute("SELECT COALESCE(MAX(rowid), 0) FROM journal").fetchone()
        values = {"kind": self._kind, "import_id": self._import_id, "now": now()}
        with _constraints_left_out(connection):
            # The first rowid is 1.
            added = connection.execute(_ADD_VERDICTS, {**values, "beginning": beginning, "number": number - 1})
        self.new_verdicts += added.rowcount
        for statement in _DERIVE:
            connection.execute(statement, {"last": last, "has_whole_clips": has_whole_clips})
        update_derived_columns(connection)  # a label that was retired is one again


class _Json(dict[object, str]):
    """The JSON of texts and None, each made once."""

    def __missing__(self, text: object) -> str:
        return self.setdefault(text, json.dumps(text, ensure_ascii=False))


def _plain(column: pd.Series[Any]) -> list[Any]:
    """Return a column's values as Python's own, None where one is missing."""
    return column.astype(object).where(column.notna(), None).tolist()


def _numbers(column: Sequence[float | None]) -> list[str]:
    """Return numbers and None as JSON."""
    return ["null" if one is None else float.__repr__(one) if isinstance(one, float) else repr(one) for one in column]


def _of_records(records: Iterable[Clip | Verdict]) -> _Columns:
    """Return clips and verdicts as columns."""
    rows: list[tuple[Any, ...]] = []
    for record in records:
        clip = record.clip if isinstance(record, Verdict) else record
        span = (clip.recording_sha256, clip.start_s, clip.end_s, clip.fold)
        if isinstance(record, Clip):
            rows.append((*span, *repeat(None, 10)))
            continue
        bounds = (record.start_s, record.end_s, record.low_hz, record.high_hz, record.confidence)
        rows.append((*span, record.label, record.value.value, *bounds, record.track, record.file, record.line))
    *columns, track, file, line = zip(*rows, strict=True)
    return _Columns._make((*columns[:6], columns[6:], track, file, line))


def _of_table(table: VerdictTable) -> _Columns:
    """Return the columns of a table."""
    rows = table.rows
    label = _plain(rows["label"])
    return _Columns(
        sha256=rows["recording_sha256"].tolist(),
        start_s=(rows["start_us"] / MICROSECONDS).tolist(),
        end_s=(rows["end_us"] / MICROSECONDS).tolist(),
        fold=_plain(rows["fold"]),
        label=label,
        value=[
            None if text is None and one == Value.PRESENT else one
            for text, one in zip(label, rows["value"], strict=True)
        ],
        bounds=[_plain(rows[name]) for name in ("start_s", "end_s", "low_hz", "high_hz", "confidence")],
        track=_plain(rows["track"]),
        file=_plain(rows["file"]),
        line=_plain(rows["line"]),
    )


@contextmanager
def _constraints_left_out(connection: sqlite3.Connection) -> Iterator[None]:
    """Leave out the journal's triggers and CHECKs while rows are added that obey them; unique and foreign keys stay."""
    with without_triggers(connection):
        try:
            # SQLite makes a table for each CHECK with IN, row after row.
            connection.execute("PRAGMA ignore_check_constraints = ON")
            yield
        finally:
            connection.execute("PRAGMA ignore_check_constraints = OFF")
