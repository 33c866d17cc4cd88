"""An open `labels.db`: durability, transactions, and whether it still is the one that was opened."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from labeltool.errors import LabeltoolError
from labeltool.store.database_files import file_ids, moved_away, require_plain_files, stamps, written_whole
from labeltool.store.opening import (
    BUSY_TIMEOUT_S,
    CannotBeWritten,
    Opened,
    labeltool_errors,
    open_database,
    open_to_read,
)
from labeltool.store.schema import migrate, write_metadata
from labeltool.util.lifetime import exit_if_stopped
from labeltool.util.unicode_names import nfc
from labeltool.util.urls import is_url

# An index of hashes is written in no order: with SQLite's own 2 MB its pages go to the disk over and over.
_CACHE_OF_MANY_ROWS_KB = 200_000


def now() -> str:
    """Return the time as the store writes it: ISO 8601, UTC, milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class DatabaseExchanged(LabeltoolError):
    """The database was exchanged, moved or removed while it was open."""

    def __init__(self, path: Path, how: str = "exchanged or removed") -> None:
        super().__init__(f"was {how} while it was open; nothing more was stored", file=path, remedy="start again")


class Store:
    """An open `labels.db`. Use `Store.open` or `Store.create`; one per thread.

    Attributes
    ----------
    connection
        For reading. All writing goes through `transaction`.
    directory
        The project's directory. Paths inside it are stored relative to it, so that a project can be moved as a whole.
    read_only
        Why nothing can be written, in a few words; "" where it can. Then everything is read as ever.
    of_older_labeltool
        Whether it is read from a temporary copy of this version, as the database itself cannot be migrated.
    """

    def __init__(self, opened: Opened, path: Path) -> None:
        self.connection = opened.connection
        self.path = path
        self.directory = path.parent
        self.before_writing: Callable[[], None] = lambda: None
        self.read_only = opened.read_only
        self.of_older_labeltool = opened.of_older_labeltool
        self._stamps = opened.stamps
        self._files = file_ids(path)
        self.connection.create_function("nfc", 1, nfc, deterministic=True)  # paths in any Unicode form

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
        store = cls.open(path, to_write=True)
        write_metadata(store.connection, path)
        return store

    @classmethod
    def open(cls, path: Path, *, to_write: bool = False, to_read: bool = False) -> Store:
        """Open a database; an older one is backed up beside itself and migrated, a newer one refused.

        Nothing of a database is run or followed before it has been checked: see `require_plain_files` and
        `require_own_schema`. One that cannot be written is opened all the same, with what was committed to its -wal,
        see `read_only`.

        Parameters
        ----------
        to_write
            Whether to refuse one that cannot be written, before there is work for nothing.
        to_read
            Whether it is only read, as another's: nothing is written there, also where it could be.

        Raises
        ------
        LabeltoolError
            When it is missing, a link, no labeltool database, from a newer labeltool, or has what others put into it.
        """
        with labeltool_errors(path):
            first = file_ids(path)[0]
            if first is None:
                raise LabeltoolError("no such database", file=path, remedy="`labeltool init` creates one")
            require_plain_files(path)
            opened = open_to_read(path, "opened to be read") if to_read else open_database(path)
            try:
                if file_ids(path)[0] != first:
                    raise DatabaseExchanged(path)
                if to_write and opened.read_only:
                    raise CannotBeWritten(path, opened.read_only)
                return cls(opened, path)
            except BaseException:
                opened.connection.close()
                raise

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if self._stamps and (kind is None or issubclass(kind, sqlite3.Error)):
                self.require_same_files()
        finally:
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
    def transaction_of_many_rows(self) -> Iterator[sqlite3.Connection]:
        """Write all of the block or nothing, with room in memory for the indexes that are written in no order."""
        (cache,) = self.connection.execute("PRAGMA cache_size").fetchone()
        self.connection.execute(f"PRAGMA cache_size = -{_CACHE_OF_MANY_ROWS_KB}")
        try:
            with self.transaction() as connection:
                yield connection
        finally:
            self.connection.execute(f"PRAGMA cache_size = {cache}")

    @contextmanager
    def transaction(self, *, wait_s: float = BUSY_TIMEOUT_S) -> Iterator[sqlite3.Connection]:
        """Write all of the block or nothing; it is on the disk when the block ends (`synchronous=FULL`).

        Raises
        ------
        CannotBeWritten
            When the disk is full, another goes on writing, or the database can only be read.
        SystemExit
            When this process was stopped meanwhile (`lifetime.exit_if_stopped`); nothing is written then.
        """
        if self.read_only:
            raise CannotBeWritten(self.path, self.read_only)
        self.before_writing()
        with labeltool_errors(self.path):
            if wait_s != BUSY_TIMEOUT_S:
                self.connection.execute(f"PRAGMA busy_timeout = {round(wait_s * 1000)}")
            try:
                self.connection.execute("BEGIN IMMEDIATE")
            finally:
                if wait_s != BUSY_TIMEOUT_S:
                    self.connection.execute(f"PRAGMA busy_timeout = {round(BUSY_TIMEOUT_S * 1000)}")
            try:
                # Who exchanges the database by `restore` has this lock meanwhile; others may do it at any time.
                self.require_same_files()
                yield self.connection
                exit_if_stopped()
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

        What is written then would be lost: the files that are open have no name any more, or another one. One that is
        read without locks must also not have been changed.

        Raises
        ------
        DatabaseExchanged
            When they do.
        """
        if any(now != opened for now, opened in zip(file_ids(self.path), self._files, strict=True) if opened):
            raise DatabaseExchanged(self.path)
        if self._stamps and stamps(self.path) != self._stamps:
            raise DatabaseExchanged(self.path, "changed by somebody else")

    def stored_path(self, path: str) -> str:
        """Return a path as the store keeps it, with `/` on every system: relative where the file is in the project."""
        try:
            return Path(path).relative_to(self.directory).as_posix()
        except ValueError:
            return path if os.sep == "/" else Path(path).as_posix()

    def absolute_path(self, path: str) -> str:
        """Return a stored path as an absolute one; a URL is itself."""
        return path if is_url(path) else str(self.directory / path)
