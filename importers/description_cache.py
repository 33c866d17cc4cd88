"""What was read of sound files, kept until one changes: an import that was interrupted does not read them again.

Files are taken in blocks. What was read of a block is one file, named by the place of its first sound, so it is written
over when a sound of it changes. Whether a block ends with a sound depends on that one's place and size alone.
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
from labeltool.util.unicode_names import as_on_disk

Described = AudioFile | LabeltoolError
"""The properties of a sound file, or why it cannot be read."""

# To be raised when `audio.files.describe` returns other properties of the same file.
_FORMAT = 3
# What a killed process has read and not kept is less than a block, on average this many bytes, or 32 small files.
_BLOCK_BYTES = 256 << 20
_LEAST_BYTES = _BLOCK_BYTES // 32

_decoder = msgspec.json.Decoder(dict[str, AudioFile])


@dataclass(slots=True)
class _Block:
    """Some sound files: where what is read of them is kept, what was, and what is; each by its version."""

    file: Path
    before: dict[str, AudioFile]
    left: int
    now: dict[str, AudioFile] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A sound file whose properties are wanted, and what is known of it."""

    path: str | Path
    known: AudioFile | None = None
    _version: str = ""
    _block: _Block | None = None

    def keep(self, sound: Described) -> None:
        """Take the properties of the file, once; after the last of its block, all are kept."""
        block = self._block
        if block is None:
            return
        block.left -= 1
        if self._version and isinstance(sound, AudioFile):
            block.now[self._version] = sound
        if not block.left and block.now != block.before:
            with suppress(OSError, LabeltoolError):  # a full disk is no reason not to import
                write_bytes(block.file, msgspec.json.encode(block.now))


def wanted(paths: Iterable[str | Path], folder: Path | None) -> Iterator[Wanted]:
    """Yield sound files in their order, with what is known of them; None: nothing is known or kept.

    Parameters
    ----------
    folder
        Of the cache.
    """
    if folder is None:
        yield from map(Wanted, paths)
        return
    for files in _blocks(paths):
        block = _Block(folder / f"{_sha256(files[0].place).hex()}.json", {}, len(files))
        with suppress(OSError, ValueError):
            block.before = _decoder.decode(read_bytes(block.file, MAX_TABLE_BYTES))
        for one in files:
            known = block.before.get(one.version)
            yield Wanted(one.path, known if known and _may_be(known, one) else None, one.version, block)


@dataclass(frozen=True, slots=True)
class _File:
    """A sound file as it is now; version and real are "" where that cannot be seen, and nothing is kept then."""

    path: str | Path
    place: str
    real: str = ""
    version: str = ""
    size: int = 0

    @classmethod
    def of(cls, path: str | Path) -> _File:
        place = as_on_disk(Path(path)).absolute()
        try:
            status, real = place.stat(), str(place.resolve())
        except OSError:
            return cls(path, str(place))
        version = (_FORMAT, str(place), real, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        return cls(path, str(place), real, _sha256(repr(version)).hex(), status.st_size)

    def is_last(self) -> bool:
        """Return whether a block ends with it: the likelier, the larger it is."""
        part = int.from_bytes(_sha256(self.place)[:4], "big") / (1 << 32)
        return part * _BLOCK_BYTES < max(self.size, _LEAST_BYTES)


def _blocks(paths: Iterable[str | Path]) -> Iterator[list[_File]]:
    files: list[_File] = []
    for path in paths:
        files.append(_File.of(path))
        if files[-1].is_last():
            yield files
            files = []
    if files:
        yield files


def _may_be(sound: AudioFile, file: _File) -> bool:
    """Return whether properties that were kept can be those of a file: a project may be a stranger's."""
    numbers = (sound.sample_rate_hz, sound.channels, sound.frames)
    return sound.path == file.real and min(numbers) > 0 and len(sound.sha256) == 64


def _sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
