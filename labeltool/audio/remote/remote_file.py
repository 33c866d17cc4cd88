"""A remote sound as an open file: what is read of it is fetched in blocks, kept on this disk, and read from there."""

from __future__ import annotations

import io
import os
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO, cast

from labeltool.audio.remote import block_cache
from labeltool.audio.remote.block_cache import BLOCK_BYTES
from labeltool.audio.remote.reference import Reference, reference_of
from labeltool.util.urls import checked_url, is_url

# Of one request: what a slow line brings in some seconds. A decoder then reads it from memory, by a few kilobytes.
_MAX_BLOCKS_AT_ONCE = 128
# Of a request behind the last one, where it is not known how much is wanted.
_BLOCKS_AHEAD = 8


class RemoteFile(io.RawIOBase):
    """A remote sound, open to be read.

    Raises
    ------
    LabeltoolError
        As `reference_of`; reading raises it too, where a part cannot be fetched.
    """

    def __init__(self, url: str) -> None:
        self.reference: Reference = reference_of(checked_url(url))
        self._folder = self.reference.folder
        self._memory: OrderedDict[int, bytes] = OrderedDict()
        self._next_fetched = -1
        self._at = 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move as a file does."""
        self._at = max(0, offset + (0, self._at, self.reference.size_bytes)[whence])
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Read as a file does, as much as was requested; only at its end less."""
        wanted = max(0, min(len(buffer), self.reference.size_bytes - self._at))
        done = 0
        while done < wanted:
            number, inside = divmod(self._at, BLOCK_BYTES)
            piece = self._block(number)[inside : inside + wanted - done]
            buffer[done : done + len(piece)] = piece
            done += len(piece)
            self._at += len(piece)
        return done

    def will_read(self, count: int) -> None:
        """Fetch the next `count` bytes in few requests, as far as they are not here."""
        first, last = self._at // BLOCK_BYTES, min(self._at + count, self.reference.size_bytes) // BLOCK_BYTES
        last = min(last, self.reference.blocks - 1)
        if first <= last:
            here = block_cache.blocks_of(self._folder) | self._memory.keys()
            missing = [number for number in range(first, last + 1) if number not in here]
            if missing:
                self._fetch(missing[0], min(missing[-1] + 1, missing[0] + _MAX_BLOCKS_AT_ONCE))

    def _block(self, number: int) -> bytes:
        if number in self._memory:
            self._memory.move_to_end(number)
            return self._memory[number]
        content = self._kept(number)
        if content is None:
            ahead = _BLOCKS_AHEAD if number == self._next_fetched else 1
            self._fetch(number, min(number + ahead, self.reference.blocks))
            return self._memory[number]
        self._remember(number, content)
        return content

    def _kept(self, number: int) -> bytes | None:
        size = min(BLOCK_BYTES, self.reference.size_bytes - number * BLOCK_BYTES)
        return block_cache.read(block_cache.block_path(self._folder, number), size)

    def _remember(self, number: int, content: bytes) -> None:
        self._memory[number] = content
        self._memory.move_to_end(number)
        while len(self._memory) > _MAX_BLOCKS_AT_ONCE:
            self._memory.popitem(last=False)

    def _fetch(self, first: int, last: int) -> None:
        """Fetch blocks, without those that another process has fetched meanwhile."""
        from labeltool.audio.remote import fetching
        from labeltool.audio.remote.waiting import require_wanted

        url = self.reference.url
        with block_cache.locked(self._folder, lambda: require_wanted(url)):
            while first < last and (content := self._kept(first)) is not None:
                self._remember(first, content)
                first += 1
            if first == last:
                return
            begin = first * BLOCK_BYTES
            count = min(last * BLOCK_BYTES, self.reference.size_bytes) - begin
            part = fetching.read(self.reference, begin, count)
            for number in range(part.first // BLOCK_BYTES, -(-(part.first + len(part.content)) // BLOCK_BYTES)):
                offset = number * BLOCK_BYTES - part.first
                content = part.content[offset : offset + BLOCK_BYTES]
                block_cache.write(block_cache.block_path(self._folder, number), content)
                if first <= number < last:
                    self._remember(number, content)
        self._next_fetched = last


def open_bytes(place: str | Path) -> BinaryIO:
    """Open a sound file to be read: one of this machine, or a remote one.

    Raises
    ------
    OSError
        When a file of this machine cannot be opened.
    LabeltoolError
        As `RemoteFile`.
    """
    return cast(BinaryIO, RemoteFile(str(place))) if is_url(place) else Path(place).open("rb")


def size_of(file: BinaryIO) -> int:
    """Return the size of an open file in bytes; it is at its beginning then."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return size
