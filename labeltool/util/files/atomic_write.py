"""Files and folders that are written whole or not at all: under a hidden random name, which becomes theirs at the end.

No link is followed (see `no_links`), and none can be planted in the place of a random name. Whoever writes holds an
advisory lock on what it writes, which ends with its process: so the next writer in a folder tells what a killed one
left from what is still being written, and removes it. Where folders have no descriptors (`folders`) a file that is open
cannot be renamed: nothing is locked, and what is a day old is taken for left.
"""

from __future__ import annotations

import os
import re
import stat
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from labeltool.util.files import file_locks, folders, no_links
from labeltool.util.files.folders import Folder
from labeltool.util.lifetime import exit_if_stopped

SUFFIX = ".partial"
"""Ending of what is being written, or what a killed process left."""

_REPLACED = ".replaced"
"""Ending of a folder while another takes its name."""

_LEFTOVER = re.compile(
    rf"\.(?:[0-9a-f]{{32}}{re.escape(SUFFIX)}|(?P<name>.+)\.[0-9a-f]{{32}}{re.escape(_REPLACED)})", re.DOTALL
)

_cleaned: set[tuple[int, int]] = set()
"""Device and inode of the folders that this process has cleaned."""


@contextmanager
def open_atomic(path: Path, *, durable: bool = False) -> Iterator[BinaryIO]:
    """Open a file for writing that appears under its name, in place of another, when the block ends without an error.

    Parameters
    ----------
    path
        Its folder is made where it is missing.
    durable
        Whether the bytes are on the disk (fsync) before the file takes its place: for what cannot be made again.

    Raises
    ------
    LabeltoolError
        When a folder on the way is a link.
    OSError
        When the folder cannot be written; nothing is left behind then.
    SystemExit
        When this process was stopped meanwhile (`lifetime.exit_if_stopped`); neither.
    """
    with no_links.errors_of(path), no_links.open_folder(path.parent, make=True) as folder:
        _clean_once(folder)
        name, descriptor = _create(lambda name: _new_file(folder, name))
        # The lock is the descriptor's, which stays open until the file has its name.
        lock = os.dup(descriptor) if folders.BY_DESCRIPTOR else folders.NO_DESCRIPTOR
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                if durable:
                    file.flush()
                    folders.sync(file.fileno())
            exit_if_stopped()
            folder.replace(name, path.name)
        except BaseException:
            no_links.remove(folder, name)
            raise
        finally:
            folders.close(lock)
        if durable:
            folder.sync()


def write_bytes(path: Path, content: bytes, *, durable: bool = False) -> None:
    """Write a file, as `open_atomic`."""
    with open_atomic(path, durable=durable) as file:
        file.write(content)


def write_text(path: Path, text: str, *, durable: bool = False) -> None:
    """Write a file of UTF-8 text, as `open_atomic`; line ends stay as they are."""
    write_bytes(path, text.encode(), durable=durable)


def open_empty(path: Path) -> BinaryIO:
    """Open an empty file in place of what had its name, a link or a pipe too: for a log, read while it is written."""
    name = f".{uuid.uuid4().hex}{SUFFIX}"
    with no_links.errors_of(path), no_links.open_folder(path.parent, make=True) as folder:
        if not folders.BY_DESCRIPTOR:  # what is open has its name for good
            no_links.remove(folder, path.name)
            return os.fdopen(_new_file(folder, path.name), "wb")
        file = os.fdopen(_new_file(folder, name), "wb")
        try:
            folder.replace(name, path.name)
        except OSError:
            file.close()
            no_links.remove(folder, name)
            raise
    return file


class NewFolder:
    """A folder that is being written at `path`, by its maker alone, until it is published; made by `new_folder`."""

    def __init__(self, parent: Path, name: str, descriptor: int) -> None:
        self.path = parent / name
        self._descriptor = descriptor
        status = os.fstat(descriptor) if folders.BY_DESCRIPTOR else self.path.stat()
        self._mode = stat.S_IMODE(status.st_mode)
        self._set_mode(self._mode & ~(stat.S_IRWXG | stat.S_IRWXO))

    def sync(self) -> None:
        """Bring all of it to the disk: after a power failure no name must refer to empty files."""
        for path in (*self.path.rglob("*"), self.path):
            sync(path)

    def publish(self, name: str) -> Path:
        """Sync it, then give it its name, in place of what has that; return the path.

        Where that fails, what had the name has it again.

        Raises
        ------
        SystemExit
            When this process was stopped meanwhile (`lifetime.exit_if_stopped`).
        """
        target = self.path.with_name(name)
        self.sync()
        exit_if_stopped()
        self._set_mode(self._mode)
        aside = f".{name}.{uuid.uuid4().hex}{_REPLACED}"
        with no_links.errors_of(target), no_links.open_folder(target.parent) as folder, _lock_on(folder, name):
            is_replaced = _rename(folder, name, aside)
            try:
                folder.rename(self.path.name, name)
                try:
                    folder.sync()
                except BaseException:
                    _rename(folder, name, self.path.name)
                    raise
            except BaseException:
                if is_replaced:
                    _rename(folder, aside, name)
                raise
            with suppress(OSError):
                no_links.remove(folder, aside)
        return target

    def _set_mode(self, mode: int) -> None:
        with suppress(OSError):  # a file system that has no modes
            folders.set_mode(self._descriptor, mode)

    def withdraw(self, name: str) -> None:
        """Take the name from it again; it is removed as one that was not published."""
        no_links.rename(self.path.with_name(name), self.path)


