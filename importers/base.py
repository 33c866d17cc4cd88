"""Common parts of the readers: text of unknown encoding, records of a sound file, the recording beside a label file."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from labeltool.audio.files import AUDIO_SUFFIXES, AudioFile
from labeltool.errors import LabeltoolError
from labeltool.records import Clip, Failed, Note, Recording, Skipped
from labeltool.util.files.bounded_read import read_bytes
from labeltool.util.files.project_names import not_searched
from labeltool.util.time_grid import MICROSECONDS, length_us

MAX_TEXT_BYTES = 128 << 20
"""Of a label track, a table or a log: a million labels take half of it."""

# The longest mark first: UTF-32's little-endian one begins with UTF-16's.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NEVER_IN_TEXT = re.compile(rb"[\x00-\x08\x0e-\x19\x1c-\x1f]")
# Common additions to the name of a recording in the name of its label file.
_LABEL_FILE_SUFFIX = re.compile(
    r"[._ -](?:audacity|labels?|label[ _-]?track|annotations?|birdnet(?:\.(?:results|selection\.table))?"
    r"|(?:table\.\d{1,3}\.)?selections?)$",
    re.IGNORECASE,
)
_MAX_QUOTED = 40

_R = TypeVar("_R")


def quoted(text: str) -> str:
    """Return a text from a file as a quotation for a message: one line, printable, at most `_MAX_QUOTED` characters."""
    cut = text if len(text) <= _MAX_QUOTED else text[:_MAX_QUOTED] + "..."
    return "'" + "".join(character if character.isprintable() else ascii(character)[1:-1] for character in cut) + "'"


def marked_encoding(content: bytes) -> str | None:
    """Return the encoding that a byte order mark at the beginning of a file names; None without one."""
    return next((name for mark, name in _BYTE_ORDER_MARKS if content.startswith(mark)), None)


def read_text(path: Path, kind: str, remedy: str, encoding: str | None = None) -> tuple[str, list[Skipped]]:
    """Read a text file in any encoding that Audacity and spreadsheets use.

    A byte order mark (UTF-8, UTF-16, UTF-32) decides, then `encoding`. Without either it is UTF-8; where it is not, it
    is Shift-JIS where it reads as Japanese, else Windows-1252, and a note says so.

    Parameters
    ----------
    path
        The file.
    kind, remedy
        For the error when it is not text: "is not `kind`", and what to do.
    encoding
        Name of a codec of Python; None to find out.

    Returns
    -------
    str
        The text.
    list[Skipped]
        The note on what was assumed; empty where nothing was.

    Raises
    ------
    LabeltoolError
        When it is missing, a directory, unreadable, too large or binary, or the encoding is unknown or does not fit.
    """
    content = _read_bytes(path, kind, remedy)
    text, assumed = _decoded(content, marked_encoding(content) or encoding, path, kind)
    if text is None or "\0" in text:
        raise LabeltoolError(f"is not {kind}: it contains binary data", file=path, remedy=remedy)
    note = f"is not in UTF-8: read as {assumed} (--encoding NAME names another)"
    return text, [Note(str(path), None, note)] if assumed else []


def _read_bytes(path: Path, kind: str, remedy: str) -> bytes:
    try:
        return read_bytes(path, MAX_TEXT_BYTES)
    except FileNotFoundError as error:
        raise LabeltoolError("no such file", file=path, remedy="check the name") from error
    except IsADirectoryError as error:
        raise LabeltoolError(f"is a directory, not {kind}", file=path, remedy=remedy) from error
    except OSError as error:
        raise LabeltoolError(f"cannot be read: {error.strerror}", file=path) from error
    except ValueError as error:
        raise LabeltoolError(f"is not {kind}: it {error}", file=path, remedy=remedy) from error


def _decoded(content: bytes, encoding: str | None, path: Path, kind: str) -> tuple[str | None, str]:
    """Return a text and the name of the encoding that was assumed; None for binary data."""
    if encoding is not None:
        try:
            return content.decode(encoding), ""
        except UnicodeError as error:
            raise LabeltoolError(f"is not {kind} in {encoding}", file=path, remedy="name another --encoding") from error
        except LookupError as error:
            remedy = "such as cp1252, cp1251, shift_jis, gbk, utf-16-le"
            raise LabeltoolError(f"{quoted(encoding)} is no text encoding", remedy=remedy) from error
    with suppress(UnicodeDecodeError):
        return content.decode("utf-8"), ""
    if b"\0" in content or _NEVER_IN_TEXT.search(content):
        return None, ""
    with suppress(UnicodeDecodeError):
        text = content.decode("cp932")
        foreign = [letter for letter in text if not letter.isascii()]
        if 2 * sum("\u3040" <= letter <= "\u30ff" for letter in foreign) >= len(foreign):  # half of it kana
            return text, "Shift-JIS"
    try:
        return content.decode("cp1252"), "Windows-1252"
    except UnicodeDecodeError as error:
        raise LabeltoolError(
            f"is not {kind} in UTF-8 or Windows-1252", file=path, remedy="--encoding NAME reads it in another encoding"
        ) from error


def project_notes(paths: Iterable[Path]) -> Iterator[Note]:
    """Yield a note for each folder that is a project: a search for sounds leaves out what a project makes."""
    for path in paths:
        if names := not_searched(path):
            reason = f"is a project, whose own folders are not searched ({names}); name one to import from it"
            yield Note(str(path), None, reason)


def read_each(files: Sequence[Path], read_one: Callable[[Path], Iterable[_R]]) -> Iterator[_R | Failed]:
    """Read files one by one; of several, one that cannot be read is a `Failed` and the others are read.

    Raises
    ------
    LabeltoolError
        Of the only file.
    """
    for file in files:
        try:
            yield from read_one(file)
        except LabeltoolError as error:
            if len(files) == 1:
                raise
            yield Failed.of(error, file)


def recording_of(sound: AudioFile, group: str | None = None, licence: str | None = None) -> Recording:
    """Return the record of a sound file; without a group from the source, its group is its content."""
    return Recording(
        path=sound.path,
        sha256=sound.sha256,
        sample_rate_hz=sound.sample_rate_hz,
        channels=sound.channels,
        frames=sound.frames,
        group=group if group is not None else sound.sha256,
        licence=licence,
        samples_sha256=sound.samples_sha256,
        columns=sound.columns,
        recorder_columns=sound.recorder_columns,
        fault=sound.fault,
    )


def clip_of(recording: Recording, start_us: int, end_us: int, fold: int | None = None) -> Clip:
    """Return the clip between two times in microseconds."""
    return Clip(recording.sha256, start_us / MICROSECONDS, end_us / MICROSECONDS, fold)


def whole_clip(recording: Recording, fold: int | None = None) -> Clip:
    """Return the clip that covers a whole recording."""
    return clip_of(recording, 0, length_us(recording.frames, recording.sample_rate_hz), fold)


def stems_of(file: Path) -> list[str]:
    """Return the stems that the recording of a label file may have, the likeliest first."""
    return list(dict.fromkeys([file.stem, _LABEL_FILE_SUFFIX.sub("", file.stem)]))


def recording_beside(file: Path) -> Path:
    """Find the recording of a file of labels or scores: in the same folder, with the same stem.

    Raises
    ------
    LabeltoolError
        When there is none, or more than one.
    """
    stems = stems_of(file)
    for stem in stems:
        suffixes = sorted(AUDIO_SUFFIXES) + [suffix.upper() for suffix in sorted(AUDIO_SUFFIXES)]
        if Path(stem).suffix.lower() in AUDIO_SUFFIXES:
            suffixes.append("")  # dawn.wav.txt labels dawn.wav
        candidates = (file.with_name(stem + suffix) for suffix in suffixes)
        found = [sound for sound in candidates if sound.is_file()]
        if len(found) > 1:
            names = ", ".join(sound.name for sound in found)
            raise LabeltoolError(
                f"has several recordings beside it: {names}",
                file=file,
                remedy="--audio of `labeltool import` and the format names one",
            )
        if found:
            return found[0]
    raise LabeltoolError(
        f"has no recording beside it: no {quoted(stems[-1] + '.wav')} (or .flac, .ogg, .mp3...)",
        file=file,
        remedy="name it: --audio of `labeltool import` and the format, or --column file=NAME of `import table`",
    )


def first_skipped(skipped: Sequence[Skipped], most: int) -> list[Skipped]:
    """Return the first skipped lines of a file, with the number of the others."""
    more = len(skipped) - most
    rest = [Skipped(skipped[0].file, None, f"and {more} more of its lines")] if more > 0 else []
    return [*skipped[:most], *rest]
