"""Locks between processes: one of them at a time does a piece of work.

A lock is an advisory `flock` on a file, through `filelock`: the system releases it with its process, however that ends.
The file stays behind. A link in its place, or on the way to it, is not followed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from labeltool.errors import LabeltoolError
from labeltool.util.no_links import make_folder, refuse_links

if TYPE_CHECKING:
    from filelock import FileLock

_RETRY_S = 0.25


@contextmanager
def try_lock(path: Path, task: str) -> Iterator[None]:
    """Hold a lock, or fail at once where another process holds it.

    Parameters
    ----------
    path
        The lock's file; its folder is made.
    task
        What is locked, for the message.

    Raises
    ------
    LabeltoolError
        When another process holds the lock, or a link is in the way.
    """
    lock = _lock(path)
    if not _acquired(lock):
        raise LabeltoolError(f"another {task} of this project is under way", remedy="wait for it")
    try:
        yield
    finally:
        lock.release()


@contextmanager
def wait_for_lock(path: Path, while_waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold a lock, after waiting for the process that holds it.

    Parameters
    ----------
    path
        The lock's file; its folder is made.
    while_waiting
        Called a few times a second while waiting, to report progress.

    Raises
    ------
    LabeltoolError
        When a link is in the way.
    """
    lock = _lock(path)
    while not _acquired(lock):
        if while_waiting is not None:
            while_waiting()
        time.sleep(_RETRY_S)
    try:
        yield
    finally:
        lock.release()


def _lock(path: Path) -> FileLock:
    from filelock import FileLock  # 20 ms that light commands need not pay

    make_folder(path.parent)
    refuse_links(path)  # the lock would fail, without saying why
    # Without the fallback to a file that only stands for a lock: it would outlive a killed process.
    return FileLock(path, fallback_to_soft=False)


def _acquired(lock: FileLock) -> bool:
    from filelock import Timeout

    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True
