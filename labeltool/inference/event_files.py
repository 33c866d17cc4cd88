"""The events that a model detected in a recording, as one Parquet file for each recording and model.

Any tool that reads Parquet reads all of them at once, `SELECT * FROM 'exports/detect/*.parquet'` in DuckDB say. A file
is written whole and moved into place after the events are in the project, so a file that exists means that the
recording is finished: its metadata have what the events depend on, and the size and the time of change of the sound
file, by which that need not be read again.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from labeltool.audio.file_versions import FileVersion
from labeltool.audio.files import AudioFile
from labeltool.errors import LabeltoolError
from labeltool.records import Event
from labeltool.util.files.atomic_write import open_atomic
from labeltool.util.files.folders import open_file
from labeltool.util.recorded_at import DEVICE, recorded_at, site_of
from labeltool.util.unicode_names import as_on_disk
from labeltool.util.urls import is_url

SUFFIX = ".parquet"

# Raised whenever what the metadata mean changes.
_VERSION = 1
_METADATA = b"labeltool"
# More events than a model with a thousand classes finds in a day; the folder may be a stranger's.
_MAX_EVENTS = 5_000_000
_MAX_METADATA_BYTES, _MAX_BYTES = 1 << 16, 256 << 20
# 255 bytes is the longest name, a letter has up to four.
_STEM_LETTERS, _PLACE_LETTERS, _MODEL_LETTERS, _HASH_LETTERS = 40, 8, 15, 12


@dataclass(frozen=True, slots=True)
class SearchingModel:
    """The model of a search: its id or name (not unique), and a text that changes with what its scores depend on."""

    name: str
    identity: str


@dataclass(frozen=True, slots=True)
class _SearchedFile:
    """A recording that a model searched, and the sound file as it was then.

    Attributes
    ----------
    as_it_was
        The sound file then: its size and when it was changed.
    fingerprint
        Changes with anything that changes the events: the model, the labels, the thresholds, the rules.
    """

    sound: AudioFile
    as_it_was: FileVersion
    model: str
    fingerprint: str
    version: int = _VERSION


def is_available() -> bool:
    """Return whether Parquet can be read and written: whether pyarrow is installed."""
    return find_spec("pyarrow") is not None


def current_version(file: str) -> FileVersion | None:
    """Return size and time of change of a sound file; None if it cannot be read: opening it then gives the error."""
    try:
        return FileVersion.of(file if is_url(file) else as_on_disk(Path(file)).resolve())
    except (OSError, LabeltoolError):
        return None


def _load_pyarrow() -> None:
    """Load what reads and writes Parquet: a search of hours should not find out at its end that it cannot be.

    Raises
    ------
    LabeltoolError
        When it is installed and does not load.
    """
    try:
        import_module("pyarrow.parquet")
        import_module("pandas")  # pyarrow itself loads it with the first table
    except ImportError as error:
        remedy = 'reinstall it, `pip install --force-reinstall "labeltool[parquet]"`, or remove it'
        raise LabeltoolError(f"pyarrow cannot be loaded: {error}", remedy=remedy) from error


class EventFiles:
    """The Parquet files of a folder; without one, or without pyarrow, there are none and none is written."""

    def __init__(self, folder: Path | None) -> None:
        """Load pyarrow too, where there is a folder; `LabeltoolError` if it cannot be."""
        self._folder = folder if is_available() else None
        # The files of each place, and that of each digest: recorders of many sites have files of one name.
        self._of_place: dict[str, list[Path]] = {}
        self._of_digest: dict[str, Path] = {}
        if self._folder is None:
            return
        _load_pyarrow()
        if self._folder.is_dir():
            for path in self._folder.glob(f"*{SUFFIX}"):
                parts = path.name.rsplit(".", 3)
                if len(parts) == 4:
                    self._of_place.setdefault(parts[0], []).append(path)
                    self._of_digest[parts[2]] = path

    def known_sound(self, file: str, now: FileVersion | None) -> AudioFile | None:
        """Return the properties of a sound file that was searched and has not changed; None for another.

        Parameters
        ----------
        now
            The file as it is now (`current_version`).
        """
        if now is None:
            return None
        for one in self._of_place.get(_place(now.path), ()):
            searched = _searched(one)
            if searched is not None and searched.as_it_was == now:
                return searched.sound
        return None

    def finished(self, sound: AudioFile, model: SearchingModel, fingerprint: str) -> tuple[Event, ...] | None:
        """Return the events that a model detected in a recording; None where that is not finished."""
        path = self.path(sound, model)
        searched = None if path is None else _searched(path)
        if path is None or searched is None:
            return None
        if (searched.sound.sha256, searched.model, searched.fingerprint) != (sound.sha256, model.name, fingerprint):
            return None
        return _events(path)

    def path(self, sound: AudioFile, model: SearchingModel) -> Path | None:
        """Return the file of a recording's content and a model; None where none is kept.

        A recording that was moved keeps its file.
        """
        if self._folder is None:
            return None
        digest = fingerprint_of(sound.sha256, model.name, model.identity)[:_HASH_LETTERS]
        # The name of a model may be a path.
        name = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in Path(model.name).name)
        new = self._folder / f"{_place(sound.path)}.{name[:_MODEL_LETTERS]}.{digest}{SUFFIX}"
        return self._of_digest.setdefault(digest, new)

    def write(
        self,
        sound: AudioFile,
        as_it_was: FileVersion,
        model: SearchingModel,
        fingerprint: str,
        events: Sequence[Event],
        columns: Mapping[str, str],
    ) -> Path | None:
        """Write the events of a recording, in place of those of the same model; return the file.

        Parameters
        ----------
        as_it_was
            The sound file before any of it was read.
        columns
            The recording's own, such as its site.

        Raises
        ------
        LabeltoolError
            When it cannot be written.
        """
        path = self.path(sound, model)
        if path is None:
            return None
        import pyarrow
        from pyarrow import parquet

        try:
            table = pyarrow.table(_columns(sound, model.name, events, columns), _schema())
            about = json.dumps(asdict(_SearchedFile(sound, as_it_was, model.name, fingerprint))).encode()
            with open_atomic(path) as file:
                parquet.write_table(table.replace_schema_metadata({_METADATA: about}), file, compression="zstd")
        except (OSError, pyarrow.ArrowException) as error:
            reason = getattr(error, "strerror", None) or error
            raise LabeltoolError(f"events cannot be written: {reason}", file=path) from error
        return path


def fingerprint_of(*parts: object) -> str:
    """Return a text that changes with any of some values, of plain types and dataclasses."""
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogateescape")).hexdigest()[:24]


def _place(path: str) -> str:
    """Return how the names of the files of a sound file begin: its own stem, and a hash of its path."""
    return f"{Path(path).stem[:_STEM_LETTERS]}-{fingerprint_of(path)[:_PLACE_LETTERS]}"


def _schema() -> Any:
    import pyarrow

    text, number = pyarrow.string(), pyarrow.float64()
    fields = {"recording_sha256": text, "path": text, "site": text, "device": text}
    fields |= {"recorded_at": pyarrow.timestamp("us"), "model": text, "label": text}
    return pyarrow.schema(
        [*fields.items(), *dict.fromkeys(("start_s", "end_s", "low_hz", "high_hz", "score"), number).items()]
    )


def _columns(
    sound: AudioFile, model: str, events: Sequence[Event], columns: Mapping[str, str]
) -> dict[str, list[object]]:
    """Return the table: a row for each event; no model here predicts frequencies."""
    columns = {**dict(sound.recorder_columns), **columns}
    when, count = recorded_at(sound.path, columns, sound.duration_s), len(events)
    of_recording = {
        "recording_sha256": sound.sha256,
        "path": sound.path,
        "site": site_of(sound.path, columns),
        "device": columns.get(DEVICE),
        "recorded_at": None if when is None else when.start,
        "model": model,
        "low_hz": None,
        "high_hz": None,
    }
    return {
        **{name: [value] * count for name, value in of_recording.items()},
        "label": [one.label for one in events],
        "start_s": [one.start_s for one in events],
        "end_s": [one.end_s for one in events],
        "score": [one.probability for one in events],
    }


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file that is no link, no pipe and of a bounded size; a `ValueError` for another."""
    with os.fdopen(open_file(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_BYTES:
            raise ValueError("is no regular file, or too large")
        yield file


def _searched(path: Path) -> _SearchedFile | None:
    """Return what a file is of; None where it is missing, damaged, or of another version."""
    from pyarrow import ArrowException
    from pyarrow.parquet import read_metadata

    try:
        with _opened(path) as file:
            metadata = read_metadata(file)
        about = (metadata.metadata or {}).get(_METADATA, b"")
        if metadata.num_rows > _MAX_EVENTS or len(about) > _MAX_METADATA_BYTES:
            return None
        searched = msgspec.json.decode(about, type=_SearchedFile)
    except (ArrowException, OSError, ValueError):
        return None
    return searched if searched.version == _VERSION else None


def _events(path: Path) -> tuple[Event, ...] | None:
    """Return the events of a file; None where it is damaged, or a number in it is not finite."""
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        with _opened(path) as file, ParquetFile(file) as table:
            rows = table.read(columns=["label", "start_s", "end_s", "score"]).to_pylist()
        found = [
            {"label": row["label"], "start_s": row["start_s"], "end_s": row["end_s"], "probability": row["score"]}
            for row in rows
        ]
        events = msgspec.convert(found, tuple[Event, ...])
    except (ArrowException, OSError, ValueError, KeyError):
        return None
    is_finite = all(math.isfinite(number) for one in events for number in (one.start_s, one.end_s, one.probability))
    return events if is_finite else None
