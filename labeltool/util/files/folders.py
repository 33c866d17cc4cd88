"""A folder that is open for changes to its entries; nothing that is changed through it follows a link.

Where the system names entries relative to the descriptor of a folder (Linux, macOS), nobody can put a link in the way
between a look and a change. Elsewhere (Windows) each part of a path is looked at before, and a change names the whole
path: who may write in the folder could put a link in its place in between. There is no lock on a folder there either.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from labeltool.util.files import file_locks

NO_DESCRIPTOR = -1
"""In place of the descriptor of a folder where the system has none."""

BY_DESCRIPTOR = (
    file_locks.ON_FOLDERS
    and hasattr(os, "O_NOFOLLOW")
    and os.supports_dir_fd >= {os.open, os.mkdir, os.rename, os.unlink, os.stat}
)
"""Whether entries are named relative to the descriptor of a folder."""

# Without locks: what nobody has written to for a day is left over from a process that was killed.
_LEFT_OVER_AFTER_S = 24 * 3600.0
# Of the C library of Windows: else line ends would be changed, and other programs inherit the file.
_AS_BYTES = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOINHERIT", 0)


class Folder(ABC):
    """An open folder; the names are of its entries."""

    @abstractmethod
    def inner(self, name: str) -> Folder:
        """Open a folder in it, which is no link."""

    @abstractmethod
    def make(self, name: str) -> None:
        """Make a folder in it."""

    @abstractmethod
    def open(self, name: str, flags: int) -> int:
        """Open a file in it that is no link."""

    @abstractmethod
    def open_inner(self, name: str) -> int:
        """Return the descriptor of a folder in it, which can be locked, or `NO_DESCRIPTOR`."""

    @abstractmethod
    def status(self, name: str) -> os.stat_result:
        """Return the status of an entry, of a link itself."""

    @abstractmethod
    def rename(self, name: str, new: str, target: Folder | None = None) -> None:
        """Rename an entry, into another folder perhaps; a link itself."""

    @abstractmethod
    def replace(self, name: str, new: str) -> None:
        """Rename a file, in place of what has its new name."""

    @abstractmethod
    def remove_file(self, name: str) -> None:
        """Remove a file, or a link itself."""

    @abstractmethod
    def remove_tree(self, name: str) -> None:
        """Remove a folder with everything in it; no link in it is followed."""

    @abstractmethod
    def names(self) -> list[str]:
        """Return the names of its entries."""

    @abstractmethod
    def touch(self, name: str) -> None:
        """Set the time of an entry to now."""

    @abstractmethod
    def sync(self) -> None:
        """Wait until its entries are on the disk, where the system can."""

    @abstractmethod
    def identity(self) -> tuple[int, int]:
        """Return its device and inode."""

    @abstractmethod
    def claim(self, name: str) -> int:
        """Open and lock what a killed process may have left; a `BlockingIOError` where it is being written."""

    @abstractmethod
    def close(self) -> None:
        """Close it."""

    def is_link(self, name: str) -> bool:
        """Return whether an entry is a link; a missing one is none."""
        with suppress(OSError):
            return is_link(self.status(name))
        return False


class _DescriptorFolder(Folder):
    """By its descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @staticmethod
    def _flags() -> int:
        # Where there is O_PATH, a folder on the way need not be readable.
        return os.O_DIRECTORY | os.O_NOFOLLOW | getattr(os, "O_PATH", os.O_RDONLY)

    @classmethod
    def at(cls, path: Path) -> _DescriptorFolder:
        """Open the first folder of a path."""
        return cls(os.open(path, cls._flags()))

    def inner(self, name: str) -> Folder:
        return _DescriptorFolder(os.open(name, self._flags(), dir_fd=self._descriptor))

    def make(self, name: str) -> None:
        os.mkdir(name, dir_fd=self._descriptor)

    def open(self, name: str, flags: int) -> int:
        return os.open(name, flags | os.O_NOFOLLOW, 0o666, dir_fd=self._descriptor)

    def open_inner(self, name: str) -> int:
        return self.open(name, os.O_RDONLY | os.O_DIRECTORY)

    def status(self, name: str) -> os.stat_result:
        return os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)

    def rename(self, name: str, new: str, target: Folder | None = None) -> None:
        other = self if target is None else target
        assert isinstance(other, _DescriptorFolder)
        os.rename(name, new, src_dir_fd=self._descriptor, dst_dir_fd=other._descriptor)

    def replace(self, name: str, new: str) -> None:
        os.replace(name, new, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)

    def remove_file(self, name: str) -> None:
        os.unlink(name, dir_fd=self._descriptor)

    def remove_tree(self, name: str) -> None:
        shutil.rmtree(name, dir_fd=self._descriptor)

    def names(self) -> list[str]:
        with self._readable() as descriptor:
            return os.listdir(descriptor)  # noqa: PTH208 (a descriptor is no path)

    def touch(self, name: str) -> None:
        os.utime(name, dir_fd=self._descriptor, follow_symlinks=False)

    def sync(self) -> None:
        with self._readable() as descriptor:
            sync(descriptor)

    def identity(self) -> tuple[int, int]:
        status = os.fstat(self._descriptor)
        return status.st_dev, status.st_ino

    def claim(self, name: str) -> int:
        descriptor = self.open(name, os.O_RDONLY | os.O_NONBLOCK)
        try:
            if not file_locks.acquire(descriptor):
                raise BlockingIOError(f"{name} is being written")
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def close(self) -> None:
        os.close(self._descriptor)

    @contextmanager
    def _readable(self) -> Iterator[int]:
        """Open it again, so that it can be listed and synced."""
        descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=self._descriptor)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


