"""Sound files without labels, whole or cut into clips."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from labeltool.audio.files import AUDIO_SUFFIXES, SUFFIXES_NOT_READ, AudioFile, walk
from labeltool.audio.remote.listing import LISTS, REQUESTS_AT_ONCE, sounds_at, suffix_of
from labeltool.errors import LabeltoolError
from labeltool.importers.base import clip_of, project_notes, read_each, recording_of
from labeltool.importers.described_files import described
from labeltool.records import Clip, Failed, Imported, Recording, Skipped
from labeltool.util.time_grid import MICROSECONDS, length_us
from labeltool.util.urls import as_url, is_url


def read(
    paths: Sequence[Path], clip_seconds: float | None = None, hop_seconds: float | None = None
) -> Iterator[Imported]:
    """Read sound files, and directories with everything below them.

    Directories are read in the order of their names; hidden files, and files whose suffix is not one of a sound file,
    are ignored. The group of a recording is its content.

    Parameters
    ----------
    paths
        Files and directories, URLs of files and of folders of a store, and lists of URLs (text, CSV).
    clip_seconds
        Length of the clips, seconds; None makes each recording one clip.
    hop_seconds
        From one clip's start to the next one's, seconds; None is the clip length. A remainder of at least half a clip
        after the last clip gets a clip of full length that ends with the recording. A recording shorter than a clip is
        one clip.

    Yields
    ------
    Recording, Clip or Skipped
        Skipped is a file with the same content as an earlier one; Failed, one that is missing or cannot be read.

    Raises
    ------
    LabeltoolError
        When a length is not positive, the only file cannot be read, or there is no sound file at all.
    """
    if hop_seconds is not None and clip_seconds is None:
        raise LabeltoolError("a hop needs a clip length", remedy="give --clip-seconds too")
    clip_us = _positive_us("clip length", clip_seconds)
    hop_us = _positive_us("hop", hop_seconds) or clip_us
    yield from project_notes(paths)
    first_paths: dict[str, str] = {}
    found = False
    for sound in read_each(paths, _sounds_of):
        found = True
        if isinstance(sound, Failed):
            yield sound
        elif isinstance(sound, LabeltoolError):
            if len(paths) == 1 and sound.line is None and sound.file in (str(paths[0]), as_url(paths[0])):
                raise sound
            yield Failed.of(sound)
        elif sound.sha256 in first_paths:
            yield Skipped(sound.path, None, f"has the same content as {first_paths[sound.sha256]}")
        else:
            first_paths[sound.sha256] = sound.path
            recording = recording_of(sound)
            yield recording
            yield from _clips(recording, clip_us, hop_us)
    if not found:
        raise LabeltoolError(
            "no sound file found" if paths else "no file or directory was given",
            file=", ".join(map(as_url, paths)) or None,
            remedy="give WAV, FLAC, Ogg or MP3 files, or a directory with some",
        )


def _positive_us(name: str, seconds: float | None) -> int | None:
    if seconds is None:
        return None
    if not math.isfinite(seconds) or round(seconds * MICROSECONDS) <= 0:
        raise LabeltoolError(f"a {name} of {seconds:g} s is not possible", remedy="give a number of seconds above 0")
    return round(seconds * MICROSECONDS)


def _clips(recording: Recording, clip_us: int | None, hop_us: int | None) -> Iterator[Clip]:
    length = length_us(recording.frames, recording.sample_rate_hz)
    if clip_us is None or hop_us is None or length <= clip_us:
        yield clip_of(recording, 0, length)
        return
    starts = range(0, length - clip_us + 1, hop_us)
    for start in starts:
        yield clip_of(recording, start, start + clip_us)
    # With a hop above the clip length, the gap after the last clip does not count as a remainder.
    remainder = length - max(starts[-1] + clip_us, starts[-1] + hop_us)
    if 2 * remainder >= clip_us:
        yield clip_of(recording, length - clip_us, length)


def _sounds_of(path: Path) -> Iterator[AudioFile | LabeltoolError]:
    """Yield the sound files at or below a path, and the errors of those that cannot be read."""
    if is_url(path) or (suffix_of(path) in LISTS and path.is_file()):
        yield from _remote_sounds(path)
        return
    unlisted: list[LabeltoolError] = []
    yield from described(walk(path, AUDIO_SUFFIXES | SUFFIXES_NOT_READ, unlisted) if path.is_dir() else (path,))
    yield from unlisted


def _remote_sounds(place: Path) -> Iterator[AudioFile | LabeltoolError]:
    """Yield the remote sounds of a URL or of a list of URLs, each once, and the errors of those that cannot be read."""
    errors: list[LabeltoolError] = []

    def urls() -> Iterator[str]:
        for one in sounds_at(place, AUDIO_SUFFIXES | SUFFIXES_NOT_READ):
            if isinstance(one, LabeltoolError):
                errors.append(one)
            else:
                yield one

    for sound in described(urls(), REQUESTS_AT_ONCE):
        yield from errors
        errors.clear()
        yield sound
    yield from errors
