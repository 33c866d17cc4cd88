"""Exports: directories with a manifest that appear whole or not at all, one export at a time in a folder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from labeltool.errors import LabeltoolError
from labeltool.util.files.atomic_write import new_folder
from labeltool.util.files.folders import BY_DESCRIPTOR, locked
from labeltool.util.files.no_links import make_folder

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
    with ExitStack() as lock:
        with _disk_errors(output):
            created = make_folder(output)
        try:
            with _disk_errors(output):
                acquired = lock.enter_context(locked(output))
            if not acquired:
                raise LabeltoolError("another export is writing here", file=output, remedy="wait until it has finished")
            yield
        finally:
            if not BY_DESCRIPTOR:
                lock.close()  # removes its file
            for folder in created:
                try:
                    folder.rmdir()
                except OSError:  # it contains what was exported
                    break


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
    with _disk_errors(target):
        _refuse_foreign(target)
        with new_folder(target.parent) as new:
            yield new.path
            _write_manifest(new.path)
            # Another program may have created the target in the meantime.
            _refuse_foreign(target)
            new.publish(target.name)


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
    (directory / MANIFEST).write_text("".join(lines), encoding="utf-8", newline="\n")


@contextmanager
def _disk_errors(target: Path) -> Iterator[None]:
    """Turn an `OSError` into a `LabeltoolError` that names the file."""
    try:
        yield
    except OSError as error:
        raise LabeltoolError(error.strerror or str(error), file=error.filename or target) from error
