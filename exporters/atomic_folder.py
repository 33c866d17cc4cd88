"""Directories that appear whole or not at all.

A product is written into a hidden sibling of its target, gets its manifest, is flushed to disk and then renamed. The
two sibling names are fixed and used under a lock on the parent folder, so that the next export finds and cleans up what
a killed one left behind.
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
from labeltool.util.lifetime import exit_if_stopped

MANIFEST = "MANIFEST.sha256"
"""`sha256sum -c MANIFEST.sha256` inside the directory checks it; a directory that has one is an export of labeltool."""

_REMEDY = "move it, or export to another folder with -o"


@contextmanager
def locked_folder(output: Path) -> Iterator[None]:
    """Lock a folder for one export at a time; create it where it is missing, remove it again if it stays empty.

    Raises
    ------
    LabeltoolError
        When it cannot be written, or another export is running in it.
    """
    with _disk_errors(output):
        created = [folder for folder in (output, *output.parents) if not folder.exists()]
        output.mkdir(parents=True, exist_ok=True)
        lock = os.open(output, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise LabeltoolError(
                "another export is writing here", file=output, remedy="wait until it has finished"
            ) from error
        yield
    finally:
        for folder in created:
            try:
                folder.rmdir()
            except OSError:  # it contains what was exported
                break
        os.close(lock)


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Yield a directory that becomes `target` when the block succeeds and is removed when it fails.

    An earlier export of that name is replaced. Call it inside `locked_folder`.

    Yields
    ------
    Path
        An empty directory. File names in it must not contain line breaks or backslashes.

    Raises
    ------
    LabeltoolError
        When something other than an export has that name, or the disk cannot be written.
    """
    new, old = (target.with_name(f".{target.name}.labeltool-{state}") for state in ("new", "old"))
    with _disk_errors(target):
        _clean_up(target, new, old)
        _refuse_foreign(target)
        new.mkdir()
        try:
            yield new
            _write_manifest(new)
            _flush_to_disk(new)
            # Another program may have created the target in the meantime.
            _refuse_foreign(target)
            exit_if_stopped()
            _swap(target, new, old)
        finally:
            shutil.rmtree(new, ignore_errors=True)


def _clean_up(target: Path, new: Path, old: Path) -> None:
    """Remove or restore what a killed export left behind."""
    if new.exists():
        shutil.rmtree(new)
    if old.exists():
        if target.exists():
            shutil.rmtree(old)
        else:
            old.rename(target)


def _refuse_foreign(target: Path) -> None:
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise LabeltoolError("exists and is not a folder", file=target, remedy=_REMEDY)
    if target.is_dir() and not (target / MANIFEST).is_file() and any(target.iterdir()):
        raise LabeltoolError(
            f"contains files that are not an export of labeltool (no {MANIFEST})", file=target, remedy=_REMEDY
        )


def _write_manifest(directory: Path) -> None:
    lines = []
    for path in sorted(path for path in directory.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        lines.append(f"{digest}  {path.relative_to(directory).as_posix()}\n")
    (directory / MANIFEST).write_text("".join(lines), encoding="utf-8")


def _flush_to_disk(directory: Path) -> None:
    """Flush files and folders to disk: after a power failure the final name must not refer to empty files."""
    for path in (*directory.rglob("*"), directory):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _swap(target: Path, new: Path, old: Path) -> None:
    replaced = target.exists()
    if replaced:
        target.rename(old)
    try:
        new.rename(target)
    except BaseException:
        if replaced:
            old.rename(target)
        raise
    parent = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)
    if replaced:
        shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _disk_errors(target: Path) -> Iterator[None]:
    """Turn an `OSError` into a `LabeltoolError` that names the file."""
    try:
        yield
    except OSError as error:
        raise LabeltoolError(
            f"{error.strerror or error}; nothing was exported", file=error.filename or target
        ) from error
