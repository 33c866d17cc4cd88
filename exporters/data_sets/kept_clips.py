"""Clips that an export has cut, kept until it is done: after a kill the next one in the folder does not cut them again.

A clip has a second name (a hard link) in a hidden folder beside the exports, made of what it is and of the CRC-32 of
the file. An export that ends, however, removes that folder; one that is killed leaves it. Where the disk has no hard
links, nothing is kept.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from contextlib import suppress
from pathlib import Path

from labeltool.errors import LabeltoolError
from labeltool.util.files.atomic_write import remove_tree
from labeltool.util.files.folders import open_file
from labeltool.util.files.no_links import make_folder

_FOLDER = ".cut-clips"
_READ_AT_ONCE = 1 << 20


class KeptClips:
    """The clips that are kept beside an export's folder; to be used while that is locked, and closed at the end."""

    def __init__(self, output: Path) -> None:
        self._folder: Path | None = output / _FOLDER
        self._kept: dict[str, Path] = {}
        try:
            make_folder(self._folder)
            self._kept = {path.name.partition("-")[0]: path for path in self._folder.iterdir()}
        except (OSError, LabeltoolError):  # a link, perhaps
            self._folder = None

    def take(self, clip: str, path: Path) -> bool:
        """Give a clip that was cut before its place; return whether there is one, and it is whole.

        Parameters
        ----------
        clip
            What it is: its recording, its encoding and its frames.
        """
        kept = self._kept.pop(_key(clip), None)
        try:
            if kept is None or kept.name.partition("-")[2] != _crc32(kept):
                return False
            kept.rename(path)
        except OSError:
            return False
        with suppress(OSError):
            os.link(path, kept)
        return True

    def keep(self, clip: str, path: Path) -> None:
        """Keep a clip that was cut."""
        if self._folder is not None:
            with suppress(OSError):
                os.link(path, self._folder / f"{_key(clip)}-{_crc32(path)}")

    def close(self) -> None:
        """Remove what is kept."""
        if self._folder is not None:
            with suppress(OSError, LabeltoolError):
                remove_tree(self._folder)


def _key(clip: str) -> str:
    return hashlib.sha256(clip.encode()).hexdigest()[:32]


def _crc32(path: Path) -> str:
    """Return the CRC-32 of a file that is no link; raises an `OSError` where it cannot be read."""
    crc = 0
    with os.fdopen(open_file(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
        while block := file.read(_READ_AT_ONCE):
            crc = zlib.crc32(block, crc)
    return f"{crc:08x}"
