"""Sound files: their properties and their samples, whole or by the span. Nothing heavy is imported here."""

from __future__ import annotations

import errno
import hashlib
import io
import stat
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import cast

import numpy as np

from labeltool.audio.file_versions import FileVersion, decoded_properties, properties_of
from labeltool.audio.other_files import require_sound
from labeltool.audio.recorder_metadata import recorder_columns
from labeltool.audio.remote.reference import RemoteError, reference_of
from labeltool.audio.remote.remote_file import open_bytes
from labeltool.audio.sound_reader import SoundReader, unreadable
from labeltool.errors import LabeltoolError
from labeltool.records import Skipped
from labeltool.type_aliases import Float32, Int16
from labeltool.util.files.project_names import searched
from labeltool.util.unicode_names import as_on_disk
from labeltool.util.urls import as_url, is_url

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

    `samples_sha256` is of its decoded samples, None where they were not decoded, or not to their end; `fault` why parts
    of it cannot be read, None where all can. Of a remote sound `path` is the URL, `sha256` the id of its reference
    (`remote.reference`), and `columns` its size and its version. `recorder_columns` are what its recorder wrote
    (`recorder_metadata`).
    """

    path: str
    sha256: str
    sample_rate_hz: int
    channels: int
    frames: int
    samples_sha256: str | None = None
    fault: str | None = None
    columns: tuple[tuple[str, str], ...] = ()
    recorder_columns: tuple[tuple[str, str], ...] = ()

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.frames / self.sample_rate_hz


def walk(
    directory: Path, suffixes: Collection[str] = AUDIO_SUFFIXES, failed: list[LabeltoolError] | None = None
) -> Iterator[Path]:
    """Yield the sound files in a folder and below it, in the order of their names.

    Hidden files and what a project made are skipped; of the others, those that end in one of `suffixes` are sound.
    Links are followed, each folder once.

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
                names = searched([entry.name for entry in path.iterdir()])
                pending.extend(path / name for name in reversed(names))
        except OSError as error:
            cannot = LabeltoolError(f"cannot be listed: {error.strerror}", file=path)
            if failed is None:
                raise cannot from error
            failed.append(cannot)


def content_hash(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes, in hex; a remote one is fetched whole.

    Raises
    ------
    OSError
        When it cannot be read, or is a pipe or a device, which might never end.
    LabeltoolError
        When it is remote and cannot be read.
    """
    if not is_url(path) and not Path(path).is_file() and Path(path).exists():
        raise OSError(errno.EINVAL, "is not a regular file", str(path))
    with open_bytes(path) as file:
        return hashlib.file_digest(cast(io.BufferedReader, file), "sha256").hexdigest()


@lru_cache(maxsize=4096)
def _cached_hash(version: FileVersion) -> str:
    return reference_of(version.path).id if is_url(version.path) else content_hash(Path(version.path))


def samples_hash(path: str | Path) -> str | None:
    """Return the SHA-256 of a sound file's decoded samples (`SoundReader.samples_sha256`), None where it is damaged.

    A remote one is fetched whole, once; the hash is kept with its blocks.

    Raises
    ------
    LabeltoolError
        When it is no sound file that can be read.
    """
    try:
        version = FileVersion.of(path)
    except OSError as error:
        raise unreadable(path, error) from error
    if not is_url(path):
        return decoded_properties(version).samples_sha256
    reference = reference_of(as_url(path))
    if (known := reference.samples_sha256) is not None:
        return known or None
    found = decoded_properties(version).samples_sha256
    reference.keep_samples_sha256(found or "")
    return found


def require_content(path: str | Path, sha256: str, samples_sha256: str | None = None) -> None:
    """Raise unless a file still is the sound that was imported; hashed once a process, and again when it changes.

    Parameters
    ----------
    sha256, samples_sha256
        Of its bytes and of its samples: where only tags or the encoding were changed, it is the same sound. A remote
        one that has another version by now is fetched whole, where the hash of its samples is known.

    Raises
    ------
    LabeltoolError
        When it is gone, unreadable, or another sound.
    """
    try:
        found = _cached_hash(FileVersion.of(path))
    except OSError as error:
        raise unreadable(path, error) from error
    if found != sha256 and not _has_samples(path, samples_sha256):
        raise LabeltoolError(
            "is not the sound that was imported: it was replaced or damaged",
            file=path,
            remedy="`labeltool relocate FOLDER` finds the old one, `labeltool import audio` imports the new one",
        )


def _has_samples(path: str | Path, samples_sha256: str | None) -> bool:
    if samples_sha256 is None:
        return False
    try:
        return samples_hash(path) == samples_sha256
    except RemoteError:
        raise
    except LabeltoolError:
        return False


def describe(path: str | Path, *, samples: bool = True) -> AudioFile:
    """Return the properties of a sound file; its length is that of its stream, whatever its header claims.

    Of a remote one, its beginning and its end are read.

    Parameters
    ----------
    samples
        Whether to decode it whole, for the hash of its samples; not of a remote one.

    Raises
    ------
    LabeltoolError
        When it is missing, no regular file, empty, not a format that libsndfile reads, or breaks off.
    """
    if is_url(path):
        return _describe_remote(as_url(path))
    path = as_on_disk(Path(path))
    try:
        before = path.stat()
        resolved = path.resolve()
        _require_regular(path, before.st_mode, f"{path}{resolved}")
        require_sound(path)
        read = decoded_properties if samples else properties_of
        version = FileVersion(str(path), before.st_size, before.st_mtime_ns)
        properties, sha256 = read(version), _cached_hash(version)
        written = recorder_columns(path)
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
    return AudioFile(str(resolved), sha256, **asdict(properties), recorder_columns=written)


def _describe_remote(url: str) -> AudioFile:
    reference = reference_of(url)
    require_sound(url)
    properties = properties_of(FileVersion.of(url))
    if not properties.frames:
        raise LabeltoolError("has no samples", file=url)
    found = AudioFile(url, reference.id, **asdict(properties), columns=reference.columns)
    return replace(found, samples_sha256=reference.samples_sha256 or None, recorder_columns=recorder_columns(url))


def describe_each(files: Sequence[str], *, are_part: bool = False) -> tuple[dict[str, AudioFile], list[Skipped]]:
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
    failed: list[Skipped] = []
    for file in dict.fromkeys(files):
        try:
            sounds[file] = describe(file, samples=False)
        except LabeltoolError as error:
            if len(files) == 1 and not are_part:
                raise
            failed.append(Skipped.of(error, file))
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


def duration_s(path: str | Path) -> float:
    """Return a sound file's length in seconds, by its stream.

    Raises
    ------
    LabeltoolError
        When the file cannot be read.
    """
    try:
        properties = properties_of(FileVersion.of(path))
    except OSError as error:
        raise unreadable(path, error) from error
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
