"""Sound files: their properties and their samples, whole or by the span. Nothing heavy is imported here."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from labeltool.errors import LabeltoolError
from labeltool.type_aliases import Float32, Int16

AUDIO_SUFFIXES = frozenset(
    {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf", ".w64"}
)
"""Endings of sound files when a folder is searched; a file that is named itself is tried whatever its ending."""

# Context decoded on each side of a span, so that the resampler's filter sees the sound that is there, not an edge.
_RESAMPLER_MARGIN_S = 0.05


@dataclass(frozen=True, slots=True)
class AudioFile:
    """Properties of a sound file, which is identified by `sha256` of its bytes; `frames` at `sample_rate_hz`."""

    path: str
    sha256: str
    sample_rate_hz: int
    channels: int
    frames: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.frames / self.sample_rate_hz


def walk(directory: Path) -> Iterator[Path]:
    """Yield the sound files in a folder and below it, in the order of their names.

    Hidden files are skipped; of the others, those that end in one of `AUDIO_SUFFIXES` are sound. Links are followed,
    each folder once.

    Raises
    ------
    LabeltoolError
        When a folder cannot be listed.
    """
    walked: set[Path] = set()  # links may lead around in a circle
    pending = [directory]
    while pending:
        path = pending.pop()
        if path.is_dir():
            real = path.resolve()
            if real not in walked:
                walked.add(real)
                try:
                    visible = sorted(entry for entry in path.iterdir() if not entry.name.startswith("."))
                except OSError as error:
                    raise LabeltoolError(f"cannot be listed: {error.strerror}", file=path) from error
                pending.extend(reversed(visible))
        elif path.suffix.lower() in AUDIO_SUFFIXES:
            yield path


def content_hash(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=4096)
def _cached_hash(path: str, size: int, modified_ns: int) -> str:
    return content_hash(Path(path))


def require_content(path: str | Path, sha256: str) -> None:
    """Raise unless a file still is the sound that was imported; hashed once a process, and again when it changes.

    Raises
    ------
    LabeltoolError
        When it is gone, unreadable, or another sound.
    """
    try:
        stat = Path(path).stat()
        found = _cached_hash(str(path), stat.st_size, stat.st_mtime_ns)
    except OSError as error:
        raise _unreadable(path, error) from error
    if found != sha256:
        raise LabeltoolError(
            "is not the sound that was imported: it was replaced",
            file=path,
            remedy="`labeltool relocate FOLDER` finds the old one, `labeltool import audio` imports the new one",
        )


def describe(path: Path) -> AudioFile:
    """Return the properties of a sound file.

    Raises
    ------
    LabeltoolError
        When it is missing, a directory, empty, or not a format that libsndfile reads.
    """
    import soundfile  # 60 ms that `labeltool --help` need not pay

    if not path.exists():
        raise LabeltoolError(
            "no such file", file=path, remedy="check the name, `labeltool relocate` finds what has moved"
        )
    if path.is_dir():
        raise LabeltoolError("is a directory, not a sound file", file=path)
    if not path.is_file():
        # Reading a pipe could block for ever.
        raise LabeltoolError("is not a regular file", file=path)
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise LabeltoolError("its name is not UTF-8 and cannot be stored", file=path, remedy="rename it") from None
    try:
        info = soundfile.info(str(path))
        sha256 = content_hash(path)
    except (soundfile.SoundFileError, OSError) as error:
        raise LabeltoolError(
            "is not a sound file that can be read", file=path, remedy=f"WAV, FLAC, Ogg and MP3 can; {_cause(error)}"
        ) from error
    if info.frames <= 0:
        raise LabeltoolError("has no samples", file=path)
    return AudioFile(str(path.resolve()), sha256, info.samplerate, info.channels, info.frames)


def duration_s(path: str | Path) -> float:
    """Return a sound file's length in seconds, by its header.

    Raises
    ------
    LabeltoolError
        When the file cannot be read.
    """
    import soundfile

    try:
        info = soundfile.info(str(path))
    except (soundfile.SoundFileError, OSError) as error:
        raise _unreadable(path, error) from error
    return float(info.frames / info.samplerate)


def read_span(path: str | Path, start_s: float = 0.0, end_s: float | None = None) -> tuple[Float32, int]:
    """Decode a span of a file as it is.

    Returns
    -------
    samples : (frames, channels) float32, full scale 1.0
        Cut to the file; frames before 0 or past the end are dropped.
    sample_rate_hz : int

    Raises
    ------
    LabeltoolError
        When the file cannot be read.
    """
    import soundfile

    try:
        with soundfile.SoundFile(str(path)) as file:
            rate = file.samplerate
            first = min(max(0, round(start_s * rate)), file.frames)
            last = file.frames if end_s is None else min(max(first, round(end_s * rate)), file.frames)
            if first:
                file.seek(first)
            samples: Float32 = file.read(last - first, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError) as error:
        raise _unreadable(path, error) from error
    return samples, rate


def read_pcm(path: str | Path, start_s: float, end_s: float | None, sample_rate_hz: int) -> Int16:
    """Decode a span as the device records it: mono, at the frontend's rate, 16-bit samples.

    Channels are averaged, the rate is changed with soxr (HQ), full scale is 32768.

    Returns
    -------
    (round((end_s - start_s) * sample_rate_hz),) int16
        Shorter only where the file ends (or begins) inside the span.

    Raises
    ------
    LabeltoolError
        When the file cannot be read.
    """
    lead = min(start_s, _RESAMPLER_MARGIN_S)
    samples, rate = read_span(path, start_s - lead, None if end_s is None else end_s + _RESAMPLER_MARGIN_S)
    # Float files may have values that are no numbers; the device's converter never does.
    mono = np.nan_to_num(samples.mean(axis=1, dtype=np.float32), nan=0.0, posinf=1.0, neginf=-1.0)
    if rate != sample_rate_hz:
        import soxr

        mono = soxr.resample(mono, rate, sample_rate_hz, quality="HQ")
    # `round` where `read_span` rounds too: the lead that it decoded, in samples of the new rate.
    skipped = round((round(start_s * rate) - round((start_s - lead) * rate)) * sample_rate_hz / rate)
    wanted = None if end_s is None else skipped + round((end_s - start_s) * sample_rate_hz)
    pcm: Int16 = np.clip(np.rint(mono[skipped:wanted] * 32768.0), -32768, 32767).astype(np.int16)
    return pcm


class SoundReader:
    """An open sound file, read span by span: an hour of it costs no more than a second does.

    Attributes
    ----------
    rate_hz, frames
        Of the file; `frames` counts sample frames.

    Raises
    ------
    LabeltoolError
        When the file cannot be opened.
    """

    def __init__(self, path: str | Path) -> None:
        import soundfile

        self._path = path
        self._read_errors = (soundfile.SoundFileError, OSError)
        try:
            self._file = soundfile.SoundFile(str(path))
        except self._read_errors as error:
            raise _unreadable(path, error) from error
        self.rate_hz: int = self._file.samplerate
        self.frames: int = self._file.frames

    def mono(self, first: int, count: int) -> Float32:
        """Decode a span, its channels averaged.

        Parameters
        ----------
        first, count
            In sample frames; outside the file there is silence, and so there is for values that are no numbers.

        Returns
        -------
        (count,) float32, full scale 1.0

        Raises
        ------
        LabeltoolError
            When the file cannot be read there.
        """
        samples = np.zeros(count, np.float32)
        begin, end = max(0, first), min(first + count, self.frames)
        if begin >= end:
            return samples
        try:
            self._file.seek(begin)
            decoded = self._file.read(end - begin, dtype="float32", always_2d=True)
        except self._read_errors as error:
            raise _unreadable(self._path, error) from error
        mono = np.nan_to_num(decoded.mean(axis=1, dtype=np.float32), nan=0.0, posinf=1.0, neginf=-1.0)
        samples[begin - first : begin - first + len(mono)] = mono
        return samples

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _unreadable(path: str | Path, error: Exception) -> LabeltoolError:
    if not Path(path).exists():
        return LabeltoolError(
            "does not exist any more", file=path, remedy="`labeltool relocate FOLDER` finds what moved"
        )
    return LabeltoolError("cannot be read as sound", file=path, remedy=_cause(error))


def _cause(error: Exception) -> str:
    return str(getattr(error, "error_string", None) or error).rstrip(".")
