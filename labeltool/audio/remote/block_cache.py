"""What was read of remote sounds, kept on this disk: a file for each block, a folder for each version of a sound.

It lies in the user's cache (`user_folders`), is shared by all projects and processes, and may be deleted at will. A
block appears whole or not at all. Where all of it takes more than `[remote] cache_gb`, what was used longest ago is
removed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from labeltool.audio.remote.limits import limits
from labeltool.errors import LabeltoolError
from labeltool.util.files import file_locks
from labeltool.util.files.atomic_write import write_bytes
from labeltool.util.files.writable import both, writable_folder
from labeltool.util.user_folders import cache_folder

BLOCK_BYTES = 1 << 15
"""A clip alone costs a block more than its own bytes: 7 % of 5 s at 44.1 kHz, 16 bit."""

MAX_NOTE_BYTES = 1 << 16
"""Of the notes beside the blocks: references and hashes."""

# After so much more of its limit was written, a process looks at how large the cache is.
_SHARE_BETWEEN_LOOKS = 1 / 32
_BETWEEN_LOOKS_S = 0.02
# What is left after it was found too large.
_SHARE_LEFT = 0.9
# What the smallest file takes on a disk.
_SMALLEST_FILE = 4096

_written_since_look: int | None = None  # None: never looked


def root() -> Path:
    """Return the folder of the cache; a temporary one where that cannot be written, in which `both` are read."""
    return writable_folder(cache_folder() / "remote")


def folder_of(reference_id: str) -> Path:
    """Return the folder of a version of a sound; it may be missing."""
    return root() / reference_id[:2] / reference_id


def read(path: Path, size: int) -> bytes | None:
    """Return a block's content, None where it is missing or has another size; it counts as used now."""
    for place in both(path):
        with suppress(OSError), place.open("rb") as file:
            content = file.read(size + 1)
            if len(content) == size:
                with suppress(OSError):  # of a read-only cache
                    os.utime(place)
                return content
    return None


def write(path: Path, content: bytes) -> None:
    """Keep something, as far as there is space for it."""
    global _written_since_look
    with suppress(OSError, LabeltoolError):
        write_bytes(path, content)
        limit = limits().cache_bytes
        if _written_since_look is None or _written_since_look > limit * _SHARE_BETWEEN_LOOKS:
            _written_since_look = 0
            remove_oldest(limit)
        _written_since_look += max(len(content), _SMALLEST_FILE)


def remove_oldest(limit_bytes: int) -> None:
    """Remove what was used longest ago where the cache is larger than a number of bytes."""
    with suppress(OSError), (root() / "lock").open("wb") as lock:
        if not file_locks.acquire(lock.fileno()):  # one process at a time is enough
            return
        files = sorted(_files(root()))
        left = sum(size for _, size, _ in files)
        if left <= limit_bytes:
            return
        for _, size, path in files:
            with suppress(OSError):
                Path(path).unlink()
                left -= size
            if left <= limit_bytes * _SHARE_LEFT:
                break


def _files(folder: Path) -> Iterator[tuple[float, int, str]]:
    """Yield when each file below a folder was used, its size on the disk and its path."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    yield from _files(Path(entry.path))
                elif entry.name != "lock":
                    status = entry.stat(follow_symlinks=False)
                    yield status.st_mtime, max(status.st_size, _SMALLEST_FILE), entry.path


def block_path(folder: Path, number: int) -> Path:
    """Return the file of a block."""
    return folder / f"{number:06x}"


def blocks_of(folder: Path) -> frozenset[int]:
    """Return the numbers of the blocks in the folder of a version of a sound."""
    numbers: set[int] = set()
    for place in both(folder):
        with suppress(OSError):
            numbers |= {int(name, 16) for name in os.listdir(place) if len(name) == 6}  # noqa: PTH208 (names alone)
    return frozenset(numbers)


def kept_ids() -> list[str]:
    """Return the ids of the versions of sounds of which something is kept."""
    found: list[str] = []
    for place in both(root()):
        with suppress(OSError), os.scandir(place) as folders:
            for folder in folders:
                if len(folder.name) == 2:
                    with suppress(OSError):
                        found += os.listdir(folder)  # noqa: PTH208 (names alone)
    return found


@contextmanager
def locked(folder: Path, require_wanted: Callable[[], None]) -> Iterator[None]:
    """Keep others from fetching blocks of the same sound meanwhile, so that none is fetched twice.

    Parameters
    ----------
    require_wanted
        Called while another fetches; what it raises ends the waiting.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("wb")
    except OSError:  # nothing can be kept: each fetches for itself
        yield
        return
    with lock:
        with suppress(OSError):  # where there are no locks, each fetches for itself
            while not file_locks.acquire(lock.fileno()):
                require_wanted()
                time.sleep(_BETWEEN_LOOKS_S)
        yield
