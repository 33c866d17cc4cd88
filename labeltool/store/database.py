"""Opening `labels.db`: version checks, backup, durability, and one way to write."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from labeltool.errors import LabeltoolError
from labeltool.store.schema import APPLICATION_ID, SCHEMA_VERSION, migrate

_BUSY_TIMEOUT_S = 15.0
# A disk with less than this is full to SQLite, which needs its log and its shared memory.
_ROOM_BYTES = 1 << 20


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
        The project's directory; paths inside it are stored relative to it, so that a project can move as a whole.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.connection = connection
        self.path = path
        self.directory = path.parent

    @classmethod
    def create(cls, path: Path) -> Store:
        """Make a new database; it appears whole or not at all.

        Raises
        ------
        LabeltoolError
            When it exists already or cannot be written.
        """
        if path.exists():
            raise LabeltoolError("there is a project already", file=path)
        fresh = path.with_name(path.name + ".new")
        with speaking(path):
            try:
                fresh.unlink(missing_ok=True)
                # Without a write-ahead log: a full disk is told by the statement that meets it, not when closing.
                connection = sqlite3.connect(fresh, isolation_level=None)
                try:
                    connection.execute("PRAGMA synchronous = FULL")
                    migrate(connection)
                finally:
                    connection.close()
                fresh.rename(path)
            except BaseException:
                for left in path.parent.glob(f"{fresh.name}*"):
                    left.unlink(missing_ok=True)
                raise
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> Store:
        """Open a database; an older one is backed up beside itself and migrated, a newer one refused.

        Raises
        ------
        LabeltoolError
            When it is missing, no labeltool database, or from a newer labeltool.
        """
        if not path.is_file():
            raise LabeltoolError("no such database", file=path, remedy="`labeltool init` makes a project")
        with speaking(path):
            version = _version(path)
            if version > SCHEMA_VERSION:
                raise LabeltoolError(
                    f"was made by a newer labeltool (schema {version}, this one knows {SCHEMA_VERSION})",
                    file=path,
                    remedy="update labeltool; nothing was changed",
                )
            connection = _connect(path)
            try:
                if version < SCHEMA_VERSION:
                    _backup(connection, path, version)
                    migrate(connection)
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
        """Read several things as they were at one moment, whoever writes meanwhile."""
        with speaking(self.path):
            self.connection.execute("BEGIN")
            try:
                yield self.connection
            finally:
                self.connection.execute("COMMIT")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Write: all of the block or nothing. It is on the disk when the block ends (`synchronous=FULL`)."""
        with speaking(self.path):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                # A full disk has rolled back already.
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    def stored_path(self, path: str) -> str:
        """Return a path as the store keeps it: relative where it lies inside the project."""
        try:
            return str(Path(path).relative_to(self.directory))
        except ValueError:
            return path

    def absolute_path(self, path: str) -> str:
        """Return a stored path as an absolute one."""
        return str(self.directory / path)


def _version(path: Path) -> int:
    """Return a database's schema version, without changing a byte of what may be somebody else's file.

    Raises
    ------
    LabeltoolError
        When it is no database of ours.
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
    """Copy the database beside itself before it is changed; never over an earlier copy."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    copy = path.with_name(f"{path.name}.schema-{version}.{stamp}.bak")
    target = sqlite3.connect(copy)
    try:
        connection.backup(target)
    finally:
        target.close()
    return copy


def _no_room(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.parent).free < _ROOM_BYTES
    except OSError:
        return False


@contextmanager
def speaking(path: Path) -> Iterator[None]:
    """Turn what SQLite and the disk say into a line for people."""
    try:
        yield
    except sqlite3.Error as error:
        told = str(error)
        if "full" in told or ("disk I/O" in told and _no_room(path)):
            reason, remedy = "the disk is full; nothing was stored", "make room and try again"
        elif "not a database" in told or "malformed" in told:
            reason, remedy = "is not a labeltool database", "is it damaged? copies made before migrations end in .bak"
        elif "locked" in told:
            reason, remedy = "another labeltool is writing; nothing was stored", "try again in a moment"
        elif "readonly" in told or "unable to open" in told:
            reason, remedy = "cannot be written", "check its permissions"
        else:
            reason, remedy = f"the database refused: {told}", ""
        raise LabeltoolError(reason, file=path, remedy=remedy) from error
    except OSError as error:
        raise LabeltoolError(f"{error.strerror or error}; nothing was stored", file=path) from error
