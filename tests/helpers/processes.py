"""Processes of a test: which still run, and waiting until they do not."""

from __future__ import annotations

from pathlib import Path


def alive(pid: int) -> bool:
    return _stat(pid)[:1] not in ([], ["Z"])


def children(pid: int) -> list[int]:
    """The processes that one has started."""
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for one in lists for child in one.read_text().split()]


def group(leader: int) -> list[int]:
    """The processes of a process group that still run."""
    numbers = (int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit())
    return [pid for pid in numbers if _stat(pid)[2:3] == [str(leader)] and alive(pid)]


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
