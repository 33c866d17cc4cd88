"""Appending rows to the journal inside a transaction: time-ordered ids, and batches of rows."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from labeltool.errors import LabeltoolError
from labeltool.store.database import now

_ID_LOCK = threading.Lock()
_last_id = 0
_LAST_ID = 2**128 - 1
_DIGITS = 12  # of the last part of an id


@dataclass(frozen=True, slots=True)
class Until:
    """The rows of the journal that count: all, or those up to a row, by their ids, or up to a time.

    Attributes
    ----------
    at
        The value of the column for the last row that counts, the parameter `:at` of the SQL; None: all count.
    """

    at: str | None = None
    column: Literal["id", "created_at"] = "id"

    def counts(self, rows: str) -> str:
        """Return SQL that is true for the rows that count; `rows` is their table's name in the statement."""
        return "TRUE" if self.at is None else f"{rows}.{self.column} <= :at"

    @property
    def made(self) -> str:
        """SQL that is true for the rows of another table with a `created_at` that were made by the same time."""
        time = ":at" if self.column == "created_at" else "(SELECT created_at FROM journal WHERE id = :at)"
        return "TRUE" if self.at is None else f"created_at <= {time}"


ALL_ROWS = Until()


def is_revoked(row: str, until: Until = ALL_ROWS) -> str:
    """Return SQL that is true for a row of the journal that another revokes; `row` is its name in the statement.

    Not where that one is revoked itself, as by undoing that a label was deleted.
    """
    return (
        f"EXISTS (SELECT 1 FROM journal r WHERE r.revokes = {row}.id AND {until.counts('r')} "
        f"AND NOT EXISTS (SELECT 1 FROM journal u WHERE u.revokes = r.id AND {until.counts('u')}))"
    )


AUTO_ACCEPTED = "(j.origin = 'suggestion' AND j.response_ms IS NULL)"
"""SQL that is true for a journal row j of a suggestion that was accepted without listening to the clip."""


def new_row_id(after: str = "") -> str:
    """Return a time-ordered unique id (UUID version 7, RFC 9562), later than `after` and all before it in this process.

    Journals of two people merge as a set union of rows with such ids, and sorting by id is sorting by time.

    Parameters
    ----------
    after
        The newest id of the journal: where the clock was set back, or another machine's is ahead, the newest row must
        still sort last.

    Raises
    ------
    LabeltoolError
        When `after` is no id, or the last there is.
    """
    return str(uuid.UUID(int=_reserved(1, after)))


def new_row_ids(count: int, after: str = "") -> tuple[str, int]:
    """Return what `count` ids that follow one another begin with, and the number of the first.

    An id is the beginning and twelve hex digits of its number; otherwise it is as `new_row_id` makes it.
    """
    first = _reserved(count, after)
    return str(uuid.UUID(int=first))[:-_DIGITS], first % 16**_DIGITS


def _reserved(count: int, after: str) -> int:
    """Return the first of `count` ids that follow one another, none of which any other gets."""
    global _last_id
    with _ID_LOCK:
        stamped = time.time_ns() // 1_000_000 << 80 | 7 << 76 | int.from_bytes(os.urandom(2)) >> 4 << 64
        fresh = stamped | 0b10 << 62 | int.from_bytes(os.urandom(8)) >> 2
        newest = max(_last_id, _number(after) if after else 0)
        if fresh <= newest:
            # Same millisecond, or behind the newest id: count on from it. Only random bits change.
            fresh = newest + 1
        if fresh % 16**_DIGITS + count > 16**_DIGITS:
            fresh = (fresh // 16**_DIGITS + 1) * 16**_DIGITS  # only the last digits may differ
        if fresh + count - 1 > _LAST_ID:
            raise LabeltoolError(
                "the newest row of the journal has the last of all ids, so that none can follow: nothing was stored",
                remedy="a stranger's row? `labeltool restore` brings back a backup without it",
            )
        _last_id = fresh + count - 1
        return fresh


def _number(row_id: str) -> int:
    try:
        return uuid.UUID(row_id).int
    except ValueError:
        # A row of somebody else's hand: a later id would not sort behind it.
        raise LabeltoolError(
            f"the newest row of the journal has the id {row_id[:40]!r}, which is none: nothing was stored",
            remedy="is the database damaged? `labeltool log` shows its rows",
        ) from None


def newest(connection: sqlite3.Connection) -> str:
    """Return the id of the newest row, "" for an empty journal."""
    (last,) = connection.execute("SELECT COALESCE(MAX(id), '') FROM journal").fetchone()
    return str(last)


def append(connection: sqlite3.Connection, **values: object) -> str:
    """Append a row inside a transaction and return its id; `values` are the columns besides id and time."""
    row_id = new_row_id(after=newest(connection))
    _insert(connection, {"id": row_id, **values})
    return row_id


def append_batch(connection: sqlite3.Connection, rows: Sequence[Mapping[str, object]]) -> list[str]:
    """Append rows that one undo reverts together, and return their ids.

    Several rows carry the id of the first as `batch_id`; a single row has none.
    """
    if len(rows) < 2:
        return [append(connection, **row) for row in rows]
    row_ids = [new_row_id(after=newest(connection)) for _ in rows]
    for row_id, row in zip(row_ids, rows, strict=True):
        _insert(connection, {"id": row_id, "batch_id": row_ids[0], **row})
    return row_ids


def _insert(connection: sqlite3.Connection, row: Mapping[str, object]) -> None:
    columns = {**row, "created_at": now()}
    connection.execute(
        f"INSERT INTO journal ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})", tuple(columns.values())
    )


@contextmanager
def without_triggers(connection: sqlite3.Connection) -> Iterator[None]:
    """Leave out the journal's triggers: inside a transaction, so that no other ever misses them.

    They are dropped and made anew as they were; after an error the transaction is to be rolled back.
    """
    triggers = connection.execute(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'journal' ORDER BY rowid"
    ).fetchall()
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    yield
    for _, sql in triggers:
        connection.execute(sql)
