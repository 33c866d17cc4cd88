"""Sound files decoded in blocks of bounded size; what their headers claim is checked against the stream."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from labeltool.audio.any_length import PatchedFile, flac_of_any_length, mp3_of_any_length, wav_to_its_end
from labeltool.audio.completeness import COPY_AGAIN, Loss, loss_of
from labeltool.audio.remote.reference import RemoteError
from labeltool.errors import LabeltoolError
from labeltool.type_aliases import Float32
from labeltool.util.urls import as_url, is_url

MIN_RATE_HZ, MAX_RATE_HZ = 1_000, 1_000_000
"""Sample rates that are believed: of infrasound decimated to 1 kHz, of bats and porpoises at 500 kHz and more."""

# Samples of all channels that are decoded at once: 4 MB.
_BLOCK_SAMPLES = 1 << 20
_SMALLEST_BLOCK = 1 << 12
# Frames before the end at which a header is checked: more than a block of any codec.
_TAIL_FRAMES = 1 << 16
# 40 dB over full scale: beyond it, a float file has no sound, but what the resampler would spread.
_MAX_AMPLITUDE = 100.0


class SoundReader:
    """An open sound file, also a remote one, read span by span: an hour of it costs no more than a second does.

    Attributes
    ----------
    format, subtype
        Its container and the coding of its samples, as libsndfile names them: `WAV` and `PCM_16`, `OGG` and `VORBIS`.
    claimed_frames
        Length by its header; None where that gives none, and `frames` decodes the file.

    Raises
    ------
    LabeltoolError
        When the file cannot be opened, or has a rate that no recorder has.
    """

    def __init__(self, path: str | Path) -> None:
        import soundfile  # 60 ms that `labeltool --help` need not pay

        self._path = as_url(path) if is_url(path) else path
        self._read_errors = (soundfile.SoundFileError, OSError)
        self._source: str | PatchedFile = PatchedFile(self._path, {}) if is_url(path) else str(path)
        self._file = self._opened(self._source)
        self._position = 0
        self._bytes_per_frame = 0.0
        self._end: int | None = None  # where the stream was seen to end
        self.rate_hz: int = self._file.samplerate
        self.channels: int = self._file.channels
        self.format: str = self._file.format
        self.subtype: str = self._file.subtype
        self.claimed_frames: int | None = self._file.frames
        if not MIN_RATE_HZ <= self.rate_hz <= MAX_RATE_HZ:
            self.close()
            raise LabeltoolError(
                f"claims a sample rate of {self.rate_hz} Hz",
                file=path,
                remedy=f"rates from {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz are read: is its header damaged?",
            )
        if (patched := self._with_honest_header()) is not None:
            self.close()
            self._source = patched
            self._file = self._opened(patched)
        # Of a remote file, in the mean: so the parts of a span come in one request.
        if isinstance(self._source, PatchedFile) and is_url(path) and self.claimed_frames:
            self._bytes_per_frame = self._source.size / self.claimed_frames

    @cached_property
    def frames(self) -> int:
        """Number of frames that the file decodes to: its header's, where the stream ends there, else counted.

        Raises
        ------
        LabeltoolError
            When it cannot be decoded to its end.
        """
        if self.claimed_frames is not None and self._ends_at(self.claimed_frames):
            return self.claimed_frames
        self._reopen()
        return sum(len(block) for block in self.all_channels(0, None))

    def samples_sha256(self) -> tuple[str, int]:
        """Decode the whole file: the SHA-256 of its samples, and their number of frames.

        It is of "RATE CHANNELS" and a line end, in ASCII, then of the samples as `all_channels` decodes them:
        interleaved, 32-bit floats, little endian, full scale 1.0. Equal for every container and every lossless encoding
        of at most 24 bits, whatever the tags; a lossy file has the same one after a change of its tags alone.

        Raises
        ------
        LabeltoolError
            When it cannot be decoded to its end.
        """
        if self._position:
            self._reopen()
        content, frames = hashlib.sha256(f"{self.rate_hz} {self.channels}\n".encode()), 0
        for block in self.all_channels(0, None):
            content.update(block.astype("<f4", copy=False).data)
            frames += len(block)
        return content.hexdigest(), frames

    def loss(self, decoded: int) -> Loss:
        """Return what cannot be read of the file, of which a number of frames were decoded.

        Raises
        ------
        LabeltoolError
            When it cannot be read.
        """
        try:
            return loss_of(self._path, self.format, self.rate_hz, self.claimed_frames, decoded, self._file.extra_info)
        except OSError as error:
            raise unreadable(self._path, error) from error

    def blocks(self, first: int = 0, last: int | None = None) -> Iterator[Float32]:
        """Decode a span, its channels averaged, a bounded number of frames at a time.

        Parameters
        ----------
        first, last
            In frames; None is the end of the file, where every span ends.

        Yields
        ------
        (n,) float32, full scale 1.0
            Values that are no numbers are silence.

        Raises
        ------
        LabeltoolError
            When the file cannot be read there.
        """
        for decoded in self.all_channels(max(0, first), last):
            mono = np.nan_to_num(decoded.mean(axis=1, dtype=np.float32), nan=0.0, posinf=1.0, neginf=-1.0)
            yield np.clip(mono, -_MAX_AMPLITUDE, _MAX_AMPLITUDE)

    def mono(self, first: int, count: int) -> Float32:
        """Decode a span, its channels averaged: `(count,) float32`, silence outside the file.

        Raises
        ------
        LabeltoolError
            When the file cannot be read there.
        """
        samples = np.zeros(count, np.float32)
        place = max(0, -first)
        for block in self.blocks(first + place, first + count):
            samples[place : place + len(block)] = block
            place += len(block)
        return samples

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        if isinstance(self._source, PatchedFile):
            self._source.close()

    def __enter__(self) -> SoundReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _opened(self, source: str | PatchedFile) -> Any:
        import soundfile

        if isinstance(source, PatchedFile):
            source.seek(0)
        try:
            file = soundfile.SoundFile(source)
        except self._read_errors as error:
            self._raise_failure()
            raise unreadable(self._path, error) from error
        # Else `read` stops at the header's length, and seeks after each block, which fails at a false one.
        file.seekable = lambda: False
        return file

    def _reopen(self) -> None:
        self._file.close()
        self._file = self._opened(self._source)
        self._position = 0

    def _with_honest_header(self) -> PatchedFile | None:
        """Return the file without the length in its header, where libsndfile would not read beyond that.

        `claimed_frames` becomes that length, None where the header has none.
        """
        path, patched = self._path, None
        try:
            if self.format == "FLAC":
                self.claimed_frames, patched = flac_of_any_length(path)
            elif self.format == "MP3" and (patched := mp3_of_any_length(path)) is not None:
                self.claimed_frames = None
            elif self.format in ("WAV", "WAVEX") and not self.claimed_frames:
                patched = wav_to_its_end(path)
                self.claimed_frames = None if patched is not None else 0
        except OSError as error:
            raise unreadable(path, error) from error
        return patched

    def _ends_at(self, frames: int) -> bool:
        """Whether the stream ends after this number of frames."""
        first = max(0, frames - _TAIL_FRAMES)
        try:
            self._file.seek(first)
            self._position = first
            left = 0
            for block in self.all_channels(first, frames + 1):
                left += len(block)
        except RemoteError:
            raise
        except (*self._read_errors, LabeltoolError):
            return False
        return first + left == frames

    def _raise_failure(self) -> None:
        """Raise why a part of a remote file could not be read: for libsndfile the file has ended there."""
        if isinstance(self._source, PatchedFile) and self._source.failure is not None:
            raise self._source.failure

    def _announce(self, count: int) -> None:
        """Let the bytes of the next frames of a remote file come in one request, as far as their number is known."""
        if self._bytes_per_frame and isinstance(self._source, PatchedFile):
            self._source.will_read(round(count * self._bytes_per_frame))

    def all_channels(self, first: int, last: int | None, dtype: str = "float32") -> Iterator[Any]:
        """Decode a span as `blocks` does, as it is in the file: `(n, channels)` of a type of `soundfile` each."""
        if (last is not None and last <= first) or (self._end is not None and self._end <= first):
            return
        self._move_to(first)
        at_once = max(1, _BLOCK_SAMPLES // self.channels)
        while self._position >= first and (last is None or self._position < last):
            count = at_once if last is None else min(at_once, last - self._position)
            block = self._read(count, dtype)
            if not len(block):
                return
            yield block

    def _move_to(self, frame: int) -> None:
        if frame == self._position:
            return
        if self.format == "OGG":
            self._reopen()  # libsndfile 1.2.2 finds another sample, unless it has read none before
        for _ in range(2):
            try:
                self._file.seek(frame)
                self._position = frame
            except self._read_errors:
                self._raise_failure()
                self._reopen()  # a decoder that came to the end of the stream may stay there
            else:
                return
        if self.claimed_frames is not None and self.claimed_frames <= frame:
            self._end = frame
            return
        # Past an end that is not known yet, or of a codec that only goes forward.
        at_once = max(1, _BLOCK_SAMPLES // self.channels)
        while self._position < frame and len(self._read(min(at_once, frame - self._position))):
            pass

    def _read(self, count: int, dtype: str = "float32") -> Any:
        place = self._position
        self._announce(count)
        try:
            block = self._file.read(count, dtype=dtype, always_2d=True)
        except self._read_errors as error:
            self._raise_failure()
            with suppress(LabeltoolError):  # a decoder that lost its place stays lost
                self._reopen()
                if count > _SMALLEST_BLOCK:
                    self._move_to(place)
            if count > _SMALLEST_BLOCK and self._position == place:
                return self._read(count // 2, dtype)  # what is before the damage can be read
            raise LabeltoolError(
                f"cannot be decoded after {place / self.rate_hz:.6g} s ({_cause(error)}): it is damaged or cut short",
                file=self._path,
                remedy=COPY_AGAIN,
            ) from error
        self._raise_failure()
        self._position += len(block)
        if len(block) < count:
            self._end = self._position
        return block


def unreadable(path: str | Path, error: Exception) -> LabeltoolError:
    """Return the error for a file that cannot be opened or decoded."""
    why = _cause(error)
    try:
        if not is_url(path):
            Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return LabeltoolError(
            "does not exist any more", file=path, remedy="`labeltool relocate FOLDER` finds what moved"
        )
    except OSError as no_access:
        why = _cause(no_access)
    return LabeltoolError("is not a sound file that can be read", file=path, remedy=why)


# What libsndfile says of an MP3 without a frame, and of an impossible rate, is about files and its own structures.
_MISLEADING = {7: "no sound in it is recognised", 24: "its header has an impossible sample rate"}


def _cause(error: Exception) -> str:
    """Return what a library says of an error, without its full stop."""
    if (known := _MISLEADING.get(getattr(error, "code", 0))) is not None:
        return known
    text = getattr(error, "error_string", None) or getattr(error, "strerror", None) or error
    return str(text).removeprefix("Error : ").rstrip(".")
