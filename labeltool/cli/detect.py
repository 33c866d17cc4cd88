"""What is heard where in long recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from labeltool.cli.common import (
    current_project,
    emit,
    json_option,
    narrate,
    nearby_project,
    project_option,
    run_in_child,
)
from labeltool.errors import LabeltoolError, in_one_line

_CACHE = ".labeltool-detect"
_SECONDS = click.FloatRange(min=0, max=3600)


def _thresholds(context: click.Context, parameter: click.Parameter, told: tuple[str, ...]) -> dict[str | None, float]:
    found: dict[str | None, float] = {}
    for one in told:
        label, named, value = one.rpartition("=")
        try:
            found[label if named else None] = float(value)
        except ValueError:
            raise click.BadParameter(f"{one!r} is neither a number nor LABEL=NUMBER") from None
        if not 0 < float(value) <= 1:
            raise click.BadParameter(f"{value} is not above 0 and at most 1")
    return found


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--model",
    metavar="ID, NAME or PATH",
    help="A model's id, the name of a borrowed one, or its file or folder; else the newest of the project.",
)
@click.option(
    "--threshold",
    "thresholds",
    metavar="[LABEL=]P",
    multiple=True,
    callback=_thresholds,
    help="How sure it must be, 0 to 1, of a label or of all: once in an event, and 0.3 times as sure throughout. Else "
    "as the model was calibrated, 0.2 for a borrowed one.",
)
@click.option("--smooth", type=_SECONDS, metavar="SECONDS", help="Running median over so long.  [default: 0.7]")
@click.option("--join", type=_SECONDS, metavar="SECONDS", help="Bridge gaps up to so long.  [default: 1]")
@click.option("--shortest", type=_SECONDS, metavar="SECONDS", help="Drop what is shorter.  [default: 0.4]")
@click.option("--processes", type=click.IntRange(1, 64), metavar="N", help="Else one a core, where it is worth it.")
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where label tracks go; else exports/detect of the project, or the current directory.",
)
@project_option
@json_option
def detect(
    files: tuple[Path, ...],
    model: str | None,
    thresholds: dict[str | None, float],
    smooth: float | None,
    join: float | None,
    shortest: float | None,
    processes: int | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Find what is heard where in recordings of any length.

    What is found in a recording of the project is suggested in the labelling room (`w`), in place of what the same
    model, or one trained before it, found there; an Audacity label track (.txt) of each file is written too, and no
    file that stands there is overwritten. What was interrupted goes on, and other thresholds need no second listening.
    """
    own = model is None or (model.isascii() and model.isdigit())
    project = current_project() if own else nearby_project()
    folder = output or (project.exports / "detect" if project else Path())
    rules = {"smooth_s": smooth, "join_s": join, "shortest_s": shortest}
    result = run_in_child(
        project,
        "detect",
        files=[str(file) for file in files],
        model=model,
        threshold=thresholds.pop(None, None),
        thresholds=thresholds,
        rules={name: value for name, value in rules.items() if value is not None},
        cache=None if project else str(folder.resolve() / _CACHE),
        processes=processes,
    )
    _write_tracks(result["files"], folder)
    if result["mapped"] == 0:
        name = result["model"]
        narrate(in_one_line(f"none of {name}'s classes is mapped to a label of the project: all of them are told"))
    if as_json:
        emit(result)
        return
    for one in result["files"]:
        click.echo(in_one_line(one["file"]))
        for span in one["spans"]:
            times = f"{_clock(span['start_s'])}  {_clock(span['end_s'])}"
            click.echo(f"{times}  {span['probability']:.2f}  {in_one_line(span['label'])}")
        speed = one["seconds"] / max(one["listened_s"], 1e-3)
        shown = "" if one["suggestions"] is None else f", {one['suggestions']} suggested in the room"
        narrate(in_one_line(f"{len(one['spans'])} spans{shown}, {speed:.0f} x real time; wrote {one['track']}"))


def _write_tracks(found: list[dict[str, Any]], folder: Path) -> None:
    """Write a label track of each file; what stands there under its name stays, a person may have worked on it."""
    from labeltool.exporters.audacity import Region, one_field
    from labeltool.exporters.file_names import safe_stems

    folder.mkdir(parents=True, exist_ok=True)
    stems = safe_stems([Path(one["file"]).stem for one in found])
    for stem, one in zip(stems, found, strict=True):
        regions = (Region(span["start_s"], span["end_s"], one_field(span["label"])) for span in one["spans"])
        track = "".join(region.lines for region in sorted(regions)).encode()
        one["track"] = str(_place(folder, f"{stem}.detected", track))


def _place(folder: Path, stem: str, content: bytes) -> Path:
    for number in range(1, 10_000):
        path = folder / (f"{stem}.txt" if number == 1 else f"{stem}-{number}.txt")
        try:
            with path.open("xb") as file:
                file.write(content)
        except FileExistsError:
            if path.is_file() and path.read_bytes() != content:
                continue
        return path
    raise LabeltoolError("too many label tracks of one recording stand there", file=folder, remedy="-o DIR")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds * 100), 6000)
    return f"{minutes // 60}:{minutes % 60:02}:{rest / 100:05.2f}"
