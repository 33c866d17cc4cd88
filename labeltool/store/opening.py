"""Opening the file of `labels.db`: checks, migration, and reading one that cannot be written."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from labeltool.errors import LabeltoolError
from labeltool.store.database_files import (
    COMPANIONS,
    Stamps,
    companion,
    copy_files,
    copy_name,
    is_in_use,
    require_plain_files,
    stamps,
    why_not_own,
    written_whole,
)
from labeltool.store.schema import APPLICATION_ID, SCHEMA_VERSION, migrate, require_own_schema, write_metadata
from labeltool.util.files.atomic_write import new_folder
from labeltool.util.files.writable import FULL, free_bytes, temporary_parent, why_not, why_not_writable

BUSY_TIMEOUT_S = 15.0
"""The time to wait for another who writes."""

# The time to wait for one who has the database alone: a program that closes it, for as long as it writes its log back.
_OPEN_TIMEOUT_S = 5.0

_PAGES_A_STEP, _INSTRUCTIONS_A_STEP = 4096, 100_000  # of copying and of checking: a few hundredths of a second

_DAMAGED = "`labeltool restore FILE` brings back a backup"
_NO_WRITING = frozenset(f"SQLITE_IOERR_{what}" for what in ("WRITE", "TRUNCATE", "SHMOPEN", "SHMSIZE", "SHMMAP"))
# SQLite needs space for its log and its shared memory: a disk with less than this counts as full.
_MIN_FREE_BYTES = 1 << 20


LOCKED = "another program is writing"
"""Why nothing can be written while somebody else does."""


class CannotBeWritten(LabeltoolError):
    """The database can only be read now: its disk is full or read-only, it is locked, or there is no permission."""

    def __init__(self, path: Path, why: str) -> None:
        if why == LOCKED:
            super().__init__(f"{LOCKED}; nothing was stored", file=path, remedy="try again in a moment")
        elif why == FULL:
            super().__init__(f"{FULL}; nothing was stored", file=path, remedy="free some space and try again")
        else:
            super().__init__("cannot be written", file=path, remedy=why)


def connect_to_file(path: Path, mode: str = "rw", timeout_s: float | None = None) -> sqlite3.Connection:
    """Return a connection that makes no file: with an empty one, SQLite deletes the -wal of one that was lost."""
    # Autocommit mode: transactions begin and end where the code says so.
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", timeout=timeout_s or BUSY_TIMEOUT_S, isolation_level=None, uri=True
    )


def connect_read_only(path: Path, *, alone: bool = False, own_index: bool = False) -> sqlite3.Connection:
    """Return a connection that changes no byte of a file that may be another program's, and runs nothing of it.

    `alone`: nobody writes to it; not even a -wal is made beside it, nor read. `own_index`: nor is the -shm written.
    """
    mode = "ro&immutable=1" if alone else "ro&readonly_shm=1" if own_index else "ro"
    connection = connect_to_file(path, mode, _OPEN_TIMEOUT_S)
    connection.row_factory = sqlite3.Row
    _distrust(connection)
    connection.execute("PRAGMA temp_store = MEMORY")  # the disk for temporary files may be full too
    return connection


def checked_version(connection: sqlite3.Connection, path: Path) -> int:
    """Return a database's schema version.

    Raises
    ------
    LabeltoolError
        When it is not a labeltool database, from a newer labeltool, or its schema is not labeltool's.
    """
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application_id != APPLICATION_ID or version < 1:
        raise LabeltoolError("is not a labeltool database", file=path, remedy="nothing was changed")
    if version > SCHEMA_VERSION:
        raise LabeltoolError(
            f"was made by a newer labeltool (schema {version}, this one reads up to {SCHEMA_VERSION})",
            file=path,
            remedy="update labeltool; nothing was changed",
        )
    require_own_schema(connection, version, path)
    return int(version)


def write_copy(
    connection: sqlite3.Connection,
    copy: Path,
    database: Path,
    *,
    quick: bool = False,
    is_stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Copy a database, as it is at one moment, into an empty file, and check the copy.

    Others may read and write the database meanwhile. The copy is one file, without a -wal.

    Parameters
    ----------
    quick
        Whether to leave out the check of the indexes, which takes most of the time in a project of a million clips.
    is_stopped
        Ends the work within a moment when it returns True.

    Raises
    ------
    LabeltoolError
        When the database is damaged, or the work was stopped.
    """

    def go_on(*_: object) -> None:
        if is_stopped():
            raise LabeltoolError("stopped", file=copy)

    with closing(sqlite3.connect(copy, isolation_level=None)) as target:
        _distrust(target)
        target.execute("PRAGMA synchronous = OFF")  # `written_whole` waits for the disk once
        try:
            # One state for all steps: a writer between two of them would make the copy begin again.
            connection.execute("BEGIN")
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()
            connection.backup(target, pages=_PAGES_A_STEP, progress=go_on)
            target.execute("PRAGMA journal_mode = DELETE")
            target.set_progress_handler(is_stopped, _INSTRUCTIONS_A_STEP)
            (problem,) = target.execute(f"PRAGMA {'quick' if quick else 'integrity'}_check(1)").fetchone()
        except sqlite3.DatabaseError as error:
            if "interrupted" in str(error):  # what is raised during the check, by Ctrl-C say, becomes this
                go_on()
                raise KeyboardInterrupt from error
            if "malformed" not in str(error):
                raise
            problem = str(error)
        finally:
            if connection.in_transaction:
                connection.execute("COMMIT")
    if problem != "ok":
        raise LabeltoolError(f"is damaged: {problem}", file=database, remedy=_DAMAGED)


