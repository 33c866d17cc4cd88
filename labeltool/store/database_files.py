"""The files of a database: which may be opened, whether they are still the opened ones, and how they are replaced.

Nothing here opens the database's own file: closing it would release the locks that SQLite has on it in this process.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from labeltool.errors import LabeltoolError
from labeltool.util.files.atomic_write import new_folder, sync
from labeltool.util.files.folders import set_mode

COMPANIONS = ("-wal", "-shm", "-journal")
"""What SQLite appends to a database's name: committed pages, their index, and pages to be rolled back."""

# A rollback journal that ends in this names a second journal, which SQLite deletes when it has rolled back.
_NAMES_ANOTHER_JOURNAL = bytes.fromhex("d9d505f920a163d7")

FileId = tuple[int, int]
"""Device and inode of a file."""


def companion(path: Path, suffix: str) -> Path:
    """Return the path of one of a database's `COMPANIONS`, or with "" its own."""
    return path.with_name(path.name + suffix)


def require_plain_files(path: Path) -> None:
    """Refuse a database that SQLite must not open: it follows links, and deletes what a journal names.

    Raises
    ------
    LabeltoolError
        Naming the file: a link, no regular file, an empty database, or a journal that names another file.
    """
    for suffix in ("", *COMPANIONS):
        file = companion(path, suffix)
        try:
            found = file.lstat()
        except FileNotFoundError:
            continue
        if stat.S_ISLNK(found.st_mode):
            raise LabeltoolError("is a link; a project's database is a file", file=file, remedy="nothing was opened")
        if not stat.S_ISREG(found.st_mode):
            raise LabeltoolError("is no file", file=file, remedy="nothing was opened")
        if not suffix and not found.st_size:
            # SQLite would delete the -wal of an empty file, with what was committed to it.
            raise LabeltoolError("is empty", file=file, remedy="`labeltool restore FILE` brings back a backup")
        if suffix == "-journal" and _end(file, found.st_size) == _NAMES_ANOTHER_JOURNAL:
            reason = "names another file, which SQLite would delete"
            raise LabeltoolError(reason, file=file, remedy="nothing was opened; labeltool never writes such a file")


def why_not_own(path: Path) -> str:
    """Return why a database must not be written to, and the remedy; "" where all its files are its own.

    One that has another name elsewhere, in a copy by hard links say, would change there too.
    """
    for file in (companion(path, suffix) for suffix in ("", *COMPANIONS)):
        with suppress(FileNotFoundError):
            if file.lstat().st_nlink > 1:
                name = file.name
                why = f"{name} is a hard link: a file elsewhere would get what is written here"
                return f"{why}; make it a file of its own: `cp {name} copy && mv copy {name}`"
    return ""


def require_own_files(path: Path) -> None:
    """Refuse a database that SQLite must not write to, besides those of `require_plain_files`.

    Raises
    ------
    LabeltoolError
        Naming a file that has another name elsewhere (`why_not_own`).
    """
    require_plain_files(path)
    if why := why_not_own(path):
        raise LabeltoolError("cannot be written", file=path, remedy=why)


def _end(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, size - len(_NAMES_ANOTHER_JOURNAL)))
        return file.read(len(_NAMES_ANOTHER_JOURNAL))


def file_ids(path: Path) -> tuple[FileId | None, ...]:
    """Return which files a database's name and those of its `-wal` and `-shm` stand for; None: there is none."""
    return tuple(_file_id(companion(path, suffix)) for suffix in ("", "-wal", "-shm"))


def _file_id(path: Path) -> FileId | None:
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino


Stamps = tuple[tuple[str, int, int], ...]
"""Name, time of the last change and size of files."""


def stamps(path: Path) -> Stamps:
    """Return values that differ once a database, its -wal or its -journal was changed; none for a missing file."""
    found = []
    for suffix in ("", "-wal", "-journal"):
        with suppress(FileNotFoundError):
            file = companion(path, suffix)
            status = file.lstat()
            if status.st_size:
                found.append((file.name, status.st_mtime_ns, status.st_size))
    return tuple(found)


def is_in_use(path: Path) -> bool:
    """Return whether a database is open elsewhere, or has a -wal or -journal that must be read with it.

    Empty ones are what is left where a disk was full.
    """
    return any(os.path.lexists(one) and one.lstat().st_size for one in (companion(path, end) for end in COMPANIONS))


def copy_files(path: Path, copy: Path) -> None:
    """Copy a database with its -wal and its -journal.

    Raises
    ------
    LabeltoolError
        When they were changed meanwhile.
    OSError
        When there is no space.
    """
    before = stamps(path)
    for name, _, _ in before:
        source = path.with_name(name)
        shutil.copyfile(source, companion(copy, name.removeprefix(path.name)), follow_symlinks=False)
    if stamps(path) != before:
        raise LabeltoolError("was changed while it was read", file=path, remedy="try again in a moment")


@contextmanager
def written_whole(path: Path, mode: int | None = None) -> Iterator[Path]:
    """Yield a new empty file for SQLite to write; it takes the place of `path` when the block ends without an error.

    Parameters
    ----------
    mode
        The permissions of the file; None: as the process makes files.

    Raises
    ------
    OSError
        When the folder cannot be written; nothing is left behind then.
    """
    # In a folder, which `atomic_write` locks: this file SQLite locks.
    with new_folder(path.parent) as folder:
        partial = folder.path / path.name
        file = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        try:
            if mode is not None:
                set_mode(file, mode)
        finally:
            os.close(file)
        yield partial
        sync(partial)
        partial.replace(path)
        sync(path.parent)


def copy_name(path: Path, why: str) -> Path:
    """Return the name of a copy beside a database that labeltool keeps before it changes or replaces it."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    return path.with_name(f"{path.name}.{why}.{stamp}.bak")


@contextmanager
def moved_away(path: Path) -> Iterator[Path | None]:
    """Give a database and its companions another name, the same for all, so that SQLite finds them together.

    A new database under the old name would otherwise take up the `-wal` of the one before. Who has the files open goes
    on with them, and finds by `file_ids` that they were exchanged. When the block fails before there is a new one, they
    get their names back.

    Yields
    ------
    Path | None
        The new name of the database; None if there was nothing.
    """
    kept = copy_name(path, "replaced")
    # The database first: without it there is no project, but with it and without its -wal there would be an older one.
    names = [(companion(path, suffix), companion(kept, suffix)) for suffix in ("", *COMPANIONS)]
    try:
        moved = [old.rename(new) for old, new in names if os.path.lexists(old)]
        if moved:
            sync(path.parent)
        yield kept if moved else None
    except BaseException:
        if not os.path.lexists(path):  # into a new one others may have written already
            for old, new in reversed(names):
                if os.path.lexists(new):
                    new.rename(old)
        raise
