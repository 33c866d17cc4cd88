"""Whether a sound file gives all that it promises: its header, its stream's structure and what was decoded, compared.

Decoders pass over damage without a word: of an MP3 or Ogg file that lost some bytes, less is decoded.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import BinaryIO

from labeltool.audio.any_length import after_id3, vbr_header
from labeltool.audio.remote.remote_file import open_bytes, size_of

COPY_AGAIN = "copy it again from where it comes"
"""What to do about a file that is not complete."""

# What writers that do not know a length take off the largest one, or add: heads, and parts of whole frames and blocks.
_ABOUT_BYTES = 1 << 16
_BLOCK_BYTES = 1 << 20
# Of the first frame of an MP3: where the header of the whole file is, if it has one.
_VBR_HEADER_WITHIN = 512


class Damage(IntEnum):
    """What is wrong with the stream of a sound file; without a proper end, all that is there can be read."""

    NONE = 0
    PARTS = 1
    NO_END = 2


_REASONS = {
    Damage.PARTS: "is damaged or cut short: parts of it cannot be read",
    Damage.NO_END: "has no proper end: it is cut short, or was never finished",
}


@dataclass(frozen=True, slots=True)
class Loss:
    """What cannot be read of a sound file.

    Attributes
    ----------
    missing_s
        Seconds that its header promises and that could not be decoded; 0 where it promises none.
    damage
        Whether its stream has bytes that are not of its format, a part that is missing, or no proper end.
    """

    missing_s: float = 0.0
    damage: Damage = Damage.NONE

    @property
    def reason(self) -> str | None:
        """What is wrong with the file; None where nothing is."""
        if self.missing_s > 0:
            return f"is damaged or cut short: its header says {self.missing_s:.3g} s more than can be read"
        return _REASONS.get(self.damage)


def is_unknown_length(size: int) -> bool:
    """Whether a length is one of those that recorders and pipes write where they do not know it: 0, or 2 or 4 GiB."""
    return size == 0 or any(abs(size - most) <= _ABOUT_BYTES for most in (1 << 31, 1 << 32))


def loss_of(path: str | Path, format: str, rate_hz: int, claimed: int | None, decoded: int, log: str) -> Loss:
    """Return what cannot be read of a sound file; all its bytes are looked at where its format has such marks.

    Parameters
    ----------
    format, log
        As libsndfile names it, and what that noted while it read the header.
    claimed, decoded
        Frames by the header as libsndfile reads it, which for PCM is what the file has, None where it is not known;
        and frames that were decoded.

    Raises
    ------
    OSError, LabeltoolError
        When the file cannot be read; the latter of a remote one.
    """
    less_s = max(0, (claimed or 0) - decoded) / rate_hz
    if format == "FLAC":
        return Loss(less_s)
    with open_bytes(path) as file:
        if format in _DAMAGE:
            damage = Damage(_DAMAGE[format](file, size_of(file)))
            return Loss(less_s if damage or format == "OGG" else 0.0, damage)
        missing, present = _missing_bytes(file) if format in _CHUNKS else _logged_bytes(log)
    frames = missing * decoded / present if present > 0 else 0.0
    return Loss(frames / rate_hz if frames >= 1 else 0.0)


# Formats of chunks: RIFF and IFF.
_CHUNKS = ("WAV", "WAVEX", "AIFF")
# Bytes of a file that some writers count and others do not: the head of its chunk, and what fills up the last one.
_MISCOUNTED = 9
# Of the other formats of samples, libsndfile's own note: "data : 96004 (should be 92992)".
_SHORT = re.compile(r"^ *(?:data|riff|Riff size|Data Size) *: (\d+) \(should be (\d+)\)", re.MULTILINE)


def _logged_bytes(log: str) -> tuple[int, int]:
    """Return how many bytes of sound a file misses, and how many it has, by libsndfile's notes."""
    noted = [(int(claimed) - int(present), int(present)) for claimed, present in _SHORT.findall(log)]
    return max((one for one in noted if not is_unknown_length(sum(one))), default=(0, 1))


