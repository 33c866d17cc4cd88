"""Sound events in long recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from labeltool.cli.common import (
    Number,
    PathOnDisk,
    Whole,
    current_project,
    emit,
    exit_for_failed,
    json_option,
    narrate,
    nearby_project,
    print_failed,
    project_option,
    quoted,
    run_task,
)
from labeltool.cli.pretrained import any_model_option
from labeltool.errors import LabeltoolError, in_one_line
from labeltool.util.no_links import refuse_links, write_new
from labeltool.util.urls import as_url
from labeltool.util.writable import why_not_writable

if TYPE_CHECKING:
    from labeltool.inference.detect import DetectedFile
    from labeltool.store.detections.operating_points import Source

_CACHE = ".labeltool-detect"
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


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=PathOnDisk())
@any_model_option
@click.option(
    "--threshold",
    "thresholds",
    metavar="[LABEL=]P",
    multiple=True,
    callback=_thresholds,
    help="Probability, 0 to 1, that an event of a label (or of any) reaches once; 0.3 times as much throughout.  "
    "[default: what `evaluate --save` saved, else the model's calibrated threshold, 0.2 for a pretrained model]",
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
@project_option
@json_option
def detect(
    files: tuple[Path, ...],
    model: str | None,
    thresholds: dict[str | None, float],
    smooth: float | None,
    merge_gap: float | None,
    min_duration: float | None,
    as_device: bool,
    processes: int | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Detect sound events in recordings of any duration.

    Events in a recording of the project become suggested regions in the app (`w`), in place of those of the same model
    or an earlier one. An Audacity label track (.txt) of each file is written too; no existing file is overwritten. An
    interrupted scan continues, and another threshold needs no second scan.

    \b
    labeltool detect night.flac --model yamnet --threshold dog=0.6
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.tasks.registry import DETECT

    rules = {"smooth_s": smooth, "merge_gap_s": merge_gap, "min_duration_s": min_duration}
    rules = {name: value for name, value in rules.items() if value is not None}
    if as_device and (rules or processes is not None):
        raise LabeltoolError(
            "--as-device has its own rule for events",
            remedy="leave out --smooth, --merge-gap, --min-duration and --processes",
        )
    own = model is None or (model.isascii() and model.isdigit())
    project = current_project() if own else nearby_project()
    # What a person names may be reached by links; the project's own folder may not.
    folder = project.exports / "detect" if project and output is None else (output or Path()).resolve()
    refuse_links(folder)
    if project and output is None and (why := why_not_writable(project.directory, project.exports, folder)):
        raise LabeltoolError("cannot be written", file=folder, remedy=f"{why}; -o names another folder")
    options = {
        "threshold": thresholds.pop(None, None),
        "thresholds": thresholds,
        "rules": rules,
        "cache": None if project else str(folder / _CACHE),
        "processes": processes,
        "as_device": as_device,
    }
    result = run_task(project, DETECT, files=[as_url(file) for file in files], model=model, options=options)
    tracks = _write_tracks(result.files, folder)
    if result.mapped == 0:
        narrate(f"no class of {result.model} is mapped to a label of the project: all of its classes are shown")
    _narrate_saved(result.operating_points)
    if as_json:
        detected = [{**asdict(one), "track": track} for one, track in zip(result.files, tracks, strict=True)]
        emit({**asdict(result), "files": detected})
    else:
        for one, track in zip(result.files, tracks, strict=True):
            _print_events(one, track)
    print_failed(result.failed, len(files))
    exit_for_failed(result.failed)


def _narrate_saved(sources: Mapping[str, Source]) -> None:
    """Say which thresholds are operating points, and from what data."""
    for from_review in (True, False):
        names = [quoted(name) for name, source in sources.items() if (source != "validation") is from_review]
        if names:
            what = "a review of detections" if from_review else "labelled clips"
            narrate(f"thresholds saved from {what}: {', '.join(names)}; --threshold overrides them")


def _print_events(detected: DetectedFile, track: str) -> None:
    click.echo(in_one_line(detected.file))
    for event in detected.spans:
        times = f"{_clock(event.start_s)}  {_clock(event.end_s)}"
        click.echo(f"{times}  {event.probability:.2f}  {in_one_line(event.label)}")
    speed = detected.seconds / max(detected.scoring_s, 1e-3)
    suggested = "" if detected.suggestions is None else f", {detected.suggestions} suggested in the app"
    narrate(f"{len(detected.spans)} events{suggested}, {speed:.0f} x real time; wrote {track}")


def _write_tracks(files: Sequence[DetectedFile], folder: Path) -> list[str]:
    """Write a label track of each file and return their paths; an existing file stays, a person may have edited it."""
    from labeltool.exporters.annotations import one_field
    from labeltool.exporters.audacity import Region
    from labeltool.exporters.file_names import safe_stems

    tracks = []
    for stem, detected in zip(safe_stems([Path(one.file).stem for one in files]), files, strict=True):
        regions = (Region(event.start_s, event.end_s, one_field(event.label)) for event in detected.spans)
        content = "".join(region.lines for region in sorted(regions)).encode()
        tracks.append(str(_write_new(folder, f"{stem}.detected", content)))
    return tracks


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


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds * 100), 6000)
    return f"{minutes // 60}:{minutes % 60:02}:{rest / 100:05.2f}"
