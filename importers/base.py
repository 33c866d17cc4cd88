"""Common parts of the readers: text of unknown encoding, records of a sound file, the recording beside a label file."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from labeltool.audio.files import AUDIO_SUFFIXES, AudioFile
from labeltool.errors import LabeltoolError
from labeltool.records import Clip, Recording
from labeltool.util.time_grid import MICROSECONDS, length_us

# The longest mark first: UTF-32's little-endian one begins with UTF-16's.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NEVER_IN_TEXT = re.compile(r"[\x00-\x08\x0e-\x19\x1c-\x1f]")
_HEAD_BYTES = 65536
# Common additions to the name of a recording in the name of its label file.
_LABEL_FILE_SUFFIX = re.compile(r"[._ -](?:audacity|labels?|label[ _-]?track|birdnet(?:\.results)?)$", re.IGNORECASE)
_MAX_QUOTED = 40


def quoted(text: str) -> str:
    """Return a text from a file as a quotation for a message: one line, printable, at most `_MAX_QUOTED` characters."""
    cut = text if len(text) <= _MAX_QUOTED else text[:_MAX_QUOTED] + "..."
    return "'" + "".join(character if character.isprintable() else ascii(character)[1:-1] for character in cut) + "'"


def reason_of(error: LabeltoolError) -> str:
    """Return an error as the reason of a `Skipped`, which names the file itself."""
    return error.reason + (f" ({error.remedy})" if error.remedy else "")


def read_text(path: Path, kind: str, remedy: str) -> str:
    """Read a text file in any encoding that Audacity and spreadsheets use.

    A byte order mark (UTF-8, UTF-16, UTF-32) decides; without one it is UTF-8, or Latin-1 where it is not valid UTF-8.

    Parameters
    ----------
    path
        The file.
    kind, remedy
        For the error when it is not text: "is not `kind`", and what to do.

    Raises
    ------
    LabeltoolError
        When it is missing, a directory, unreadable or binary.
    """
    binary = LabeltoolError(f"is not {kind}: it contains binary data", file=path, remedy=remedy)
    try:
        with path.open("rb") as file:
            content = file.read(_HEAD_BYTES)
            encoding = next((name for mark, name in _BYTE_ORDER_MARKS if content.startswith(mark)), "utf-8")
            # The first bytes are enough to recognise a large sound file given by mistake.
            if encoding.startswith("utf-8") and b"\0" in content:
                raise binary
            content += file.read()
    except FileNotFoundError as error:
        raise LabeltoolError("no such file", file=path, remedy="check the name") from error
    except IsADirectoryError as error:
        raise LabeltoolError(f"is a directory, not {kind}", file=path, remedy=remedy) from error
    except OSError as error:
        raise LabeltoolError(f"cannot be read: {error.strerror}", file=path) from error
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise binary from error
        text = content.decode("latin-1")
        # Any bytes are valid Latin-1, so one control character is enough to reject the file.
        if _NEVER_IN_TEXT.search(text):
            raise binary from error
    if "\0" in text:
        raise binary
    return text


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
    )


def clip_of(recording: Recording, start_us: int, end_us: int, fold: int | None = None) -> Clip:
    """Return the clip between two times in microseconds."""
    return Clip(recording.sha256, start_us / MICROSECONDS, end_us / MICROSECONDS, fold)


def whole_clip(recording: Recording, fold: int | None = None) -> Clip:
    """Return the clip that covers a whole recording."""
    return clip_of(recording, 0, length_us(recording.frames, recording.sample_rate_hz), fold)


def recording_beside(file: Path) -> Path:
    """Find the recording of a file of labels or scores: in the same folder, with the same stem.

    Raises
    ------
    LabeltoolError
        When there is none, or more than one.
    """
    stems = [file.stem, _LABEL_FILE_SUFFIX.sub("", file.stem)]
    for stem in dict.fromkeys(stems):
        suffixes = sorted(AUDIO_SUFFIXES) + [suffix.upper() for suffix in sorted(AUDIO_SUFFIXES)]
        if Path(stem).suffix.lower() in AUDIO_SUFFIXES:
            suffixes.append("")  # dawn.wav.txt labels dawn.wav
        candidates = (file.with_name(stem + suffix) for suffix in suffixes)
        found = [sound for sound in candidates if sound.is_file()]
        if len(found) > 1:
            names = ", ".join(sound.name for sound in found)
            raise LabeltoolError(
                f"has several recordings beside it: {names}", file=file, remedy="name the right one with --audio"
            )
        if found:
            return found[0]
    raise LabeltoolError(
        f"has no recording beside it: no {quoted(stems[-1] + '.wav')} (or .flac, .ogg, .mp3...)",
        file=file,
        remedy="name the recording with --audio",
    )