def sync(path: Path) -> None:
    """Wait until a file or a folder, which is no link, is on the disk."""
    if not folders.BY_DESCRIPTOR and path.is_dir():
        return
    descriptor = folders.open_file(path, os.O_RDONLY if folders.BY_DESCRIPTOR else os.O_RDWR)
    try:
        folders.sync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def new_folder(parent: Path) -> Iterator[NewFolder]:
    """Make an empty folder in another, which is made where it is missing; removed at the end unless it was published.

    Raises
    ------
    LabeltoolError
        When a folder on the way is a link.
    OSError
        When the folder cannot be written.
    """
    with no_links.open_folder(parent, make=True) as folder:
        _clean(folder)
        with no_links.errors_of(parent):
            name, descriptor = _create(lambda name: _new_folder(folder, name))
        try:
            yield NewFolder(parent, name, descriptor)
        finally:
            with suppress(OSError):
                no_links.remove(folder, name)
            folders.close(descriptor)


def remove_tree(path: Path) -> None:
    """Remove a folder with everything in it, or a link itself; one that is missing is fine.

    It is renamed first: one that is half removed has its name no more.
    """
    with suppress(FileNotFoundError), no_links.errors_of(path), no_links.open_folder(path.parent) as folder:
        name = f".{uuid.uuid4().hex}{SUFFIX}"
        folder.rename(path.name, name)
        no_links.remove(folder, name)


def _new_file(folder: Folder, name: str) -> int:
    return folder.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL)


def _new_folder(folder: Folder, name: str) -> int | None:
    folder.make(name)
    try:
        return folder.open_inner(name)
    except FileNotFoundError:  # another process took it for a leftover
        return None


def _create(make: Callable[[str], int | None]) -> tuple[str, int]:
    """Make something under a random name, and lock it where that can be; return the name and the descriptor."""
    while True:
        name = f".{uuid.uuid4().hex}{SUFFIX}"
        descriptor = make(name)
        if descriptor is None:
            continue
        if not folders.BY_DESCRIPTOR:
            return name, descriptor
        with suppress(OSError):  # where there are no locks, nothing is taken for a leftover
            if not file_locks.acquire(descriptor):  # another process took it for a leftover
                os.close(descriptor)
                continue
        if os.fstat(descriptor).st_nlink:  # not removed before it was locked
            return name, descriptor
        os.close(descriptor)


@contextmanager
def _lock_on(folder: Folder, name: str) -> Iterator[None]:
    """Keep others from taking a folder for a leftover; it may be missing."""
    descriptor = folders.NO_DESCRIPTOR
    with suppress(OSError):
        descriptor = folder.claim(name)
    try:
        yield
    finally:
        folders.close(descriptor)


def _rename(folder: Folder, old: str, new: str) -> bool:
    """Rename an entry of an open folder; False where there is none."""
    try:
        folder.rename(old, new)
    except FileNotFoundError:
        return False
    return True


def _clean_once(folder: Folder) -> None:
    """Clean an open folder, the first time in this process: it may be a cache with many files."""
    identity = folder.identity()
    if identity not in _cleaned:
        _cleaned.add(identity)
        _clean(folder)


def _clean(folder: Folder) -> None:
    """Remove what killed processes left in an open folder, or give it its name back where nothing has taken that."""
    with suppress(OSError):
        for name in folder.names():
            leftover = _LEFTOVER.fullmatch(name)
            if leftover:
                with suppress(OSError):
                    _clean_up(folder, name, leftover["name"])


def _clean_up(folder: Folder, name: str, replaced: str | None) -> None:
    descriptor = folder.claim(name)
    try:
        if replaced is not None:
            with suppress(OSError):  # something in it has taken the name
                _rename(folder, name, replaced)
        no_links.remove(folder, name)
    finally:
        folders.close(descriptor)
