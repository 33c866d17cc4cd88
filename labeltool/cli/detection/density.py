"""Call density: what was detected by hour, day and site, as a table and as a picture."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from labeltool.cli.common import current_project, emit, narrate, project_options, quoted
from labeltool.errors import LabeltoolError
from labeltool.util.counted import counted

if TYPE_CHECKING:
    from labeltool.evaluation.call_density import By, CallDensity, DensityRow, Interval
    from labeltool.project import Project

# Of a picture; of more, those with most detections are drawn.
_MAX_LABELS, _MAX_SITES = 6, 40
_COLUMNS = (
    *("day", "hour", "site", "label", "threshold", "hours", "events", "per_hour"),
    *("calls", "calls_low", "calls_high", "calls_per_hour", "calls_per_hour_low", "calls_per_hour_high"),
)


@click.command()
@click.option("--model", metavar="ID or NAME", help="The model that detected.  [default: the one that did last]")
@click.option(
    "--by",
    multiple=True,
    type=click.Choice(["hour", "day", "site"]),
    default=("hour",),
    show_default=True,
    help="Count by the hour of the day, the date or the site; several may be given.",
)
@click.option("--label", "labels", multiple=True, metavar="LABEL", help="Only this label.  [default: all detected]")
@click.option("--csv", "as_csv", is_flag=True, help="Print the table as CSV.")
@click.option(
    "--picture", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Draw hours by days (PNG)."
)
@project_options
def density(
    model: str | None, by: tuple[By, ...], labels: tuple[str, ...], as_csv: bool, picture: Path | None, as_json: bool
) -> None:
    """Show how often labels were detected, by hour, day or site.

    Detections of `labeltool detect` per hour searched, with a score of at least the label's threshold. Where a review
    of them is saved (`evaluate --detections --save`), also the expected number of true calls. Times are by the
    recorders' own clocks, from the column recorded_at or from names such as SITE_20240531_203000.wav.

    \b
    labeltool density --by day --by site
    labeltool density --label owl --picture owl.png
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.evaluation.call_density import call_density

    if as_csv and as_json:
        raise click.UsageError("--csv and --json are two formats")
    project = current_project()
    with project.open_store() as store:
        found = call_density(store, tuple(dict.fromkeys(by)), model=model, labels=labels)
    if as_json:
        emit(found)
    elif as_csv:
        _print_csv(found)
    else:
        _print_table(found)
    narrate(_summary(found))
    if picture is not None:
        _draw(project, picture, model, labels)


def _draw(project: Project, picture: Path, model: str | None, labels: tuple[str, ...]) -> None:
    """Draw hours by days of the recordings whose time is known; without any, the sites."""
    from labeltool.evaluation import charts
    from labeltool.evaluation.call_density import call_density
    from labeltool.evaluation.charts import of_clips

    charts.require_available()
    with project.open_store() as store:
        found = call_density(store, ("hour", "day"), model=model, labels=labels)
        if found.without_time == found.recordings:
            found = call_density(store, ("site",), model=model, labels=labels)
    if not found.rows:
        raise LabeltoolError("nothing was detected: there is nothing to draw")
    # A link in the place of the picture is replaced, not followed.
    where = picture.parent.resolve() / picture.name
    drawn = of_clips.most_detected(found, _MAX_LABELS, _MAX_SITES)
    charts.write_picture(of_clips.density(drawn), where)
    count = len({row.label for row in drawn.rows})
    more = f", those detected most often; at most {_MAX_LABELS} are" if count == _MAX_LABELS else ""
    narrate(f"{counted(count, 'label')} drawn{more}: {where}")
    if left_out := sorted({row.site or "" for row in found.rows} - {row.site or "" for row in drawn.rows}):
        names = ", ".join(quoted(site, 22) for site in left_out)
        narrate(f"{_MAX_SITES} sites drawn, those with most detections; not drawn: {names}")


def _summary(found: CallDensity) -> str:
    how = " as the device does" if found.as_device else ""
    text = f"{found.model} searched {counted(found.recordings, 'recording')}, {found.hours:.1f} h{how}"
    if found.without_time and set(found.by) & {"hour", "day"}:
        text += f"; of {found.without_time} the time is not known"
    if not found.reviewed:
        text += "; `labeltool evaluate --detections --precision P --save` gives the number of true calls"
    return text


def _print_table(found: CallDensity) -> None:
    click.echo(
        "  ".join(
            [
                *(f"{name:<12}" for name in found.by),
                f"{'label':<24}",
                "threshold",
                "   hours",
                "detected",
                "per hour",
                "true calls",
            ]
        )
    )
    for row in found.rows:
        places = [f"{_place(row, name):<12}" for name in found.by]
        numbers = f"{row.threshold:9.2f}  {row.hours:8.2f}  {row.events:8}  {row.per_hour:8.2f}"
        calls = "-" if row.calls is None else f"{row.calls.value:.0f} ({row.calls.low:.0f}-{row.calls.high:.0f})"
        click.echo("  ".join([*places, f"{quoted(row.label, 22):<24}", numbers, calls]))


def _place(row: DensityRow, by: By) -> str:
    from labeltool.errors import in_one_line

    value = {"hour": None if row.hour is None else f"{row.hour:02}", "day": row.day, "site": row.site}[by]
    return "not known" if value is None else in_one_line(value)


def _print_csv(found: CallDensity) -> None:
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(_COLUMNS)
    for row in found.rows:
        place = (row.day, row.hour, row.site, row.label, row.threshold, row.hours, row.events, row.per_hour)
        table.writerow([*place, *_bounds(row.calls), *_bounds(row.calls_per_hour)])


def _bounds(interval: Interval | None) -> tuple[float | None, ...]:
    return (None, None, None) if interval is None else (interval.value, interval.low, interval.high)
