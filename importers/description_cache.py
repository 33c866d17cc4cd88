"""What was read of sound files, kept until one changes: an import that was interrupted does not read them again.

Files are taken in blocks; what was read of a block is one file, named by the places, sizes, times and inodes of its
sounds. Whether a path is the last of its block depends on its name, so a new file in a folder changes one block.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from labeltool.audio.files import AudioFile
from labeltool.errors import LabeltoolError
from labeltool.util.files.atomic_write import write_bytes
from labeltool.util.files.bounded_read import MAX_TABLE_BYTES, read_bytes

Described = AudioFile | LabeltoolError
"""The properties of a sound file, or why it cannot be read."""

# To be raised when `audio.files.describe` returns other properties of the same file.
_FORMAT = 3
# What a killed process has read and not kept is less than a block.
_LAST_OF = 32
_MAX_FILES, _MAX_BYTES = 256, 256 << 20

_decoder = msgspec.json.Decoder(list[AudioFile | None])


@dataclass(slots=True)
class Block:
    """Some sound files.

    Attributes
    ----------
    paths
        Theirs.
    file
        Where what is read of them is kept; None: nowhere.
    known
        What was read of each before, None where nothing is known.
    """

    paths: list[str | Path]
    file: Path | None
    known: list[AudioFile | None]
    _read: list[AudioFile | None] = field(default_factory=list)

    def add(self, sound: Described) -> None:
        """Take the properties of the next file; after the last, all are kept."""
        self._read.append(sound if isinstance(sound, AudioFile) else None)
        if self.file is not None and len(self._read) == len(self.paths) and self._read != self.known:
            with suppress(OSError, LabeltoolError):  # a full disk is no reason not to import
                write_bytes(self.file, msgspec.json.encode(self._read))


@dataclass(frozen=True, slots=True)
class Wanted:
    """A sound file whose properties are wanted, and what is known of it."""

    path: str | Path
    known: AudioFile | None
    block: Block


def wanted(paths: Iterable[str | Path], folder: Path | None) -> Iterator[Wanted]:
    """Yield sound files in their order, with what is known of them; None: nothing is known or kept.

    Parameters
    ----------
    folder
        Of the cache.
    """
    for paths_of_block, versions in _blocks(paths):
        file, known = None, []
        if folder is not None:
            name = hashlib.sha256(repr((_FORMAT, versions)).encode("utf-8", "surrogateescape")).hexdigest()
            file = folder / f"{name}.json"
            with suppress(OSError, ValueError):
                known = _decoder.decode(read_bytes(file, MAX_TABLE_BYTES))
        if len(known) != len(paths_of_block):
            known = [None] * len(paths_of_block)
        block = Block(paths_of_block, file, known)
        yield from (Wanted(path, sound, block) for path, sound in zip(paths_of_block, known, strict=True))


def _blocks(paths: Iterable[str | Path]) -> Iterator[tuple[list[str | Path], list[tuple[object, ...]]]]:
    """Yield the files of each block, and of each its place, size, times of change and inode."""
    files: list[str | Path] = []
    versions: list[tuple[object, ...]] = []
    size = 0
    for path in paths:
        place = str(Path(path).absolute())
        try:
            status = Path(place).stat()
            versions.append((place, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino))
            size += status.st_size
        except OSError:
            versions.append((place,))
        files.append(path)
        is_last = hashlib.sha256(place.encode("utf-8", "surrogateescape")).digest()[0] % _LAST_OF == 0
        if is_last or len(files) >= _MAX_FILES or size >= _MAX_BYTES:
            yield files, versions
            files, versions, size = [], [], 0
    if files:
        yield files, versions
