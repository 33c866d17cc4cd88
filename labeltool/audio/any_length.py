"""Sound files read to their end, whatever length their headers claim: libsndfile would not read beyond it."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any, NamedTuple

from labeltool.audio.remote.remote_file import RemoteFile, open_bytes, size_of
from labeltool.errors import LabeltoolError


class PatchedFile(io.RawIOBase):
    """A file with some bytes replaced, for libsndfile to read, and perhaps a greater length than it has.

    Attributes
    ----------
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


def after_id3(head: bytes) -> int:
    """Return the length of an ID3v2 tag at the beginning of a file, 0 without one."""
    if not head.startswith(b"ID3") or len(head) < 10:
        return 0
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte & 0x7F
    return 10 + size


def flac_of_any_length(path: str | Path) -> tuple[int | None, PatchedFile | None]:
    """Return the number of frames in STREAMINFO, None where it is not known, and the file with "not known" there."""
    with open_bytes(path) as file:
        start = after_id3(file.read(10))
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


class VbrHeader(NamedTuple):
    """What the first frame of an MP3 says of the whole file; its place in the frame, None where there is no header.

    Attributes
    ----------
    frames, size_bytes
        None where they are not given.
    """

    place: int | None = None
    frames: int | None = None
    size_bytes: int | None = None


def vbr_header(frame: bytes) -> VbrHeader:
    """Return the header of an MP3 of variable bit rate, by the first bytes of its first frame."""
    places = [place for tag in (b"Xing", b"Info", b"VBRI") if (place := frame.find(tag, 0, 512)) >= 0]
    if not places:
        return VbrHeader()
    place = min(places)
    numbers = [int.from_bytes(frame[place + at : place + at + 4]) for at in (4, 8, 10, 12, 14)]
    flags, first, vbri_bytes, second, vbri_frames = numbers
    if frame[place : place + 4] == b"VBRI":
        return VbrHeader(place, vbri_frames, vbri_bytes)
    frames = first if flags & _XING_FRAMES else None
    size = (second if flags & _XING_FRAMES else first) if flags & _XING_BYTES else None
    return VbrHeader(place, frames, size)


def mp3_of_any_length(path: str | Path) -> PatchedFile | None:
    """Return an MP3 so that it is read to its end; None where a header tells its length."""
    with open_bytes(path) as file:
        size = size_of(file)
        start = after_id3(file.read(10))
        file.seek(start)
        found = vbr_header(file.read(8192))
    if found.place is None or found.frames is None or found.size_bytes is None:
        return PatchedFile(path, {}, _MP3_TIMES_LONGER)
    # Files that were joined have the header of the first; tags at the end, pictures too, are no second file.
    if size - start > 1.05 * found.size_bytes and _goes_on_with_mp3(path, start + found.size_bytes):
        return PatchedFile(path, {start + found.place: b"\0\0\0\0"}, _MP3_TIMES_LONGER)
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
