"""Sound files as they are now, and what was computed of them: it counts until a file is changed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from labeltool.audio.completeness import COPY_AGAIN
from labeltool.audio.remote.reference import RemoteError, reference_of
from labeltool.audio.sound_reader import SoundReader
from labeltool.errors import LabeltoolError
from labeltool.util.urls import as_url, is_url


class FileVersion(NamedTuple):
    """A file as it is now: where it was changed, what was computed from it counts no more."""

    path: str
    size: int
    changed: int | str

    @classmethod
    def of(cls, path: str | Path) -> FileVersion:
        """Raise an `OSError` for a file that cannot be read, a `LabeltoolError` for a remote one."""
        if is_url(path):
            reference = reference_of(as_url(path))
            return cls(reference.url, reference.size_bytes, reference.version)
        status = Path(path).stat()
        return cls(str(path), status.st_size, status.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class Properties:
    """What is known of a file that was opened; `samples_sha256` where it was decoded to its end.

    `fault` is what is wrong and what to do where parts of it cannot be read, else None; of a
    remote file, of which only some is read, that is not known.
    """

    sample_rate_hz: int
    channels: int
    frames: int
    samples_sha256: str | None = None
    fault: str | None = None


@lru_cache(maxsize=4096)
def properties_of(version: FileVersion) -> Properties:
    """Return the properties of a file that is not decoded whole; raises a `LabeltoolError` as `SoundReader`."""
    with SoundReader(version.path) as reader:
        return _properties(version.path, reader, reader.frames)


@lru_cache(maxsize=4096)
def decoded_properties(version: FileVersion) -> Properties:
    """Return the properties of a file that is decoded once, for its length and the hash of its samples."""
    with SoundReader(version.path) as reader:
        try:
            sha256, frames = reader.samples_sha256()
        except RemoteError:
            raise
        except LabeltoolError:  # damaged: it is known by its bytes alone
            return _properties(version.path, reader, reader.frames)
        return _properties(version.path, reader, frames, sha256)


def _properties(path: str, reader: SoundReader, frames: int, samples_sha256: str | None = None) -> Properties:
    reason = None if is_url(path) else reader.loss(frames).reason
    fault = None if reason is None else f"{reason} ({COPY_AGAIN})"
    return Properties(reader.rate_hz, reader.channels, frames, samples_sha256, fault)