def _missing_bytes(file: BinaryIO) -> tuple[int, int]:
    """Return how many bytes of sound a file of chunks misses, and how many it has."""
    end = size_of(file)
    head = file.read(12)
    if not head.startswith((b"RIFF", b"RIFX", b"FORM")):
        return 0, 1
    is_little, sound = head.startswith(b"RIFF"), b"SSND" if head.startswith(b"FORM") else b"data"

    def size_in(head: bytes) -> int:
        size = int.from_bytes(head[4:8], "little" if is_little else "big")
        return 0 if is_unknown_length(size) else size

    def are_chunks(place: int) -> bool:
        """Whether chunks follow one another from here to the end of the file, of which the last may be cut."""
        while place + 8 <= end:
            file.seek(place)
            head = file.read(8)
            place += 8 + size_in(head) + size_in(head) % 2
            if not re.fullmatch(rb"[ -~]{4}", head[:4]) or place > end + of_all + 1:
                return False
        return True

    # What is cut out of the samples may be made up for, in the count, by a chunk behind them.
    of_all = size_in(head) + 8 - end
    place = 12
    while len(head := file.read(8)) == 8:
        size = size_in(head)
        place += 8
        if head[:4] == sound:
            present = min(size or end, end - place)
            is_shorter = of_all > _MISCOUNTED and not are_chunks(place + size + size % 2)
            return max(size - present, of_all if is_shorter else 0), present
        place += size + size % 2
        file.seek(place)
    return 0, 1


# Of an Ogg page: where its kind, its number, its checksum and the lengths of its parts are; and the mark of the last.
_OGG_HEAD, _OGG_KIND, _OGG_NUMBER, _OGG_SUM, _OGG_PARTS = 27, 5, 18, 22, 26
_OGG_END_OF_STREAM = 4
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def _ogg_damage(file: BinaryIO, size: int) -> Damage:
    """Return whether pages of an Ogg stream are damaged or missing, or the mark that one is the last."""
    number, kind = -1, 0
    while len(head := file.read(_OGG_HEAD)) == _OGG_HEAD and head.startswith(b"OggS"):
        lengths = file.read(head[_OGG_PARTS])
        body = file.read(sum(lengths))
        before, number = number, int.from_bytes(head[_OGG_NUMBER:_OGG_SUM], "little")
        page = head[:_OGG_SUM] + bytes(4) + head[_OGG_SUM + 4 :] + lengths + body
        kind = head[_OGG_KIND]
        is_next = number == before + 1 or before < 0
        if not is_next or len(body) < sum(lengths) or _ogg_checksum(page) != head[_OGG_SUM : _OGG_SUM + 4]:
            return Damage.PARTS
    if kind & _OGG_END_OF_STREAM:
        return Damage.NONE
    return Damage.PARTS if head else Damage.NO_END


def _ogg_checksum(page: bytes) -> bytes:
    """Return the CRC-32 of a page as Ogg has it: zlib's with all bits the other way round, from 0."""
    mirrored = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return mirrored.to_bytes(4, "big").translate(_REVERSED)