@dataclass(frozen=True, slots=True)
class Opened:
    """A connection to a database, and what `Store` tells of it; `stamps` of one that is read without locks."""

    connection: sqlite3.Connection
    read_only: str = ""
    of_older_labeltool: bool = False
    stamps: Stamps = ()


def open_database(path: Path) -> Opened:
    """Open a database, to read only where it cannot be written."""
    why = why_not_writable(*(companion(path, suffix) for suffix in ("", *COMPANIONS)), path.parent)
    why = why or why_not_own(path)
    if not why:
        try:
            return Opened(_open_to_write(path))
        except (sqlite3.Error, OSError) as error:
            # A full disk, say: there is no space for the -shm.
            why = _why_not_written(error, path)
            if not why:
                raise
    return open_to_read(path, why)


def _open_to_write(path: Path) -> sqlite3.Connection:
    with closing(connect_read_only(path)) as connection:
        version = checked_version(connection, path)
    connection = _connect(path)
    try:
        if version < SCHEMA_VERSION:
            _migrate(connection, path, version)
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()  # from here on there is a -wal
    except BaseException:
        connection.close()
        raise
    return connection


def open_to_read(path: Path, why: str) -> Opened:
    """Open a database that is only read: as others who write to it see it, else alone, else a copy of it."""
    alone, before, version = not is_in_use(path), stamps(path), SCHEMA_VERSION
    connection = connect_read_only(path, alone=alone, own_index=True)
    try:
        version = checked_version(connection, path)
    except sqlite3.OperationalError as error:
        connection.close()
        if "locked" in str(error):
            raise
    except BaseException:
        connection.close()
        raise
    else:
        if version == SCHEMA_VERSION:
            return Opened(connection, why, stamps=before if alone else ())
        connection.close()
    return Opened(_open_copy(path), why, of_older_labeltool=version < SCHEMA_VERSION)


def _open_copy(path: Path) -> sqlite3.Connection:
    """Open a copy of a database and of what was committed to its -wal, migrated; the copy has no name any more."""
    with new_folder(temporary_parent(sum(size for _, _, size in stamps(path)))) as folder:
        copy = folder.path / path.name
        copy_files(path, copy)
        require_plain_files(copy)
        with closing(connect_read_only(copy)) as connection:
            version = checked_version(connection, path)
        connection = _connect(copy)
        try:
            if version < SCHEMA_VERSION:
                migrate(connection)
                checked_version(connection, path)
            connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()  # from here on its files are open
            connection.execute("PRAGMA query_only = ON")
            connection.execute("PRAGMA temp_store = MEMORY")
        except BaseException:
            connection.close()
            raise
    return connection


def _connect(path: Path) -> sqlite3.Connection:
    connection = connect_to_file(path)
    connection.row_factory = sqlite3.Row
    _distrust(connection)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    # Of macOS, where fsync leaves it to the drive when it writes.
    connection.execute("PRAGMA fullfsync = ON")
    connection.execute("PRAGMA checkpoint_fullfsync = ON")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _distrust(connection: sqlite3.Connection) -> None:
    """Let nothing that is written in a database's schema call functions with effects; look closer at its pages."""
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")


def _migrate(connection: sqlite3.Connection, path: Path, version: int) -> None:
    """Copy the database to a new file beside it, then bring it up to date; when that fails, it is as it was."""
    copy = copy_name(path, f"schema-{version}")
    with written_whole(copy) as partial:
        write_copy(connection, partial, path)
    try:
        migrate(connection)
        checked_version(connection, path)
    except BaseException:
        if connection.execute("PRAGMA user_version").fetchone()[0] == version:
            copy.unlink(missing_ok=True)
        raise
    write_metadata(connection, path)


def _why_not_written(error: sqlite3.Error | OSError, path: Path) -> str:
    """Return why a database cannot be written, in a few words; "" where the error is of another kind."""
    if isinstance(error, OSError):
        return why_not(error)
    message = str(error)
    if "full" in message or ("disk I/O" in message and free_bytes(path.parent) < _MIN_FREE_BYTES):
        return FULL
    if getattr(error, "sqlite_errorname", "") in _NO_WRITING:
        return "its disk takes nothing more"  # a quota, say
    if "readonly" in message or "unable to open" in message:
        return why_not_writable(path, path.parent) or "read-only: no permission"
    return ""


@contextmanager
def labeltool_errors(path: Path) -> Iterator[None]:
    """Turn errors of SQLite and of the disk into a `LabeltoolError` that names the file and a remedy."""
    try:
        yield
    except sqlite3.Error as error:
        message = str(error)
        if "unable to open" in message and path.exists() and not os.access(path, os.R_OK):
            reason, remedy = "cannot be read", "check its permissions"
        elif why := _why_not_written(error, path):
            raise CannotBeWritten(path, why) from error
        elif "not a database" in message:
            reason, remedy = "is not a labeltool database", _DAMAGED
        elif "malformed" in message:
            reason, remedy = f"is damaged: {message}", _DAMAGED
        elif "locked" in message:
            raise CannotBeWritten(path, LOCKED) from error
        else:
            reason, remedy = f"the database refused: {message}", ""
        raise LabeltoolError(reason, file=path, remedy=remedy) from error
    except OSError as error:
        raise LabeltoolError(f"{error.strerror or error}; nothing was stored", file=path) from error