class _PathFolder(Folder):
    """By its path."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def at(cls, path: Path) -> _PathFolder:
        """Open the first folder of a path."""
        return cls(path)

    def inner(self, name: str) -> Folder:
        status = self.status(name)
        if is_link(status) or not stat.S_ISDIR(status.st_mode):
            raise NotADirectoryError(20, "Not a directory", str(self._path / name))
        return _PathFolder(self._path / name)

    def make(self, name: str) -> None:
        (self._path / name).mkdir()

    def open(self, name: str, flags: int) -> int:
        if self.is_link(name):
            raise FileExistsError(17, "File exists", str(self._path / name))
        return os.open(self._path / name, flags | _AS_BYTES, 0o666)

    def open_inner(self, name: str) -> int:
        return NO_DESCRIPTOR

    def status(self, name: str) -> os.stat_result:
        return (self._path / name).lstat()

    def rename(self, name: str, new: str, target: Folder | None = None) -> None:
        other = self if target is None else target
        assert isinstance(other, _PathFolder)
        (self._path / name).rename(other._path / new)

    def replace(self, name: str, new: str) -> None:
        (self._path / name).replace(self._path / new)

    def remove_file(self, name: str) -> None:
        (self._path / name).unlink()

    def remove_tree(self, name: str) -> None:
        shutil.rmtree(self._path / name)

    def names(self) -> list[str]:
        return [path.name for path in self._path.iterdir()]

    def touch(self, name: str) -> None:
        if not self.is_link(name):
            os.utime(self._path / name)

    def sync(self) -> None:
        pass  # Windows syncs no folders

    def identity(self) -> tuple[int, int]:
        status = self._path.stat()
        return status.st_dev, status.st_ino

    def claim(self, name: str) -> int:
        if time.time() - self.status(name).st_mtime < _LEFT_OVER_AFTER_S:
            raise BlockingIOError(f"{name} may be being written")
        return NO_DESCRIPTOR

    def close(self) -> None:
        pass


def first_folder(path: Path) -> Folder:
    """Open the folder that a walk along a path begins with."""
    return _DescriptorFolder.at(path) if BY_DESCRIPTOR else _PathFolder.at(path)


def open_file(path: Path, flags: int) -> int:
    """Open a file that is no link itself, by bytes; a folder on the way may be one."""
    if not BY_DESCRIPTOR and os.path.lexists(path) and is_link(path.lstat()):
        raise FileExistsError(17, "File exists", str(path))
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | _AS_BYTES, 0o666)


@contextmanager
def locked(folder: Path) -> Iterator[bool]:
    """Lock a folder for one process at a time; yield whether no other one has locked it.

    Raises
    ------
    OSError
        When it is missing or a link, or the file system has no locks.
    """
    if BY_DESCRIPTOR:
        descriptor, file = open_file(folder, os.O_RDONLY | os.O_DIRECTORY), None
    else:  # a file in it is locked instead
        file = folder / ".labeltool-lock"
        descriptor = open_file(file, os.O_RDWR | os.O_CREAT)
    acquired = False
    try:
        acquired = file_locks.acquire(descriptor)
        yield acquired
    finally:
        os.close(descriptor)
        if file is not None and acquired:
            with suppress(OSError):  # another process has it already
                file.unlink()


def is_link(status: os.stat_result) -> bool:
    """Return whether what has a status is a link: a symbolic one, or a junction of Windows."""
    junction = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", None)
    return stat.S_ISLNK(status.st_mode) or (junction is not None and getattr(status, "st_reparse_tag", 0) == junction)


def set_mode(descriptor: int, mode: int) -> None:
    """Set the permissions of an open file or folder, where the system has them."""
    if hasattr(os, "fchmod") and descriptor != NO_DESCRIPTOR:
        os.fchmod(descriptor, mode)


def close(descriptor: int) -> None:
    """Close a descriptor, which may be none."""
    if descriptor != NO_DESCRIPTOR:
        os.close(descriptor)


def sync(descriptor: int) -> None:
    """Wait until an open file or folder is on the disk; what fsync leaves to the drive on macOS too."""
    if sys.platform == "darwin":
        import fcntl

        with suppress(OSError):  # a file system that cannot
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
            return
    os.fsync(descriptor)
