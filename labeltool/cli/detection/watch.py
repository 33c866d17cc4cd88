"""A folder that recorders are synchronised to: what arrives is imported and searched for events."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labeltool.cli.common import (
    Number,
    current_project,
    engine_options,
    narrate,
    print_damaged,
    print_failed,
    project_option,
)
from labeltool.cli.detection.detect import events_folder, threshold_option
from labeltool.cli.detection.detect_parts import LabelTracks, detect_in_parts, parts_of, print_events
from labeltool.cli.pretrained import any_model_option
from labeltool.errors import ExitCode, LabeltoolError, in_one_line
from labeltool.util.counted import counted

if TYPE_CHECKING:
    from labeltool.importers.arriving import ArrivingFiles
    from labeltool.project import Project

# How often a file is searched that fails for a reason that names no place: it may be the file's, or pass.
_MOST_TRIES = 3


@dataclass(slots=True)
class _Failures:
    """What failed at one look at the folder.

    Attributes
    ----------
    reasons
        All of them, each with its place.
    again
        The files to be tried again: they failed for a reason that is not theirs, such as a full disk.
    tries
        Of the files whose failure names no place, how often they failed so at one look after the other.
    """

    reasons: set[str] = field(default_factory=set)
    again: set[Path] = field(default_factory=set)
    tries: dict[Path, int] = field(default_factory=dict)


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
@any_model_option
@threshold_option
@click.option(
    "--interval",
    type=Number(min=0.1),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="Time between two listings of the folder.",
)
@click.option(
    "--settle",
    type=Number(min=0),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a file must not have changed before it counts as complete.",
)
@click.option("--once", is_flag=True, help="End when what is complete now is searched: for cron.")
@engine_options
@project_option
def watch(
    directory: Path, model: str | None, thresholds: dict[str | None, float], interval: float, settle: float, once: bool
) -> None:
    """Import and search recordings as they arrive in a folder.

    A sound file in DIR or below that is complete is imported and searched for events, as `import audio` and `detect`
    do. One that cannot be read is named, and tried again when it changes. It goes on until Ctrl-C, also where the disk
    is full for a while; what the model has searched already is skipped when it starts again. `detect` searches anew
    with another threshold.

    \b
    labeltool watch ~/recorders --model yamnet
    labeltool watch /mnt/recorders --once
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.importers.arriving import ArrivingFiles
    from labeltool.inference.window_scorers import choose_model

    project = current_project()
    folder = events_folder(project, None)
    options = {
        "threshold": thresholds.pop(None, None),
        "thresholds": thresholds,
        "events": str(folder),
        "is_part": True,
    }
    choose_model(project, model)  # a wrong name ends it before it waits
    arriving, tracks = ArrivingFiles(directory, settle), LabelTracks(folder, below=directory)
    is_failed, before = False, _Failures()
    for files in _arrivals(arriving, directory, interval, settle, once):
        failures = _Failures()
        try:
            for part in parts_of(_not_searched(project, model, files)):
                _import_and_detect(project, part, model, options, tracks, before, failures)
        except LabeltoolError as error:
            if once:
                raise
            failures.again.update(files)
            failures.reasons.add(str(error))
            if str(error) not in before.reasons:
                narrate(f"failed: {error}; tried again")
        arriving.give_again(failures.again)
        is_failed |= bool(failures.reasons)
        before = failures
    if once and is_failed:
        raise click.exceptions.Exit(ExitCode.FAILED)


def _arrivals(
    files: ArrivingFiles, directory: Path, interval_s: float, settle_s: float, once: bool
) -> Iterator[list[Path]]:
    """Yield the files that became complete, at each look at the folder; without end unless `once`."""
    named: set[str] = set()
    complete = files.complete(time.monotonic())  # from now on the others must stay as they are
    narrate(f"watching {directory}" + ("" if once else ", Ctrl-C ends it"))
    wait_s = settle_s if once else min(interval_s, settle_s)
    while True:
        time.sleep(wait_s)
        complete += files.complete(time.monotonic())
        wait_s = interval_s
        unlisted = {str(error) for error in files.unlisted}
        for reason in sorted(unlisted - named):
            narrate(f"failed: {reason}")
        named = unlisted  # named again when it happens again
        yield complete
        complete = []
        if once:
            if files.arriving:
                narrate(f"{counted(files.arriving, 'file')} not complete yet")
            return


def _not_searched(project: Project, model: str | None, files: Sequence[Path]) -> list[Path]:
    """Return the files without those that the model has searched since they were changed."""
    from labeltool.store.detections.scans import searched_at

    if not files:
        return []
    with project.open_store() as store:
        at = searched_at(store, model)
    now_s = time.time()

    def is_new(file: Path) -> bool:
        when = at.get(str(file.resolve()))
        try:
            status = file.stat()
        except OSError:
            return False  # removed meanwhile
        # A copy may keep the recorder's time, and that of a recorder whose clock is fast is always later.
        times = [one for one in (status.st_mtime, status.st_ctime) if one <= now_s]
        return when is None or any(datetime.fromtimestamp(one, UTC) > when for one in times)

    return [file for file in files if is_new(file)]


def _import_and_detect(
    project: Project,
    files: Sequence[Path],
    model: str | None,
    options: Mapping[str, Any],
    tracks: LabelTracks,
    before: _Failures,
    failures: _Failures,
) -> None:
    """Import recordings and search them for events; name what did not fail so at the look before.

    Parameters
    ----------
    failures
        Gets what failed.
    """
    _import(project, files)
    done = set[str]()
    for result in detect_in_parts(project, files, model, options):
        new = [one for one in result.files if not one.was_finished]
        for one in new:
            print_events(one, tracks.write(one))
        print_damaged(new)
        unnamed = [one for one in result.failed if str(one) not in before.reasons]
        print_failed(unnamed, len(result.files) + len(unnamed))
        failures.reasons.update(map(str, result.failed))
        done.update(in_one_line(one.file) for one in result.files)
        done.update(one.file for one in result.failed)
        for file in map(Path, result.without_place):
            failures.tries[file] = before.tries.get(file, 0) + 1
            if failures.tries[file] < _MOST_TRIES:
                done.discard(in_one_line(str(file)))
    failures.again.update(file for file in files if in_one_line(str(file)) not in done)


def _import(project: Project, files: Sequence[Path]) -> None:
    """Import recordings; what cannot be read is skipped, and named where it is searched."""
    from labeltool.importers.registry import FORMATS
    from labeltool.store.importing import import_records

    with project.open_store(to_write=True) as store:
        try:
            for batch in FORMATS["audio"].batches(files, lambda *_: None):
                import_records(store, batch.records, kind=batch.kind, source=batch.source)
        except LabeltoolError as error:
            if error.file not in {str(file) for file in files}:
                raise
