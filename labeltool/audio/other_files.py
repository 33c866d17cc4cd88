"""Files that are named like sound and are something else, or sound that libsndfile does not read."""

from __future__ import annotations

import shlex
from pathlib import Path

from labeltool.audio.remote.remote_file import open_bytes, size_of
from labeltool.errors import LabeltoolError

_CONVERT = "`ffmpeg -i {} {}.flac` converts it"
# Files named like sound, and sound that libsndfile does not read: where some bytes stand, and what that says.
_OTHER_FILES = (
    (0, b"version https://git-lfs", "is a git-lfs pointer, not the sound itself", "`git lfs pull` fetches that"),
    (4, b"ftyp", "is MPEG-4 sound (AAC or ALAC), which is not read", _CONVERT),
    (0, b"\xff\xf1", "is AAC sound, which is not read", _CONVERT),
    (0, b"\xff\xf9", "is AAC sound, which is not read", _CONVERT),
    (0, b"#!AMR", "is AMR sound, which is not read", _CONVERT),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "is Windows Media sound, which is not read", _CONVERT),
    (0, b"\x1a\x45\xdf\xa3", "is Matroska or WebM, which is not read", _CONVERT),
    (0, b"wvpk", "is WavPack sound, which is not read", _CONVERT),
    (0, b"MAC ", "is Monkey's Audio, which is not read", _CONVERT),
    (0, b"TTA1", "is True Audio, which is not read", _CONVERT),
    (0, b"DSD ", "is DSD sound, which is not read", _CONVERT),
    (28, b"Speex   ", "is Speex sound, which is not read", _CONVERT),
    (0, b"PK\x03\x04", "is a ZIP archive", "unpack it"),
    (0, b"\x1f\x8b", "is compressed with gzip", "unpack it"),
    (0, b"<", "is a text such as a web page", "was it downloaded whole?"),
)
_MAX_OGG_PAGE = 65307


def require_sound(path: Path | str) -> None:
    """Raise for a file that is known to be something else than sound.

    Raises
    ------
    LabeltoolError
        With what it is; also where it is remote and cannot be read.
    OSError
        When it cannot be read.
    """
    with open_bytes(path) as file:
        size = size_of(file)
        head = file.read(64)
        file.seek(max(0, size - _MAX_OGG_PAGE))
        tail = file.read(_MAX_OGG_PAGE) if head.startswith(b"OggS") else b""
    if not head:
        raise LabeltoolError("is empty", file=path)
    last_page = tail.rfind(b"OggS")
    reason, remedy = next(
        ((why, then) for at, magic, why, then in _OTHER_FILES if head.startswith(magic, at)), ("", "")
    )
    # The bytes that number a stream; libsndfile reads the first one.
    if last_page >= 0 and len(tail) >= last_page + 18 and tail[last_page + 14 : last_page + 18] != head[14:18]:
        reason, remedy = "has several Ogg streams, of which one could be read", _CONVERT
    if reason:
        raise LabeltoolError(
            reason, file=path, remedy=remedy.format(shlex.quote(Path(path).name), shlex.quote(Path(path).stem))
        )
