"""Sound files read to their end, whatever length their headers claim: libsndfile would not read beyond it."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

from labeltool.audio.remote.remote_file import RemoteFile, open_bytes, size_of
from labeltool.errors import LabeltoolError


class PatchedFile(io.RawIOBase):
    """A file with some bytes replaced, for libsndfile to read, and perhaps a greater length than it has.

    Attributes
    ----------
    size
        Of the file, bytes.
    failure
        Why a part of a remote file could not be read. libsndfile cannot raise it, it takes it for the end of the file.
    """

    # Tags are looked for in the last bytes: there are zeros.
    _TAG_BYTES = 4096

    def __init__(self, path: str | Path, patches: dict[int, bytes], times_longer: int = 1) -> None:
        self._file = open_bytes(path)
        self.failure: LabeltoolError | None = None
        self._patches = patches
        self.size = size_of(self._file)
        self._end = self.size * times_longer
        self._times_longer = times_longer
        self._at = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move as a file does."""
        self._at = offset + (0, self._at, self._end)[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Read as a file does."""
        if self._times_longer > 1 and self._at >= self._end - self._TAG_BYTES:
            content = bytearray(max(0, min(len(buffer), self._end - self._at)))
        else:
            try:
                self._file.seek(self._at)
                content = bytearray(self._file.read(len(buffer)))
            except OSError:  # libsndfile could not raise it: the stream ends here
                content = bytearray()
            except LabeltoolError as error:
                self.failure = error
                content = bytearray()
        for offset, patch in self._patches.items():
            for place, byte in enumerate(patch, offset - self._at):
                if 0 <= place < len(content):
                    content[place] = byte
        buffer[: len(content)] = content
        self._at += len(content)
        return len(content)

    def will_read(self, count: int) -> None:
        """Fetch the next `count` bytes of a remote file at once, rather than block by block."""
        if isinstance(self._file, RemoteFile):
            self._file.seek(self._at)
            try:
                self._file.will_read(count)
            except LabeltoolError as error:
                self.failure = error

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


def _after_id3(head: bytes) -> int:
    """Return where an ID3v2 tag ends, 0 without one."""
    if not head.startswith(b"ID3") or len(head) < 10:
        return 0
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte & 0x7F
    return 10 + size


def flac_of_any_length(path: str | Path) -> tuple[int | None, PatchedFile | None]:
    """Return the number of frames in STREAMINFO, None where it is not known, and the file with "not known" there."""
    with open_bytes(path) as file:
        start = _after_id3(file.read(10))
        file.seek(start)
        head = file.read(26)
    if len(head) < 26 or not head.startswith(b"fLaC"):
        return None, None
    fields = int.from_bytes(head[18:26])
    frames = fields & (1 << 36) - 1
    return frames or None, PatchedFile(path, {start + 18: (fields - frames).to_bytes(8)})


# libmpg123 estimates the length by the first frame: of 320 kbit/s, where the others may have 8.
_MP3_TIMES_LONGER = 64
_XING_FRAMES, _XING_BYTES = 1, 2


def mp3_of_any_length(path: str | Path) -> PatchedFile | None:
    """Return an MP3 so that it is read to its end; None where a header tells its length."""
    with open_bytes(path) as file:
        size = size_of(file)
        start = _after_id3(file.read(10))
        file.seek(start)
        head = file.read(8192)
    places = [place for tag in (b"Xing", b"Info", b"VBRI") if (place := head.find(tag, 0, 512)) >= 0]
    if not places:
        return PatchedFile(path, {}, _MP3_TIMES_LONGER)
    place = min(places)
    flags = int.from_bytes(head[place + 4 : place + 8])
    if head[place : place + 4] == b"VBRI":
        claimed = int.from_bytes(head[place + 10 : place + 14])
    elif flags & _XING_BYTES and flags & _XING_FRAMES:
        claimed = int.from_bytes(head[place + 12 : place + 16])
    else:
        return PatchedFile(path, {}, _MP3_TIMES_LONGER)
    # Files that were joined have the header of the first; tags at the end, pictures too, are no second file.
    if size - start > 1.05 * claimed and _goes_on_with_mp3(path, start + claimed):
        return PatchedFile(path, {start + place: b"\0\0\0\0"}, _MP3_TIMES_LONGER)
    return None


def _goes_on_with_mp3(path: str | Path, offset: int) -> bool:
    with open_bytes(path) as file:
        file.seek(max(0, offset - 4096))
        rest = file.read(16384)
    return b"ID3" in rest or any(rest.find(tag) >= 0 for tag in (b"Xing", b"Info", b"LAME"))


def wav_to_its_end(path: str | Path) -> PatchedFile | None:
    """Return a WAV file whose recorder never wrote the length of its data as one that goes on to its end."""
    with open_bytes(path) as file:
        if file.read(12)[:4] != b"RIFF":
            return None
        place = 12
        while len(head := file.read(8)) == 8:
            size = int.from_bytes(head[4:], "little")
            if head[:4] == b"data":
                following = file.read(8)
                empty = len(following) < 8 or following[:4] in (b"LIST", b"id3 ", b"bext", b"JUNK", b"PAD ", b"cue ")
                return None if size or empty else PatchedFile(path, {4: b"\xff" * 4, place + 4: b"\xff" * 4})
            place += 8 + size + size % 2
            file.seek(place)
    return None


_OGG_END_OF_STREAM = 4
# The last page of an Ogg stream, which has at most 65,307 bytes, and what a tag after it may take.
_OGG_TAIL_BYTES = 1 << 17
UNKNOWN_SIZES = frozenset({0, 0x7FFFFFFF, 0x7FFFFFFF - 36, 0xFFFFFFFF, 0xFFFFFFFF - 36})
"""The lengths that a recorder or a pipe writes into a WAV where it does not know the length."""


def missing_s(path: str | Path, format: str, rate_hz: int, claimed: int | None, decoded: int) -> tuple[float, bool]:
    """Return the seconds that a file promises and does not have, and whether it ends as a file of its format does.

    Parameters
    ----------
    format
        As libsndfile names it.
    claimed
        Frames by the header as libsndfile reads it, which for WAV is what the file has; None where it is not known.
    decoded
        Frames that were decoded.

    Raises
    ------
    OSError
        When the file cannot be read.
    """
    if format in ("WAV", "WAVEX"):
        return _missing_of_wav_s(path), True
    missing = max(0, (claimed or 0) - decoded) / rate_hz
    return missing, format != "OGG" or _ogg_has_end(path)


def _missing_of_wav_s(path: str | Path) -> float:
    with open_bytes(path) as file:
        end = size_of(file)
        if file.read(12)[:4] != b"RIFF":
            return 0.0
        place, bytes_per_s = 12, 0
        while len(head := file.read(8)) == 8:
            size = int.from_bytes(head[4:], "little")
            if head[:4] == b"fmt ":
                bytes_per_s = int.from_bytes(file.read(12)[8:12], "little")
            if head[:4] == b"data":
                known = bytes_per_s and size not in UNKNOWN_SIZES
                return max(0, place + 8 + size - end) / bytes_per_s if known else 0.0
            place += 8 + size + size % 2
            file.seek(place)
    return 0.0


def _ogg_has_end(path: str | Path) -> bool:
    """Whether the last page that begins in a file has the mark of the last one, and is whole."""
    with open_bytes(path) as file:
        file.seek(max(0, size_of(file) - _OGG_TAIL_BYTES))
        tail = file.read()
    place = tail.rfind(b"OggS")
    page = tail[place:]
    if place < 0 or len(page) < 27 or len(page) < 27 + page[26]:
        return False
    return bool(page[5] & _OGG_END_OF_STREAM) and len(page) >= 27 + page[26] + sum(page[27 : 27 + page[26]])
