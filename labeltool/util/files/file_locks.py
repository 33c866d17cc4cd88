"""A lock on an open file, which the system releases when it is closed, however its process ends.

The library `filelock` does not do: it locks a path of its own, and what is being written is locked by its descriptor,
before it has a name.
"""

from __future__ import annotations

import os

try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None  # type: ignore[assignment]

ON_FOLDERS = fcntl is not None
"""Whether a folder can be locked too."""

# Windows locks a part of a file, which nobody else can read then: one byte far behind what a lock's file contains.
_LOCKED_BYTE = 1 << 30


def acquire(descriptor: int) -> bool:
    """Lock an open file, or a folder where the system can; return whether no other process has locked it.

    Raises
    ------
    OSError
        Where the file system has no locks.
    """
    if fcntl is None:
        return _acquired_on_windows(descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _acquired_on_windows(descriptor: int) -> bool:
    import msvcrt

    os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
    try:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    except PermissionError:
        return False
    finally:
        os.lseek(descriptor, 0, os.SEEK_SET)
    return True
