"""Folders that cannot be written: by a mount for root, whom permissions do not stop, else by permissions."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Let nothing in a folder be written for the time of the block."""
    if os.geteuid() == 0:
        with _mounted("--bind", folder, folder):
            subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
            yield
        return
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*"))}
    try:
        for path, mode in modes.items():
            path.chmod(mode & ~0o222)
        yield
    finally:
        for path, mode in modes.items():
            path.chmod(mode)


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """Mount a small empty disk at a folder."""
    with _mounted("-t", "tmpfs", "-o", f"size={size}", "none", folder):
        yield


def fill_disk(folder: Path) -> None:
    """Write a file into a folder until its disk is full."""
    with (folder / "filling").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every file below a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


@contextmanager
def _mounted(*arguments: str | Path) -> Iterator[None]:
    if subprocess.run(["mount", *map(str, arguments)], capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a disk")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(arguments[-1])], check=True)
