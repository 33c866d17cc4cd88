"""Sound files: their properties and their samples, whole or by the span. Nothing heavy is imported here."""

from __future__ import annotations

import errno
import hashlib
import os
import shlex
import stat
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from labeltool.audio.sound_reader import SoundReader, unreadable
from labeltool.errors import LabeltoolError, SkippedFile, in_one_line
from labeltool.type_aliases import Float32, Int16
from labeltool.util.unicode_names import as_on_disk

AUDIO_SUFFIXES = frozenset(
    {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf", ".w64"}
)
"""Endings of sound files when a folder is searched; a file that is named itself is tried whatever its ending."""

SUFFIXES_NOT_READ = frozenset(
    {".aac", ".amr", ".3gp", ".m4a", ".m4b", ".mp4", ".mka", ".webm", ".wma", ".wv", ".ape", ".tta", ".spx", ".dsf"}
)
"""Endings of sound files that libsndfile does not read: a search names them, rather than pass them over in silence."""

# Context decoded on each side of a span, so that the resampler's filter sees the sound that is there, not an edge.
_RESAMPLER_MARGIN_S = 0.05


@dataclass(frozen=True, slots=True)
class AudioFile:
    """Properties of a sound file, which is identified by `sha256` of its bytes; `frames` at `sample_rate_hz`.

    `samples_sha256` is of its decoded samples, None where they were not decoded, or not to their end.
    """

    path: str
    sha256: str
    sample_rate_hz: int
    channels: int
    frames: int
    samples_sha256: str | None = None

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.frames / self.sample_rate_hz


def walk(
    directory: Path, suffixes: Collection[str] = AUDIO_SUFFIXES, failed: list[LabeltoolError] | None = None
) -> Iterator[Path]:
    """Yield the sound files in a folder and below it, in the order of their names.

    Hidden files are skipped; of the others, those that end in one of `suffixes` are sound. Links are followed, each
    folder once.

    Parameters
    ----------
    failed
        Gets the error of each folder that cannot be listed, and the others are searched; None raises it.

    Raises
    ------
    LabeltoolError
        When a folder cannot be listed.
    """
    walked: set[Path] = set()  # links may lead around in a circle
    pending = [directory]
    while pending:
        path = pending.pop()
        try:
            if not path.is_dir():
                if path.suffix.lower() in suffixes:
                    yield path
                continue
            real = path.resolve()
            if real not in walked:
                walked.add(real)
                visible = sorted(entry for entry in path.iterdir() if not entry.name.startswith("."))
                pending.extend(reversed(visible))
        except OSError as error:
            cannot = LabeltoolError(f"cannot be listed: {error.strerror}", file=path)
            if failed is None:
                raise cannot from error
            failed.append(cannot)


def content_hash(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hex.

    Raises
    ------
    OSError
        When it cannot be read, or is a pipe or a device, which might never end.
    """
    if not path.is_file() and path.exists():
        raise OSError(errno.EINVAL, "is not a regular file", str(path))
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=4096)
def _cached_hash(path: str, size: int, modified_ns: int) -> str:
    return content_hash(Path(path))


def samples_hash(path: str | Path) -> str | None:
    """Return the SHA-256 of a sound file's decoded samples (`SoundReader.samples_sha256`), None where it is damaged.

    Raises
    ------
    LabeltoolError
        When it is no sound file that can be read.
    """
    try:
        known = Path(path).stat()
    except OSError as error:
        raise unreadable(path, error) from error
    return _decoded(str(path), known.st_size, known.st_mtime_ns).samples_sha256


def require_content(path: str | Path, sha256: str, samples_sha256: str | None = None) -> None:
    """Raise unless a file still is the sound that was imported; hashed once a process, and again when it changes.

    Parameters
    ----------
    sha256, samples_sha256
        Of its bytes and of its samples: where only tags or the encoding were changed, it is the same sound.

    Raises
    ------
    LabeltoolError
        When it is gone, unreadable, or another sound.
    """
    try:
        stat = Path(path).stat()
        found = _cached_hash(str(path), stat.st_size, stat.st_mtime_ns)
    except OSError as error:
        raise unreadable(path, error) from error
    if found != sha256 and not _has_samples(path, samples_sha256):
        raise LabeltoolError(
            "is not the sound that was imported: it was replaced",
            file=path,
            remedy="`labeltool relocate FOLDER` finds the old one, `labeltool import audio` imports the new one",
        )


def _has_samples(path: str | Path, samples_sha256: str | None) -> bool:
    if samples_sha256 is None:
        return False
    try:
        return samples_hash(path) == samples_sha256
    except LabeltoolError:
        return False


def describe(path: Path, *, samples: bool = True) -> AudioFile:
    """Return the properties of a sound file; its length is that of its stream, whatever its header claims.

    Parameters
    ----------
    samples
        Whether to decode it whole, for the hash of its samples.

    Raises
    ------
    LabeltoolError
        When it is missing, no regular file, empty, not a format that libsndfile reads, or breaks off.
    """
    path = as_on_disk(path)
    try:
        before = path.stat()
        resolved = path.resolve()
        _require_regular(path, before.st_mode, f"{path}{resolved}")
        _require_sound(path, before.st_size)
        read = _decoded if samples else _properties
        properties = read(str(path), before.st_size, before.st_mtime_ns)
        sha256 = _cached_hash(str(path), before.st_size, before.st_mtime_ns)
        after = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise LabeltoolError(
            "no such file", file=path, remedy="check the name, `labeltool relocate` finds what has moved"
        ) from error
    except OSError as error:
        raise LabeltoolError(f"cannot be read: {error.strerror}", file=path) from error
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise LabeltoolError("changed while it was read", file=path, remedy="is it still recorded or copied?")
    if not properties.frames:
        raise LabeltoolError("has no samples", file=path)
    return AudioFile(str(resolved), sha256, **asdict(properties))


def described(paths: Iterable[Path]) -> Iterator[AudioFile | LabeltoolError]:
    """Yield the properties of sound files in their order, read on all cores; of one that cannot be read, the error."""

    def one(path: Path) -> AudioFile | LabeltoolError:
        try:
            return describe(path)
        except LabeltoolError as error:
            return error

    cores = os.cpu_count() or 1
    pool, pending = ThreadPoolExecutor(cores), deque[Future[AudioFile | LabeltoolError]]()
    try:
        for path in paths:
            pending.append(pool.submit(one, path))
            if len(pending) > 2 * cores:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def describe_each(files: Sequence[str], *, are_part: bool = False) -> tuple[dict[str, AudioFile], list[SkippedFile]]:
    """Return the properties of the sound files that can be read, by their names as given, and the others with reasons.

    Parameters
    ----------
    are_part
        Whether there are others besides these.

    Raises
    ------
    LabeltoolError
        When the only file cannot be read.
    """
    sounds: dict[str, AudioFile] = {}
    failed: list[SkippedFile] = []
    for file in dict.fromkeys(files):
        try:
            sounds[file] = describe(Path(file), samples=False)
        except LabeltoolError as error:
            if len(files) == 1 and not are_part:
                raise
            failed.append(SkippedFile(in_one_line(file), str(error)))
    return sounds, failed


def _require_regular(path: Path, mode: int, names: str) -> None:
    if stat.S_ISDIR(mode):
        raise LabeltoolError("is a directory, not a sound file", file=path)
    if not stat.S_ISREG(mode):
        # Reading a pipe could block for ever.
        raise LabeltoolError("is not a regular file", file=path)
    try:
        names.encode()
    except UnicodeEncodeError:
        raise LabeltoolError("its name is not UTF-8 and cannot be stored", file=path, remedy="rename it") from None


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


def _require_sound(path: Path, size: int) -> None:
    """Raise for a file that is known to be something else."""
    with path.open("rb") as file:
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
        raise LabeltoolError(reason, file=path, remedy=remedy.format(shlex.quote(path.name), shlex.quote(path.stem)))


@dataclass(frozen=True, slots=True)
class _Properties:
    sample_rate_hz: int
    channels: int
    frames: int
    samples_sha256: str | None = None


@lru_cache(maxsize=4096)
def _properties(path: str, size: int, modified_ns: int) -> _Properties:
    with SoundReader(path) as reader:
        return _Properties(reader.rate_hz, reader.channels, reader.frames)


@lru_cache(maxsize=4096)
def _decoded(path: str, size: int, modified_ns: int) -> _Properties:
    """Return the properties of a file that is decoded once, for its length and for the hash of its samples."""
    with SoundReader(path) as reader:
        try:
            sha256, frames = reader.samples_sha256()
        except LabeltoolError:  # damaged: it is known by its bytes alone
            return _Properties(reader.rate_hz, reader.channels, reader.frames)
        return _Properties(reader.rate_hz, reader.channels, frames, sha256)


def duration_s(path: str | Path) -> float:
    """Return a sound file's length in seconds, by its stream.

    Raises
    ------
    LabeltoolError
        When the file cannot be read.
    """
    try:
        known = Path(path).stat()
    except OSError as error:
        raise unreadable(path, error) from error
    properties = _properties(str(path), known.st_size, known.st_mtime_ns)
    return properties.frames / properties.sample_rate_hz


def read_mono(path: str | Path, start_s: float = 0.0, end_s: float | None = None) -> tuple[Float32, int]:
    """Decode a span of a file at its own rate, its channels averaged.

    Returns
    -------
    samples : (frames,) float32, full scale 1.0
        Cut to the file; frames before 0 or past the end are dropped.
    sample_rate_hz : int

    Raises
    ------
    LabeltoolError
        When the file cannot be read.
    """
    with SoundReader(path) as reader:
        rate = reader.rate_hz
        blocks = list(reader.blocks(round(start_s * rate), None if end_s is None else round(end_s * rate)))
    return (np.concatenate(blocks) if blocks else np.zeros(0, np.float32)), rate


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
        When the file cannot be read, or ends before the span.
    """
    lead = min(start_s, _RESAMPLER_MARGIN_S)
    with SoundReader(path) as reader:
        rate = reader.rate_hz
        first = round((start_s - lead) * rate)
        last = None if end_s is None else round((end_s + _RESAMPLER_MARGIN_S) * rate)
        pieces = [np.zeros(0, np.int16)]
        for mono in _resampled(reader.blocks(first, last), rate, sample_rate_hz):
            pieces.append(np.clip(np.rint(mono * 32768.0), -32768, 32767).astype(np.int16))
    # The lead that was decoded, rounded as it was there, in samples of the new rate.
    skipped = round((round(start_s * rate) - first) * sample_rate_hz / rate)
    wanted = None if end_s is None else skipped + round((end_s - start_s) * sample_rate_hz)
    pcm: Int16 = np.concatenate(pieces)[skipped:wanted]
    if not len(pcm) and wanted != skipped:
        raise LabeltoolError(f"ends before {start_s:g} s", file=path, remedy="was the file changed?")
    return pcm


def _resampled(blocks: Iterator[Float32], rate_hz: int, new_rate_hz: int) -> Iterator[Float32]:
    if rate_hz == new_rate_hz:
        yield from blocks
        return
    import soxr

    resampler = soxr.ResampleStream(rate_hz, new_rate_hz, 1, dtype="float32", quality="HQ")
    for block in blocks:
        yield resampler.resample_chunk(block)
    yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)
