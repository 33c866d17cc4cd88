"""Locks between processes: one of them at a time does a piece of work.

A lock is an advisory one on a file (`file_locks`): the system releases it with its process, however that ends.
The file stays behind; it has the id of the process that holds the lock. A link in its place, or on the way to it, is
not followed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from labeltool.errors import LabeltoolError
from labeltool.util import lifetime
from labeltool.util.files import file_locks
from labeltool.util.files.folders import open_file
from labeltool.util.files.no_links import make_folder, refuse_links

WAITING = "waiting for"
"""The beginning of what is reported while a process waits for another one."""

_RETRY_S = 0.25
_MAX_ID_BYTES = 16


@contextmanager
def try_lock(path: Path, task: str) -> Iterator[None]:
    """Hold a lock, or fail at once where another process holds it.

    Parameters
    ----------
    path
        The lock's file; its folder is made.

    Raises
    ------
    LabeltoolError
        When another process holds the lock, or a link is in the way.
    """
    with _opened(path) as lock:
        if not _acquired(lock):
            raise LabeltoolError(f"another {task} of this project is under way{_holder(lock)}", remedy="wait for it")
        yield


@contextmanager
def wait_for_lock(path: Path, task: str, while_waiting: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold a lock, after waiting for the process that holds it.

    Parameters
    ----------
    path
        The lock's file; its folder is made.
    while_waiting
        Called a few times a second while waiting, with what is waited for.

    Raises
    ------
    LabeltoolError
        When a link is in the way.
    SystemExit
        When this process is to end (`lifetime.exit_if_stopped`).
    """
    with _opened(path) as lock:
        while not _acquired(lock):
            if while_waiting is not None:
                while_waiting(f"{WAITING} another {task}{_holder(lock)}")
            lifetime.exit_if_stopped()
            time.sleep(_RETRY_S)
        yield


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """Open a lock's file; closing it releases the lock."""
    make_folder(path.parent)
    refuse_links(path)  # the lock would fail, without saying why
    lock = open_file(path, os.O_RDWR | os.O_CREAT)
    try:
        yield lock
    finally:
        os.close(lock)


def _acquired(lock: int) -> bool:
    if not file_locks.acquire(lock):
        return False
    status = os.fstat(lock)
    # Not what else stands in the lock's place.
    if status.st_nlink == 1 and status.st_size <= _MAX_ID_BYTES:
        with suppress(OSError):  # the disk may be full
            os.ftruncate(lock, 0)
            os.lseek(lock, 0, os.SEEK_SET)
            os.write(lock, b"%d" % os.getpid())
    return True


def _holder(lock: int) -> str:
    """Return the id of the process that holds a lock, as the end of a sentence; "" where the file does not tell."""
    os.lseek(lock, 0, os.SEEK_SET)
    text = os.read(lock, _MAX_ID_BYTES)
    return f" (process {int(text)})" if text.isdigit() else ""