# MPEG: kbit/s by version 1 or not and layer, samples a frame by the same, rates of version 1 by their bits.
_KBITS = {
    (True, 1): range(32, 449, 32),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = (44_100, 48_000, 32_000)
_RATE_DIVISORS = {3: 1, 2: 2, 0: 4}
_APE, _APE_BYTES, _APE_HAS_HEADER, _APE_IS_HEADER = b"APETAGEX", 32, 1 << 31, 1 << 29
_ID3V1_BYTES = 128
_LYRICS = b"LYRICSBEGIN"
_MAX_LYRICS_BYTES = 1 << 20


@cache
def _mp3_frame_bytes(second: int, third: int) -> int:
    """Return the length of the frame whose header has these bytes behind 0xFF; 0 where it is none, or not known."""
    version, layer, kbits, rate = second >> 3 & 3, 4 - (second >> 1 & 3), third >> 4, third >> 2 & 3
    if second < 0xE0 or version == 1 or layer == 4 or not 0 < kbits < 15 or rate == 3:
        return 0
    is_first = version == 3
    bits = 1000 * _KBITS[is_first, layer][kbits - 1]
    hertz = _RATES[rate] // _RATE_DIVISORS[version]
    padding = third >> 1 & 1
    if layer == 1:
        return (12 * bits // hertz + padding) * 4
    return (144 if is_first or layer == 2 else 72) * bits // hertz + padding


def _frame_bytes(head: bytes) -> int:
    return _mp3_frame_bytes(head[1], head[2]) if len(head) > 2 and head[0] == 0xFF else 0


def _mp3_is_damaged(file: BinaryIO, size: int) -> bool:
    """Whether an MP3 has anything else than whole frames and tags, or fewer frames than its header says.

    False where nothing in it is known to be a frame: those of any bit rate ("free format") do not tell their length.
    """
    end, start = _before_last_tag(file, size), 0
    while length := _tag_bytes(file, start):
        start += length
    first = place = _next_frame(file, start, end)
    file.seek(first)
    head = file.read(_VBR_HEADER_WITHIN)
    file.seek(start)
    if first - start >= (longest := _frame_bytes(head)) and file.read(min(first - start, _BLOCK_BYTES)).strip(b"\0"):
        return first < end
    frames = 0
    while place < end:
        file.seek(place)
        if length := _frame_bytes(file.read(3)):
            place, longest, frames = place + length, max(longest, length), frames + 1
        elif length := _tag_bytes(file, place):
            place = min(place + length, end)
        else:  # behind the last frame, what is shorter than a frame is no sound
            return end - place >= longest or _next_frame(file, place, end) < end
    return place > end or frames < (vbr_header(head).frames or 0)  # some encoders count this one too


def _next_frame(file: BinaryIO, place: int, end: int) -> int:
    """Return where the next frame begins behind which is one of its kind, or the end; `end` where there is none."""
    while place < end:
        file.seek(place)
        block, at = file.read(_BLOCK_BYTES), -1
        while (at := block.find(b"\xff", at + 1)) >= 0:
            if length := _frame_bytes(head := block[at : at + 3]):
                file.seek(place + at + length)
                following = file.read(3)
                is_of_kind = following[:2] == head[:2] and (following[2:3] or b"\0")[0] & 0x0C == head[2] & 0x0C
                if place + at + length == end or (_frame_bytes(following) and is_of_kind):
                    return place + at
        place += max(1, len(block) - 2)
    return end


def _tag_bytes(file: BinaryIO, place: int) -> int:
    """Return the length of the tag that begins at a place; 0 where there is none."""
    file.seek(place)
    head = file.read(_APE_BYTES)
    if head.startswith(b"TAG"):
        return _ID3V1_BYTES
    if head.startswith(_APE):
        is_header = int.from_bytes(head[20:24], "little") & _APE_IS_HEADER
        return _APE_BYTES + (int.from_bytes(head[12:16], "little") if is_header else 0)
    if head.startswith(_LYRICS):
        file.seek(place)
        found = re.search(rb"LYRICS(?:200|END)", file.read(_MAX_LYRICS_BYTES))
        return found.end() if found else 0
    return after_id3(head)


def _before_last_tag(file: BinaryIO, size: int) -> int:
    """Return where an APE tag at the end begins, which may have no header; else the size of the file."""
    file.seek(max(0, size - _APE_BYTES - _ID3V1_BYTES))
    tail = file.read(_APE_BYTES + _ID3V1_BYTES)
    at = tail.rfind(_APE)
    if at < 0:
        return size
    length, flags = (int.from_bytes(tail[at + one : at + one + 4], "little") for one in (12, 20))
    has_header = bool(flags & _APE_HAS_HEADER)
    return max(0, size - len(tail) + at + _APE_BYTES * (1 - has_header) - length)


_DAMAGE = {"OGG": _ogg_damage, "MP3": _mp3_is_damaged}
