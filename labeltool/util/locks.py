"""One process at a time in a folder, or at a piece of work."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from labeltool.errors import LabeltoolError

_TRIED_EVERY_S = 0.25


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Wait until no other process is at a folder, which is made where it is not there.

    The folder itself is locked: nothing is left behind, and the lock goes with the process, however it ends.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def in_turn(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Wait until no other process is at a piece of work, for which a file stands; it goes with the process, too.

    Parameters
    ----------
    waiting
        Called again and again while one waits, to tell of it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                time.sleep(_TRIED_EVERY_S)
            else:
                break
        yield


@contextmanager
def alone(path: Path, what: str) -> Iterator[None]:
    """Let one process at a time do something; the lock, a file, goes with the process, however it ends.

    Raises
    ------
    LabeltoolError
        When another is at it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise LabeltoolError(f"another {what} of this project is under way", remedy="wait for it") from error
        yield
