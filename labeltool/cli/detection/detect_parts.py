"""Detection in any number of recordings: which of them, and in parts that are finished one after the other.

A part's recordings share the processes that score them. What was found is printed and its label tracks are written
before the next part begins, so a thousand hours need the memory of a few, and what was finished stays when it is
interrupted.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labeltool.cli.common import narrate, run_task
from labeltool.errors import LabeltoolError, in_one_line
from labeltool.util.counted import clock
from labeltool.util.files.no_links import write_new
from labeltool.util.recorded_at import recorded_at
from labeltool.util.urls import as_url, is_url

if TYPE_CHECKING:
    from labeltool.inference.detection_records import DetectedFile, DetectResult
    from labeltool.project import Project

# A job is a command's argument: on Linux it has at most 128 KiB, on Windows all of them have 32.
_PART_FILES, _PART_LETTERS = 500, (64 if os.name == "posix" else 16) << 10
# An hour of 16-bit sound at 16 kHz is 115 MB; loading a network takes a second or three.
_PART_BYTES = 1 << 30
_DURATION = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)\s*(m|h|d|w)")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


NOT_IMPORTED = "not in the project (`labeltool import audio FILE`, then detect again)"


class Since(click.ParamType[datetime]):
    """A time, as ISO 8601 or as a duration before now: a number with m, h, d or w."""

    name = "since"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> datetime:
        """Return the time by the clock of this machine, without a zone."""
        if isinstance(value, datetime):
            return value
        try:
            if found := _DURATION.fullmatch(value.strip()):
                return datetime.now() - timedelta(**{_UNITS[found[2]]: float(found[1])})
            given = datetime.fromisoformat(value.strip())
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is neither a date (2024-05-31) nor a duration (12h, 7d).", param, context)
        return given.astimezone().replace(tzinfo=None) if given.tzinfo is not None else given


def sound_files(paths: Iterable[Path]) -> list[Path]:
    """Return the files given, and the sound files in and below the folders given.

    Raises
    ------
    LabeltoolError
        When a folder cannot be listed.
    """
    from labeltool.audio.files import walk

    return [file for path in paths for file in (walk(path) if path.is_dir() else (path,))]


def recorded_since(project: Project | None, files: Iterable[Path], since: datetime) -> list[Path]:
    """Return the files that were recorded at a time or later.

    A recording begins when its column `recorded_at` says, else when its recorder wrote, else when its name says; where
    none does, the time counts at which the file was changed. A URL that was not imported counts by its name, and is
    kept where that says nothing, as a file that is missing: whoever reads it says so.
    """
    from labeltool.audio.recorder_metadata import recorder_columns

    columns = {} if project is None else _columns(project)

    def is_since(file: Path) -> bool:
        stored = as_url(file) if is_url(file) else str(file.resolve())
        try:
            written = {} if is_url(file) else dict(recorder_columns(file))
            when = recorded_at(stored, {**written, **columns.get(stored, {})}, 0.0)
            return (datetime.fromtimestamp(file.stat().st_mtime) if when is None else when.start) >= since
        except OSError:
            return True

    return [file for file in files if is_since(file)]


def _columns(project: Project) -> dict[str, Mapping[str, str]]:
    from labeltool.store import groups, recordings

    with project.open_store() as store:
        own = groups.own_columns(store)
        return {one.path: own[one.id] for one, _ in recordings.all_recordings(store) if one.id in own} if own else {}


def parts_of(files: Sequence[Path]) -> Iterator[list[Path]]:
    """Yield the files in their order, in parts of bounded size."""
    part: list[Path] = []
    letters = size = 0
    for file in files:
        try:
            of_file = file.stat().st_size
        except OSError:
            of_file = 0
        name = len(json.dumps(str(file)))
        if part and (len(part) >= _PART_FILES or letters + name > _PART_LETTERS or size + of_file > _PART_BYTES):
            yield part
            part, letters, size = [], 0, 0
        part.append(file)
        letters, size = letters + name, size + of_file
    if part:
        yield part


def detect_in_parts(
    project: Project | None, files: Sequence[Path], model: str | None, options: Mapping[str, Any]
) -> Iterator[DetectResult]:
    """Detect events in recordings and yield each part's result; `options` are `DetectOptions` as JSON values."""
    from labeltool.tasks.registry import DETECT

    for part in parts_of(files):
        is_part = {"is_part": bool(options.get("is_part")) or len(part) < len(files)}
        names = [as_url(file) for file in part]
        yield run_task(project, DETECT, files=names, model=model, options={**options, **is_part})


def print_events(detected: DetectedFile, track: str) -> None:
    """Print the events of a recording, and on stderr how many there are."""
    click.echo(in_one_line(detected.file))
    for event in detected.spans:
        times = f"{clock(event.start_s)}  {clock(event.end_s)}"
        click.echo(f"{times}  {event.probability:.2f}  {in_one_line(event.label)}")
    missing = "" if detected.is_imported is not False else f", {NOT_IMPORTED}"
    suggested = missing if detected.suggestions is None else f", {detected.suggestions} suggested in the app"
    speed = f"{detected.seconds / max(detected.scoring_s, 1e-3):.0f} x real time"
    how = "searched before" if detected.was_finished else speed
    narrate(f"{len(detected.spans)} events{suggested}, {how}; wrote {track}")


def _absolute(file: str | Path) -> str:
    return as_url(file) if is_url(file) else str(Path(file).absolute())


class LabelTracks:
    """Writes a label track of each recording; an existing file stays, a person may have edited it.

    Cards of several recorders have files of one name: a track's name does not depend on which of them comes first.

    Parameters
    ----------
    files
        All that are searched: where two have the same name, the tracks are named by the path below their folder.
    below
        The folder that all are in, where they are not known yet: the tracks are named by the path below it.
    """

    def __init__(self, folder: Path, files: Iterable[Path] = (), *, below: Path | None = None) -> None:
        from labeltool.exporters.file_names import short_names

        self._folder, self._below = folder, None if below is None else below.absolute()
        self._names = short_names({_absolute(file) for file in files})
        self._used: dict[str, int] = {}

    def write(self, detected: DetectedFile) -> str:
        """Write a recording's label track and return its path."""
        from labeltool.exporters.annotations import one_field
        from labeltool.exporters.audacity import Region
        from labeltool.exporters.file_names import safe_stems

        path = Path(_absolute(detected.file))
        if self._below is not None and path.is_relative_to(self._below):
            name = path.relative_to(self._below)
        else:
            name = Path(self._names.get(_absolute(detected.file), path.name))
        (stem,) = safe_stems([str(name.with_suffix(""))])
        number = self._used[stem.casefold()] = self._used.get(stem.casefold(), 0) + 1
        regions = (Region(event.start_s, event.end_s, one_field(event.label)) for event in detected.spans)
        content = "".join(region.lines for region in sorted(regions)).encode()
        return str(
            _write_new(self._folder, f"{stem}.detected" if number == 1 else f"{stem}-{number}.detected", content)
        )


def _write_new(folder: Path, stem: str, content: bytes) -> Path:
    """Write a file under a name that is free, or return the one with the same content."""
    for number in range(1, 10_000):
        path = folder / (f"{stem}.txt" if number == 1 else f"{stem}-{number}.txt")
        try:
            write_new(path, content)
        except FileExistsError:
            if path.is_symlink() or not path.is_file() or path.read_bytes() != content:
                continue
        return path
    raise LabeltoolError("too many label tracks of one recording", file=folder, remedy="-o DIR")
