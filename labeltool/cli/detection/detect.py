"""Sound events in long recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labeltool.cli.common import (
    Number,
    PathOnDisk,
    Whole,
    emit,
    engine_options,
    exit_for_failed,
    narrate,
    print_damaged,
    print_failed,
    project_of_model,
    project_options,
    quoted,
)
from labeltool.cli.detection.detect_parts import (
    LabelTracks,
    Since,
    detect_in_parts,
    print_events,
    recorded_since,
    sound_files,
)
from labeltool.cli.pretrained import any_model_option
from labeltool.errors import LabeltoolError
from labeltool.util.counted import listed
from labeltool.util.files.no_links import refuse_links
from labeltool.util.files.writable import why_not_writable
from labeltool.util.urls import as_url

if TYPE_CHECKING:
    from labeltool.inference.detection_records import DetectResult
    from labeltool.project import Project
    from labeltool.records import Skipped
    from labeltool.store.detections.operating_points import Source

_CACHE = ".labeltool-detect"
_MAX_NAMES = 12
_SECONDS = Number(min=0, max=3600)


def _thresholds(context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str | None, float]:
    thresholds: dict[str | None, float] = {}
    for text in texts:
        label, equals, number = text.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            raise click.BadParameter(f"{text!r} is neither a number nor LABEL=NUMBER") from None
        if not 0 < value <= 1:
            raise click.BadParameter(f"{number} is not above 0 and at most 1")
        thresholds[label if equals else None] = value
    return thresholds


threshold_option = click.option(
    "--threshold",
    "thresholds",
    metavar="[LABEL=]P",
    multiple=True,
    callback=_thresholds,
    help="Probability, 0 to 1, that an event of a label (or of any) reaches once; 0.3 times as much throughout.  "
    "[default: what `evaluate --save` saved, else the model's calibrated threshold, 0.2 for a pretrained model]",
)


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=PathOnDisk())
@any_model_option
@threshold_option
@click.option(
    "--since",
    type=Since(),
    metavar="DATE|DURATION",
    help="Only what was recorded since: 2024-05-31, 2024-05-31T18:00, 12h, 7d. By the column recorded_at or the name, "
    "else by when the file changed.",
)
@click.option("--smooth", type=_SECONDS, metavar="SECONDS", help="Window of the running median.  [default: 0.7]")
@click.option("--merge-gap", type=_SECONDS, metavar="SECONDS", help="Merge events this close.  [default: 1]")
@click.option("--min-duration", type=_SECONDS, metavar="SECONDS", help="Drop shorter events.  [default: 0.4]")
@click.option(
    "--as-device",
    is_flag=True,
    help="Detect as the exported package does, bit for bit. It has its own rule for events; thresholds apply.",
)
@click.option("--processes", type=Whole(1, 64), metavar="N", help="Processes.  [default: one a core for long files]")
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for label tracks.  [default: exports/detect of the project, or the current directory]",
)
@engine_options
@project_options
def detect(
    files: tuple[Path, ...],
    model: str | None,
    thresholds: dict[str | None, float],
    since: datetime | None,
    smooth: float | None,
    merge_gap: float | None,
    min_duration: float | None,
    as_device: bool,
    processes: int | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Detect sound events in recordings of any duration.

    FILE may be a folder. Events in a recording of the project become suggested regions in the app (`w`), in place of
    those of the same model or an earlier one. An Audacity label track (.txt) of each file is written too, where no
    existing file is overwritten, and a Parquet file. An interrupted scan continues, another threshold needs no second
    scan, and what is finished is not searched again.

    \b
    labeltool detect night.flac --model yamnet --threshold dog=0.6
    labeltool detect ~/recorders --since 7d
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    rules = {"smooth_s": smooth, "merge_gap_s": merge_gap, "min_duration_s": min_duration}
    rules = {name: value for name, value in rules.items() if value is not None}
    if as_device and (rules or processes is not None):
        raise LabeltoolError(
            "--as-device has its own rule for events",
            remedy="leave out --smooth, --merge-gap, --min-duration and --processes",
        )
    project = project_of_model(model)
    # What a person names may be reached by links; the project's own folder may not.
    folder = events_folder(project, output)
    wanted = sound_files(files)
    if since is not None:
        wanted, all_files = recorded_since(project, wanted, since), len(wanted)
        narrate(f"{len(wanted)} of {all_files} files were recorded since {since:%Y-%m-%d %H:%M}")
    elif not wanted:
        raise LabeltoolError("no sound file found", file=", ".join(map(as_url, files)))
    options = {
        "threshold": thresholds.pop(None, None),
        "thresholds": thresholds,
        "rules": rules,
        "cache": None if project else str(folder / _CACHE),
        "processes": processes,
        "as_device": as_device,
        "events": str(folder),
        "is_part": len(wanted) != 1 or wanted != list(files),
    }
    _detect_and_show(project, wanted, model, options, folder, as_json)


def _not_searched_for(result: DetectResult) -> str:
    names = listed([*map(quoted, result.unmapped)], _MAX_NAMES)
    remedy = f"`labeltool model map {result.model}`"
    return f"not searched for: {names} (no class of {result.model} is mapped to them: {remedy})"


def _detect_and_show(
    project: Project | None,
    files: Sequence[Path],
    model: str | None,
    options: Mapping[str, Any],
    folder: Path,
    as_json: bool,
) -> None:
    """Detect events, show them and write the label tracks; the exit code is 1 where a file failed."""
    from labeltool.inference.event_files import is_available

    tracks, finished = LabelTracks(folder, files), 0
    all_json: list[dict[str, Any]] = []
    failed: list[Skipped] = []
    whole: DetectResult | None = None
    for result in detect_in_parts(project, files, model, options):
        if whole is None:
            whole = replace(result, files=(), failed=())  # what was found need not stay until the end
            if result.mapped == 0:
                narrate(f"no class of {result.model} is mapped to a label of the project: all of its classes are shown")
            elif result.unmapped:
                narrate(_not_searched_for(result))
            _narrate_saved(result.operating_points)
        for one in result.files:
            track = tracks.write(one)
            finished += one.was_finished
            if as_json:
                all_json.append({**asdict(one), "track": track})
            else:
                print_events(one, track)
        print_damaged(result.files)
        print_failed(result.failed, len(result.files) + len(result.failed))
        failed += result.failed
    if as_json:
        about = (
            {"model": None, "labels": {}, "mapped": None, "unmapped": [], "operating_points": {}}
            if whole is None
            else asdict(whole)
        )
        emit({**about, "files": all_json, "failed": failed})
    if finished and len(files) > 1:
        narrate(f"{finished} of {len(files)} recordings were searched before")
    if whole is not None and not is_available():
        narrate('events are not kept as Parquet: `pip install "labeltool[parquet]"`')
    exit_for_failed(failed)


def events_folder(project: Project | None, output: Path | None) -> Path:
    """Return where label tracks and Parquet files go.

    Raises
    ------
    LabeltoolError
        When the project's own folder cannot be written.
    """
    folder = project.exports / "detect" if project and output is None else (output or Path()).resolve()
    refuse_links(folder)
    if project and output is None and (why := why_not_writable(project.directory, project.exports, folder)):
        raise LabeltoolError("cannot be written", file=folder, remedy=f"{why}; -o names another folder")
    return folder


def _narrate_saved(sources: Mapping[str, Source]) -> None:
    """Say which thresholds are operating points, and from what data."""
    for from_review in (True, False):
        names = [quoted(name) for name, source in sources.items() if (source != "validation") is from_review]
        if names:
            what = "a review of detections" if from_review else "labelled clips"
            narrate(f"thresholds saved from {what}: {', '.join(names)}; --threshold overrides them")
