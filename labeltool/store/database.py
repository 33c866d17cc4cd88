"""Opening `labels.db`: version check, backup, durability, transactions."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from labeltool.errors import LabeltoolError
from labeltool.store.descriptions import write_metadata
from labeltool.store.schema import APPLICATION_ID, SCHEMA_VERSION, migrate

_BUSY_TIMEOUT_S = 15.0
# SQLite needs space for its log and its shared memory: a disk with less than this counts as full.
_MIN_FREE_BYTES = 1 << 20


def now() -> str:
    """Return the time as the store writes it: ISO 8601, UTC, milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Store:
    """An open `labels.db`. Use `Store.open` or `Store.create`; one per thread.

    Attributes
    ----------
    connection
        For reading. All writing goes through `transaction`.
    directory
        The project's directory. Paths inside it are stored relative to it, so that a project can be moved as a whole.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.connection = connection
        self.path = path
        self.directory = path.parent

    @classmethod
    def create(cls, path: Path) -> Store:
        """Create a database; it appears complete or not at all.

        Raises
        ------
        LabeltoolError
            When it exists already or cannot be written.
        """
        if path.exists():
            raise LabeltoolError("there is a project already", file=path)
        fresh = path.with_name(path.name + ".new")
        with labeltool_errors(path):
            try:
                fresh.unlink(missing_ok=True)
                # Without a write-ahead log, the statement that meets a full disk raises, not the closing.
                connection = sqlite3.connect(fresh, isolation_level=None)
                try:
                    connection.execute("PRAGMA synchronous = FULL")
                    migrate(connection)
                finally:
                    connection.close()
                fresh.rename(path)
            except BaseException:
                for leftover in path.parent.glob(f"{fresh.name}*"):
                    leftover.unlink(missing_ok=True)
                raise
        store = cls.open(path)
        write_metadata(store.connection, path)
        return store

    @classmethod
    def open(cls, path: Path) -> Store:
        """Open a database; an older one is backed up beside itself and migrated, a newer one refused.

        Raises
        ------
        LabeltoolError
            When it is missing, no labeltool database, or from a newer labeltool.
        """
        if not path.is_file():
            raise LabeltoolError("no such database", file=path, remedy="`labeltool init` creates one")
        with labeltool_errors(path):
            version = _version(path)
            if version > SCHEMA_VERSION:
                raise LabeltoolError(
                    f"was made by a newer labeltool (schema {version}, this one reads up to {SCHEMA_VERSION})",
                    file=path,
                    remedy="update labeltool; nothing was changed",
                )
            connection = _connect(path)
            try:
                if version < SCHEMA_VERSION:
                    backup = _backup(connection, path, version)
                    try:
                        migrate(connection)
                    except BaseException:
                        if _version(path) == version:
                            backup.unlink(missing_ok=True)  # the database is as it was
                        raise
                    write_metadata(connection, path)
            except BaseException:
                connection.close()
                raise
        return cls(connection, path)

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
            self.connection.execute("BEGIN")
            try:
                yield self.connection
            finally:
                self.connection.execute("COMMIT")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Write all of the block or nothing; it is on the disk when the block ends (`synchronous=FULL`)."""
        with labeltool_errors(self.path):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                # A full disk has rolled the transaction back already.
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    def stored_path(self, path: str) -> str:
        """Return a path as the store keeps it: relative where the file is inside the project."""
        try:
            return str(Path(path).relative_to(self.directory))
        except ValueError:
            return path

    def absolute_path(self, path: str) -> str:
        """Return a stored path as an absolute one."""
        return str(self.directory / path)


def _version(path: Path) -> int:
    """Return a database's schema version, without changing a byte of a file that may be another program's.

    Raises
    ------
    LabeltoolError
        When it is not a labeltool database.
    """
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    try:
        (application_id,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    finally:
        connection.close()
    if application_id != APPLICATION_ID:
        raise LabeltoolError("is not a labeltool database", file=path, remedy="nothing was changed")
    return int(version)


def _connect(path: Path) -> sqlite3.Connection:
    # Autocommit mode: transactions begin and end where the code says so.
    connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _backup(connection: sqlite3.Connection, path: Path, version: int) -> Path:
    """Copy the database to a new file beside it before it is changed; return the copy."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    copy = path.with_name(f"{path.name}.schema-{version}.{stamp}.bak")
    target = sqlite3.connect(copy)
    try:
        connection.backup(target)
    finally:
        target.close()
    return copy


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
        elif "not a database" in message or "malformed" in message:
            reason, remedy = "is not a labeltool database", "is it damaged? copies made before migrations end in .bak"
        elif "locked" in message:
            reason, remedy = "another labeltool is writing; nothing was stored", "try again in a moment"
        elif "readonly" in message or "unable to open" in message:
            reason, remedy = "cannot be written", "check its permissions"
        else:
            reason, remedy = f"the database refused: {message}", ""
        raise LabeltoolError(reason, file=path, remedy=remedy) from error
    except OSError as error:
        raise LabeltoolError(f"{error.strerror or error}; nothing was stored", file=path) from error
