"""Whether something can be written, and temporary folders in place of those that cannot.

A project may lie on a read-only disk, on a full one, or belong to somebody else. What is computed from it then goes to
a temporary folder of this process, and is read from there first, then from the project.
"""

from __future__ import annotations

import atexit
import errno
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from labeltool.errors import LabeltoolError
from labeltool.util.files.atomic_write import new_folder

FULL = "the disk is full"
"""Why nothing can be written on a disk without space, or where a quota is used up."""

_WHY = {
    errno.EROFS: "read-only file system",
    **dict.fromkeys((errno.EACCES, errno.EPERM), "read-only: no permission"),
    **dict.fromkeys((errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)), FULL),
}
# With less on its disk, what can be made again is not kept there: it would fail halfway.
_SPACE_FOR_CACHES = 64 << 20

# The temporary folder in place of each folder, until this process ends.
_instead: dict[Path, Path] = {}
_making = threading.Lock()
_temporary = ExitStack()
atexit.register(_temporary.close)


def why_not(error: OSError) -> str:
    """Return why something cannot be written, in a few words; "" where the error is of another kind."""
    return _WHY.get(error.errno or 0, "")


@contextmanager
def writing_to(place: Path, what: str = "") -> Iterator[None]:
    """Raise the system's errors of writing as a `LabeltoolError` with the place, what is written there, and why not."""
    try:
        yield
    except OSError as error:
        reason = f"{what} cannot be written: {error.strerror or error}".lstrip()
        raise LabeltoolError(reason, file=place) from error


def why_not_writable(*paths: Path) -> str:
    """Return why the first of some files and folders that cannot be written cannot; "" where all can.

    Nothing is written to find out, so a full disk is not found. Those that are missing do not count.
    """
    for path in paths:
        try:
            # More than once: another process makes and removes a -wal meanwhile.
            if all(not os.access(path, os.W_OK) and os.path.lexists(path) for _ in range(3)):
                read_only = hasattr(os, "statvfs") and os.statvfs(path).f_flag & os.ST_RDONLY
                return _WHY[errno.EROFS if read_only else errno.EACCES]
        except OSError as error:
            return why_not(error) or str(error.strerror)
    return ""


def free_bytes(path: Path) -> int:
    """Return the space on a disk that is free for this user; a large number where that is not known."""
    try:
        return shutil.disk_usage(path).free
    except OSError:
        return 1 << 60


def temporary_parent(size: int = 0) -> Path:
    """Return where a temporary folder has space.

    Raises
    ------
    OSError
        When no disk for temporary files, nor the memory, has that many bytes.
    """
    with suppress(OSError):
        usual = Path(tempfile.gettempdir()).resolve()
        if free_bytes(usual) > size + _SPACE_FOR_CACHES:
            return usual
    memory = Path("/dev/shm")
    if os.access(memory, os.W_OK) and free_bytes(memory) > size + _SPACE_FOR_CACHES:
        return memory
    raise OSError(errno.ENOSPC, f"no space for {size >> 20} MiB of temporary files")


def writable_folder(folder: Path) -> Path:
    """Return a folder for what can be made again, or where it cannot be written a temporary one; see `kept`.

    Where there is no space for a temporary one either, it is the folder itself, and writing fails with the reason.
    """
    with _making:
        if folder not in _instead:
            there = folder if os.path.lexists(folder) else folder.parent
            if not why_not_writable(there) and free_bytes(there) >= _SPACE_FOR_CACHES:
                return folder
            with suppress(OSError):
                _instead[folder] = _temporary.enter_context(new_folder(temporary_parent())).path
        return _instead.get(folder, folder)


def write_instead(folder: Path, other: Path) -> None:
    """Let `writable_folder` return another folder: that of the process which started this one."""
    if folder != other:
        _instead[folder] = other


def both(path: Path) -> tuple[Path, ...]:
    """Return a path in a `writable_folder`, and the same in the folder itself where that is another."""
    for folder, temporary in _instead.items():
        if path.is_relative_to(temporary):
            return path, folder / path.relative_to(temporary)
    return (path,)


def kept(path: Path) -> Path:
    """Return where to read what `writable_folder` has: in the folder itself where only that has it."""
    return path if path.exists() else both(path)[-1]


def fetch(path: Path) -> Path:
    """Return a folder in a `writable_folder` to add to; in a temporary one it has what the folder itself has."""
    source = kept(path)
    if source != path and source.is_dir():
        shutil.copytree(source, path, symlinks=True)
    return path
