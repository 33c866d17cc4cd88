"""Directories that appear whole or not at all.

A product is written into a hidden sibling of its target, gets its manifest, goes to the disk and takes its name by
renaming. Two fixed sibling names are used, under a lock on the folder that holds them, so that what a killed export
left behind is found and put right by the next one.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labeltool.errors import LabeltoolError

MANIFEST = "MANIFEST.sha256"
"""`sha256sum -c MANIFEST.sha256` inside the directory checks it; a directory that has one is an export of ours."""

_ELSEWHERE = "move it, or export elsewhere with -o"


@contextmanager
def folder_for_exports(output: Path) -> Iterator[None]:
    """Hold a folder for one export at a time; made if it is not there, removed again when nothing came into it.

    Raises
    ------
    LabeltoolError
        When it cannot be written, or another export is at work in it.
    """
    with _speaking(output):
        made = [folder for folder in (output, *output.parents) if not folder.exists()]
        output.mkdir(parents=True, exist_ok=True)
        lock = os.open(output, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise LabeltoolError("another export is writing here", file=output, remedy="wait for it") from error
        yield
    finally:
        for folder in made:
            try:
                folder.rmdir()
            except OSError:  # it holds what was exported
                break
        os.close(lock)


@contextmanager
def published(target: Path) -> Iterator[Path]:
    """Give a directory to write into, which becomes `target` when the block ends well and vanishes when it does not.

    An export that was there before is replaced; call it inside `folder_for_exports`.

    Yields
    ------
    Path
        An empty directory. Names of files in it hold no line breaks or backslashes.

    Raises
    ------
    LabeltoolError
        When something that is no export of ours has the name, or the disk refuses.
    """
    fresh, retired = (target.with_name(f".{target.name}.labeltool-{state}") for state in ("new", "old"))
    with _speaking(target):
        _put_right(target, fresh, retired)
        _refuse_foreign(target)
        fresh.mkdir()
        try:
            yield fresh
            _write_manifest(fresh)
            _to_disk(fresh)
            # Somebody may have put something there while this was written.
            _refuse_foreign(target)
            _swap(target, fresh, retired)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)


def _put_right(target: Path, fresh: Path, retired: Path) -> None:
    """Undo what an export that was killed left half done."""
    if fresh.exists():
        shutil.rmtree(fresh)
    if retired.exists():
        if target.exists():
            shutil.rmtree(retired)
        else:
            retired.rename(target)


def _refuse_foreign(target: Path) -> None:
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise LabeltoolError(
            "is in the way: it is no folder", file=target, remedy="move it, or export elsewhere with -o"
        )
    if target.is_dir() and not (target / MANIFEST).is_file() and any(target.iterdir()):
        raise LabeltoolError(
            f"holds something that is no export of ours (no {MANIFEST})",
            file=target,
            remedy=_ELSEWHERE,
        )


def _write_manifest(directory: Path) -> None:
    lines = []
    for path in sorted(path for path in directory.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        lines.append(f"{digest}  {path.relative_to(directory).as_posix()}\n")
    (directory / MANIFEST).write_text("".join(lines), encoding="utf-8")


def _to_disk(directory: Path) -> None:
    """Force files and folders out of the cache: after a power cut the name must not stand for empty files."""
    for path in (*directory.rglob("*"), directory):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _swap(target: Path, fresh: Path, retired: Path) -> None:
    replaced = target.exists()
    if replaced:
        target.rename(retired)
    try:
        fresh.rename(target)
    except OSError:
        if replaced:
            retired.rename(target)
        raise
    parent = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)
    if replaced:
        shutil.rmtree(retired, ignore_errors=True)


@contextmanager
def _speaking(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LabeltoolError(
            f"{error.strerror or error}; nothing was exported", file=error.filename or target
        ) from error
