"""Files that are written whole or not at all: a new one is written beside the old one, then takes its place."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from labeltool.util.lifetime import exit_if_stopped

SUFFIX = ".partial"
"""Ending of files that are being written, or that a killed process left."""


@contextmanager
def open_atomic(path: Path, *, durable: bool = False) -> Iterator[BinaryIO]:
    """Open a file for writing that appears under its name, in place of another, when the block ends without an error.

    Parameters
    ----------
    path
        In a folder that exists.
    durable
        Whether the bytes are on the disk (fsync) before the file takes its place: for what cannot be made again.

    Raises
    ------
    OSError
        When the folder cannot be written; nothing is left behind then.
    SystemExit
        When this process was stopped meanwhile (`lifetime.exit_if_stopped`); neither.
    """
    # Hidden, and of a random name: no link can be planted in its place, and two writers do not meet.
    partial = path.with_name(f".{uuid.uuid4().hex}{SUFFIX}")
    try:
        with partial.open("xb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        exit_if_stopped()
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_bytes(path: Path, content: bytes, *, durable: bool = False) -> None:
    """Write a file, as `open_atomic`."""
    with open_atomic(path, durable=durable) as file:
        file.write(content)


def write_text(path: Path, text: str, *, durable: bool = False) -> None:
    """Write a file of UTF-8 text, as `open_atomic`; line ends stay as they are."""
    write_bytes(path, text.encode(), durable=durable)
