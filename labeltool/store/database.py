"""Opening `labels.db`: checks, migration, durability, transactions."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from labeltool.errors import LabeltoolError
from labeltool.store.database_files import copy_name, file_ids, moved_away, require_plain_files, written_whole
from labeltool.store.schema import APPLICATION_ID, SCHEMA_VERSION, migrate, require_own_schema, write_metadata

BUSY_TIMEOUT_S = 15.0
"""The time to wait for another who writes."""

_PAGES_A_STEP, _INSTRUCTIONS_A_STEP = 4096, 100_000  # of copying and of checking: a few hundredths of a second

_DAMAGED = "`labeltool restore FILE` brings back a backup"
# SQLite needs space for its log and its shared memory: a disk with less than this counts as full.
_MIN_FREE_BYTES = 1 << 20


def now() -> str:
    """Return the time as the store writes it: ISO 8601, UTC, milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class DatabaseExchanged(LabeltoolError):
    """The database was exchanged, moved or removed while it was open."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            "was exchanged or removed while it was open; nothing more was stored", file=path, remedy="start again"
        )


class Store:
    """An open `labels.db`. Use `Store.open` or `Store.create`; one per thread.

    Attributes
    ----------
    connection
        For reading. All writing goes through `transaction`.
    directory
        The project's directory. Paths inside it are stored relative to it, so that a project can be moved as a whole.
    before_writing
        Called before every transaction.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.connection = connection
        self.path = path
        self.directory = path.parent
        self.before_writing: Callable[[], None] = lambda: None
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()  # from here on there is a -wal
        self._files = file_ids(path)

    @classmethod
    def create(cls, path: Path) -> Store:
        """Create a database; it appears complete or not at all.

        Raises
        ------
        LabeltoolError
            When it exists already or cannot be written.
        """
        if os.path.lexists(path):
            raise LabeltoolError("there is a project already", file=path)
        with labeltool_errors(path), ExitStack() as undo, written_whole(path) as fresh:
            # Without a write-ahead log, the statement that meets a full disk raises, not the closing.
            with closing(sqlite3.connect(fresh, isolation_level=None)) as connection:
                connection.execute("PRAGMA synchronous = FULL")
                migrate(connection)
            undo.enter_context(moved_away(path))  # the -wal of a database that was lost would become part of this one
        store = cls.open(path)
        write_metadata(store.connection, path)
        return store

    @classmethod
    def open(cls, path: Path) -> Store:
        """Open a database; an older one is backed up beside itself and migrated, a newer one refused.

        Nothing of a database is run or followed before it has been checked: see `require_plain_files` and
        `require_own_schema`.

        Raises
        ------
        LabeltoolError
            When it is missing, a link, no labeltool database, from a newer labeltool, or has what others put into it.
        """
        with labeltool_errors(path):
            opened = file_ids(path)[0]
            if opened is None:
                raise LabeltoolError("no such database", file=path, remedy="`labeltool init` creates one")
            require_plain_files(path)
            with closing(connect_read_only(path)) as connection:
                version = checked_version(connection, path)
            connection = _connect(path)
            try:
                if version < SCHEMA_VERSION:
                    _migrate(connection, path, version)
                if file_ids(path)[0] != opened:
                    raise DatabaseExchanged(path)
                return cls(connection, path)
            except BaseException:
                connection.close()
                raise

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Read several things from one state of the database, whatever is written meanwhile."""
        with labeltool_errors(self.path):
            self.require_same_files()
            self.connection.execute("BEGIN")
            try:
                yield self.connection
            finally:
                self.connection.execute("COMMIT")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Write all of the block or nothing; it is on the disk when the block ends (`synchronous=FULL`)."""
        self.before_writing()
        with labeltool_errors(self.path):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                # Who exchanges the database by `restore` has this lock meanwhile; others may do it at any time.
                self.require_same_files()
                yield self.connection
                self.connection.execute("COMMIT")
                self.require_same_files()
            except BaseException:
                # A full disk has rolled the transaction back already.
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    @contextmanager
    def text_transaction(self) -> Iterator[sqlite3.Connection]:
        """As `transaction`, where transcripts are added, changed or removed.

        Their triggers write to the full-text index, a virtual table, which older SQLite lets only trusted ones do.
        These are labeltool's own: the schema was compared when the database was opened.
        """
        self.connection.execute("PRAGMA trusted_schema = ON")
        try:
            with self.transaction() as connection:
                yield connection
        finally:
            self.connection.execute("PRAGMA trusted_schema = OFF")

    def require_same_files(self) -> None:
        """Refuse to go on when the database's name, or its -wal's, stands for other files than were opened.

        What is written then would be lost: the files that are open have no name any more, or another one.

        Raises
        ------
        DatabaseExchanged
            When they do.
        """
        if any(now != opened for now, opened in zip(file_ids(self.path), self._files, strict=True) if opened):
            raise DatabaseExchanged(self.path)

    def stored_path(self, path: str) -> str:
        """Return a path as the store keeps it: relative where the file is inside the project."""
        try:
            return str(Path(path).relative_to(self.directory))
        except ValueError:
            return path

    def absolute_path(self, path: str) -> str:
        """Return a stored path as an absolute one."""
        return str(self.directory / path)


def connect_to_file(path: Path, mode: str = "rw") -> sqlite3.Connection:
    """Return a connection that makes no file: with an empty one, SQLite deletes the -wal of one that was lost."""
    # Autocommit mode: transactions begin and end where the code says so.
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", timeout=BUSY_TIMEOUT_S, isolation_level=None, uri=True
    )


def connect_read_only(path: Path, *, alone: bool = False) -> sqlite3.Connection:
    """Return a connection that changes no byte of a file that may be another program's, and runs nothing of it.

    `alone`: nobody writes to it; not even a -wal is made beside it, nor read.
    """
    connection = connect_to_file(path, "ro&immutable=1" if alone else "ro")
    _distrust(connection)
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
    database
        Where the connection's database is, for messages.
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


def _connect(path: Path) -> sqlite3.Connection:
    connection = connect_to_file(path)
    connection.row_factory = sqlite3.Row
    _distrust(connection)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
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


def _disk_is_full(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.parent).free < _MIN_FREE_BYTES
    except OSError:
        return False


@contextmanager
def labeltool_errors(path: Path) -> Iterator[None]:
    """Turn errors of SQLite and of the disk into a `LabeltoolError` that names the file and a remedy."""
    try:
        yield
    except sqlite3.Error as error:
        message = str(error)
        if "full" in message or ("disk I/O" in message and _disk_is_full(path)):
            reason, remedy = "the disk is full; nothing was stored", "free some space and try again"
        elif "not a database" in message:
            reason, remedy = "is not a labeltool database", _DAMAGED
        elif "malformed" in message:
            reason, remedy = f"is damaged: {message}", _DAMAGED
        elif "locked" in message:
            reason, remedy = "another labeltool is writing; nothing was stored", "try again in a moment"
        elif "readonly" in message or "unable to open" in message:
            reason, remedy = "cannot be written", "check its permissions"
        else:
            reason, remedy = f"the database refused: {message}", ""
        raise LabeltoolError(reason, file=path, remedy=remedy) from error
    except OSError as error:
        raise LabeltoolError(f"{error.strerror or error}; nothing was stored", file=path) from error
