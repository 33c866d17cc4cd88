"""Backups of `labels.db`, by hand and daily, and going back to one."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from labeltool.errors import LabeltoolError
from labeltool.store.database import Store
from labeltool.store.database_files import (
    COMPANIONS,
    companion,
    moved_away,
    require_own_files,
    require_plain_files,
    written_whole,
)
from labeltool.store.opening import checked_version, connect_read_only, connect_to_file, labeltool_errors, write_copy
from labeltool.util.files.no_links import make_folder

BACKUP_FOLDER = "backups"
"""Beside the database: daily backups, and those by hand that were given no name."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was written."""

    path: Path
    size_bytes: int
    journal_rows: int


def default_path(database: Path) -> Path:
    """Return the name of a backup that was given none."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    return database.with_name(BACKUP_FOLDER) / f"{database.stem}-{stamp}.db"


def back_up(
    store: Store,
    path: Path,
    *,
    overwrite: bool = False,
    quick: bool = False,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Backup:
    """Write a backup, as the database is at one moment; it is whole, checked and on the disk, or there is none.

    Others may write to the database meanwhile. For `quick` and `is_stopped` see `write_copy`.

    Raises
    ------
    LabeltoolError
        When there is a file already, it cannot be written, or the database is damaged.
    """
    directory, folder = store.directory.resolve(), path.parent.absolute()
    with labeltool_errors(path):
        if folder.parent.resolve() / folder.name == directory / BACKUP_FOLDER:
            make_folder(directory / BACKUP_FOLDER)  # refused where it is a link
        target = folder.resolve(strict=True) / path.name
        if target in {companion(directory / store.path.name, suffix) for suffix in ("", *COMPANIONS)}:
            raise LabeltoolError("is the database itself", file=path, remedy="choose another name")
        if path.is_dir() and not path.is_symlink():
            raise LabeltoolError("is a folder", file=path, remedy="name a file in it")
        if os.path.lexists(path) and not overwrite:
            raise LabeltoolError("there is a file already", file=path, remedy="--overwrite replaces it")
        if path.exists() and not path.is_symlink() and not _is_database(path):
            raise LabeltoolError("is no backup, and is not overwritten", file=path, remedy="choose another name")
        store.require_same_files()
        with written_whole(target, stat.S_IMODE(store.path.stat().st_mode)) as partial:
            write_copy(store.connection, partial, store.path, quick=quick, is_stopped=is_stopped)
            with closing(connect_read_only(partial)) as copy:
                (rows,) = copy.execute("SELECT COUNT(*) FROM journal").fetchone()
    return Backup(path, path.stat().st_size, rows)


def back_up_daily(database: Path, keep: int, is_stopped: Callable[[], bool]) -> Path | None:
    """Write the backup of today, where there is none and something was added since the newest, and remove old ones.

    Parameters
    ----------
    keep
        The number of daily backups to keep; 0 writes none.

    Returns
    -------
    Path | None
        The backup; None if none was due.

    Raises
    ------
    LabeltoolError
        As `back_up`, which leaves all backups as they are.
    """
    folder = database.with_name(BACKUP_FOLDER)
    path = folder / f"daily-{date.today().isoformat()}.db"
    if keep < 1 or os.path.lexists(path):
        return None
    with labeltool_errors(folder), Store.open(database) as store:
        # One of a day to come, written by a clock that was wrong, neither counts nor is removed.
        newest = max((one for one in _daily_backups(folder) if one.name < path.name), default=None)
        contents = _newest_rows(store.connection)
        if store.read_only or contents == (None, None) or (newest is not None and contents == _newest_rows_of(newest)):
            return None
        back_up(store, path, quick=True, is_stopped=is_stopped)
        for old in sorted(one for one in _daily_backups(folder) if one.name <= path.name)[:-keep]:
            old.unlink(missing_ok=True)
    return path


def _daily_backups(folder: Path) -> list[Path]:
    return [path for path in folder.glob("daily-????-??-??.db") if _is_file(path)]


def _is_database(path: Path) -> bool:
    with suppress(LabeltoolError), labeltool_errors(path), closing(connect_read_only(path, alone=True)) as connection:
        checked_version(connection, path)
        return True
    return False


def _newest_rows_of(backup: Path) -> tuple[object, ...] | None:
    with suppress(LabeltoolError), labeltool_errors(backup):
        require_plain_files(backup)
        with closing(connect_read_only(backup, alone=True)) as connection:
            checked_version(connection, backup)
            return _newest_rows(connection)
    return None


def _newest_rows(connection: sqlite3.Connection) -> tuple[object, ...]:
    """Return the newest rows of the journal and of the clips: only by those does anything enter that is not derived."""
    return tuple(connection.execute("SELECT (SELECT MAX(id) FROM journal), (SELECT MAX(id) FROM clips)").fetchone())


def copies(database: Path) -> list[Path]:
    """Return the backups and the copies that labeltool kept of a database, the newest first; no links."""
    folder = database.with_name(BACKUP_FOLDER)
    by_hand = [path for path in folder.glob(f"{database.stem}-*.db") if _is_file(path)]
    kept = [path for path in database.parent.glob(f"{database.name}.*.bak") if _is_file(path)]
    return sorted([*_daily_backups(folder), *by_hand, *kept], key=_written_at, reverse=True)


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _written_at(database: Path) -> float:
    """Return when something was last written to a database: what is new is in its `-wal`, while it has one."""
    written = [file.lstat() for file in (database, companion(database, "-wal")) if file.exists()]
    return max((status.st_mtime for status in written if status.st_size), default=0.0)


def restore(database: Path, backup: Path) -> Path | None:
    """Put a backup in the place of a database, which may be damaged or missing, and keep what was there.

    The database is exchanged as a file: a program that has it open finds that out before it writes, for what it knows
    about the old one may be wrong. Whoever is writing at this moment finishes first.

    Parameters
    ----------
    backup
        A labeltool database of this version or an older one; it stays as it is.

    Returns
    -------
    Path | None
        Where the database that was replaced is now, with its `-wal` of the same name; None if there was none.

    Raises
    ------
    LabeltoolError
        When the backup cannot be used or the database cannot be replaced; nothing has changed then.
    """
    with labeltool_errors(backup):
        in_project = backup.parent.resolve().is_relative_to(database.parent.resolve())
        source = backup if in_project else backup.resolve()
        if not os.path.lexists(source):
            raise LabeltoolError("no such file", file=backup)
        require_plain_files(source)
        if database.exists() and source.samefile(database):
            raise LabeltoolError("is the database itself", file=backup, remedy="name a backup")
    if database.is_symlink() or (database.exists() and not database.is_file()):
        raise LabeltoolError("is a link or no file; it is not replaced", file=database, remedy="remove it")
    with labeltool_errors(database), ExitStack() as undo, written_whole(database, _mode(database, source)) as partial:
        # Without a -wal nobody has it open; it may be on a disk that cannot be written.
        alone = not any(companion(source, suffix).exists() for suffix in COMPANIONS)
        with labeltool_errors(backup), closing(connect_read_only(source, alone=alone)) as connection:
            write_copy(connection, partial, backup)
        with closing(connect_read_only(partial)) as copy:
            checked_version(copy, backup)
        with _no_writer(database):
            kept = undo.enter_context(moved_away(database))
    if kept is not None:
        _merge_wal(kept)
    return kept


def _mode(database: Path, source: Path) -> int:
    """Return the permissions that the database has, or else those of the backup."""
    return stat.S_IMODE((database if database.exists() else source).stat().st_mode)


@contextmanager
def _no_writer(database: Path) -> Iterator[None]:
    """Keep others from writing to a database meanwhile; one that cannot be read has no writers.

    Raises
    ------
    LabeltoolError
        When another process goes on writing.
    """
    try:
        # Not through links, and not an empty file, whose -wal SQLite would delete.
        require_own_files(database)
        connection = connect_to_file(database)
    except (LabeltoolError, sqlite3.Error):
        yield
        return
    with closing(connection):
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.DatabaseError as error:
            if "locked" in str(error):
                raise
        yield


def _merge_wal(kept: Path) -> None:
    """Make one file of a database and its `-wal`, unless it is open elsewhere or cannot be read."""
    with suppress(LabeltoolError, sqlite3.Error):
        require_own_files(kept)
        with closing(connect_to_file(kept)) as connection:
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()
