"""Changes to files and folders that follow no link, wherever in the path it is.

A project may come from somebody else, in an archive or on a shared disk, and a link in it may lead anywhere. So a path
is walked from its root, each folder opened from the one before only where it is no link, and what is made, renamed or
removed is named relative to the last one (`folders`, which also has what is done on Windows). A link that a person may
use, on the way to the project or to an output folder, is resolved before (`Path.resolve`).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from labeltool.errors import LabeltoolError
from labeltool.util.files.folders import Folder, first_folder, is_link, sync


@contextmanager
def open_folder(folder: Path, *, make: bool = False) -> Iterator[Folder]:
    """Open a folder for changes to its entries.

    Parameters
    ----------
    make
        Whether to make it, and those above it, where they are missing.

    Raises
    ------
    LabeltoolError
        When a folder of the path is a link.
    OSError
        When it is missing, cannot be made or is no folder; it names the folder.
    """
    here = Path(folder.anchor or ".")
    opened = first_folder(here)
    try:
        for name in folder.parts[1 if folder.anchor else 0 :]:
            here /= name
            inner = _opened(opened, name, here, make)
            opened.close()
            opened = inner
        yield opened
    finally:
        opened.close()


def _opened(parent: Folder, name: str, path: Path, make: bool) -> Folder:
    try:
        try:
            return parent.inner(name)
        except FileNotFoundError:
            if not make:
                raise
        with suppress(FileExistsError):
            parent.make(name)
        return parent.inner(name)
    except OSError as error:
        raise_where_link(parent, name, path)
        error.filename = str(path)
        raise


@contextmanager
def errors_of(path: Path) -> Iterator[None]:
    """Let an `OSError` name a path where it has none, or one that is relative to an open folder."""
    try:
        yield
    except OSError as error:
        if error.filename is None or not Path(str(error.filename)).is_absolute():
            error.filename = str(path)
        raise


def raise_where_link(parent: Folder, name: str, path: Path) -> None:
    """Raise a `LabeltoolError` where an entry of an open folder is a link."""
    if parent.is_link(name):
        raise LabeltoolError(
            "is a link; labeltool does not write through links in a project",
            file=path,
            remedy="put what it leads to in its place, or remove it",
        )


def refuse_links(path: Path) -> None:
    """Raise a `LabeltoolError` where a file or folder, or a folder on the way to it, is a link; it may be missing."""
    with suppress(OSError), open_folder(path):
        pass


def make_folder(folder: Path) -> list[Path]:
    """Make a folder, and those above it, where they are missing; return those that were, the innermost first.

    Raises
    ------
    LabeltoolError, OSError
        As `open_folder`.
    """
    missing = [one for one in (folder, *folder.parents) if not os.path.lexists(one)]
    with open_folder(folder, make=True):
        return missing


def open_to_append(path: Path) -> BinaryIO:
    """Open a file at its end, made where it is missing.

    Raises
    ------
    LabeltoolError
        When it is a link, or no file of its own: a pipe, or a file that has another name elsewhere (a hard link).
    """
    with open_folder(path.parent, make=True) as folder:
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NONBLOCK", 0)
            descriptor = folder.open(path.name, flags)
        except OSError as error:
            raise_where_link(folder, path.name, path)
            raise LabeltoolError(f"cannot be written: {error.strerror}", file=path) from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        os.close(descriptor)
        raise LabeltoolError("is not a file of the project alone", file=path, remedy="remove it")
    return os.fdopen(descriptor, "ab")


def write_new(path: Path, content: bytes) -> None:
    """Write a file whose name is free, and sync it; what cannot be written whole does not stay.

    Raises
    ------
    FileExistsError
        When there is something of that name, a link too.
    """
    with errors_of(path), open_folder(path.parent, make=True) as folder:
        descriptor = folder.open(path.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                sync(file.fileno())
        except BaseException:
            folder.remove_file(path.name)
            raise


def rename(old: Path, new: Path) -> None:
    """Rename a file, a folder or a link itself; raises as `open_folder`."""
    with errors_of(old), open_folder(old.parent) as source, open_folder(new.parent) as target:
        source.rename(old.name, new.name, target)


def remove(folder: Folder, name: str) -> None:
    """Remove an entry of an open folder, with everything in it where it is a folder; one that is missing is fine."""
    with suppress(FileNotFoundError):
        status = folder.status(name)
        if stat.S_ISDIR(status.st_mode) and not is_link(status):
            folder.remove_tree(name)  # follows no link
        else:
            folder.remove_file(name)
