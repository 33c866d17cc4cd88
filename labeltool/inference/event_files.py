"""The events that a model detected in a recording, as one Parquet file for each recording and model.

Any tool that reads Parquet reads all of them at once, `SELECT * FROM 'exports/detect/*.parquet'` in DuckDB say. A file
is written whole and moved into place after the events are in the project, so one that is there says that the recording
is finished: its metadata have what the events depend on, and the size and the time of change of the sound file, by
which that need not be read again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from labeltool.audio.file_versions import FileVersion
from labeltool.audio.files import AudioFile
from labeltool.errors import LabeltoolError
from labeltool.records import Event
from labeltool.util.atomic_write import open_atomic
from labeltool.util.recorded_at import DEVICE, recorded_at, site_of
from labeltool.util.urls import is_url

SUFFIX = ".parquet"

# Raised whenever what the metadata mean changes.
_VERSION = 1
_METADATA = b"labeltool"
# More events than a model with a thousand classes finds in a day; the folder may be a stranger's.
_MAX_EVENTS = 5_000_000
_MAX_METADATA_BYTES = 1 << 16
_STEM_LETTERS, _MODEL_LETTERS, _HASH_LETTERS = 40, 15, 12  # 255 bytes is the longest name, a letter has up to four


@dataclass(frozen=True, slots=True)
class SearchedFile:
    """A recording that a model searched, and the sound file as it was then.

    Attributes
    ----------
    as_it_was
        The sound file then: its size and when it was changed.
    model
        Its id or name.
    depends_on
        Changes with anything that changes the events: the model, the labels, the thresholds, the rules.
    version
        Of this format.
    """

    sound: AudioFile
    as_it_was: FileVersion
    model: str
    depends_on: str
    version: int = _VERSION


def is_available() -> bool:
    """Return whether Parquet can be read and written: whether pyarrow is installed."""
    return find_spec("pyarrow") is not None


class EventFiles:
    """The Parquet files of a folder; without pyarrow there are none, and none is written.

    Parameters
    ----------
    folder
        None: nothing is kept.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder if is_available() else None
        self._by_stem: dict[str, list[Path]] = {}
        if self._folder is not None and self._folder.is_dir():
            for path in sorted(self._folder.glob(f"*{SUFFIX}")):
                self._by_stem.setdefault(path.name.rsplit(".", 3)[0], []).append(path)

    def known_sound(self, file: str) -> AudioFile | None:
        """Return the properties of a sound file that was searched and has not changed; None for another."""
        kept = self._by_stem.get(_stem(Path(file)))
        try:
            now = FileVersion.of(file if is_url(file) else Path(file).resolve()) if kept else None
        except (OSError, LabeltoolError):
            return None  # whoever reads it says why
        for one in kept or ():
            searched = _searched(one)
            if searched is not None and searched.as_it_was == now:
                return searched.sound
        return None

    def finished(self, sound: AudioFile, model: str, depends_on: str) -> tuple[Event, ...] | None:
        """Return the events that a model detected in a recording; None where that is not finished."""
        path = self.path(sound, model)
        searched = None if path is None else _searched(path)
        if path is None or searched is None:
            return None
        if (searched.sound.sha256, searched.model, searched.depends_on) != (sound.sha256, model, depends_on):
            return None
        return _events(path)

    def path(self, sound: AudioFile, model: str) -> Path | None:
        """Return the file of a recording's content and a model; None where none is kept."""
        if self._folder is None:
            return None
        # The name of a model may be a path, and is shortened: the hash is of it too.
        name = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in Path(model).name)
        digest = depends_on(sound.sha256, model)[:_HASH_LETTERS]
        return self._folder / f"{_stem(Path(sound.path))}.{name[:_MODEL_LETTERS]}.{digest}{SUFFIX}"

    def write(
        self, sound: AudioFile, model: str, depends_on: str, events: Sequence[Event], columns: Mapping[str, str]
    ) -> Path | None:
        """Write the events of a recording, in place of those of the same model; return the file.

        Parameters
        ----------
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
            searched = SearchedFile(sound, FileVersion.of(sound.path), model, depends_on)
            table = pyarrow.table(_columns(sound, model, events, columns), _schema())
            about = json.dumps(asdict(searched)).encode()
            with open_atomic(path) as file:
                parquet.write_table(table.replace_schema_metadata({_METADATA: about}), file, compression="zstd")
        except OSError as error:
            raise LabeltoolError(f"events cannot be written: {error.strerror or error}", file=path) from error
        return path


def depends_on(*parts: object) -> str:
    """Return a text that changes with any of some values, of plain types and dataclasses."""
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogateescape")).hexdigest()[:24]


def _stem(path: Path) -> str:
    return path.stem[:_STEM_LETTERS]


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
    """Return the table: a row for each event; a network of windows knows no frequencies."""
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


def _searched(path: Path) -> SearchedFile | None:
    """Return what a file is of; None where it is missing, damaged, or of another version."""
    from pyarrow import ArrowException
    from pyarrow.parquet import read_metadata

    try:
        metadata = read_metadata(path)
        about = (metadata.metadata or {}).get(_METADATA, b"")
        if metadata.num_rows > _MAX_EVENTS or len(about) > _MAX_METADATA_BYTES:
            return None
        searched = msgspec.json.decode(about, type=SearchedFile)
    except (ArrowException, OSError, ValueError):
        return None
    return searched if searched.version == _VERSION else None


def _events(path: Path) -> tuple[Event, ...] | None:
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as file:
            rows = file.read(columns=["label", "start_s", "end_s", "score"]).to_pylist()
        return msgspec.convert([{**row, "probability": row.pop("score")} for row in rows], tuple[Event, ...])
    except (ArrowException, OSError, ValueError, KeyError):
        return None
