"""The events of a label in hours of sound, from a few that are marked."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from labeltool.cli.common import current_project, emit, json_option, limit_option, narrate, project_option, run_task
from labeltool.errors import in_one_line

if TYPE_CHECKING:
    from labeltool.similarity.find import FindResult


@click.command()
@click.argument("label")
@limit_option(10, "events to check")
@click.option(
    "--recall",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="R",
    default=0.9,
    show_default=True,
    help="Share of the events, as estimated, from which on the search is done.",
)
@click.option(
    "--pretrained",
    metavar="NAME",
    help="Pretrained model whose embeddings are compared.  [default: as in labeltool.toml, or the only one]",
)
@click.option("--processes", type=click.IntRange(1, 64), metavar="N", help="Processes.  [default: one a core]")
@project_option
@json_option
def find(label: str, limit: int, recall: float, pretrained: str | None, processes: int | None, as_json: bool) -> None:
    """Find the events of a label from a few examples.

    Those to check next are listed. The recordings are embedded once; an interrupted run continues. Events become
    suggested regions, in place of those of the last run. Check them in the app (`E`), or by the id that stands before
    each: `labeltool mark ID LABEL` accepts it, `--start` and `--end` move its edges, `--absent` rejects it. Run it
    again, and it uses the labels.

    \b
    labeltool find owl
    labeltool mark 17 owl && labeltool mark 21 owl --absent && labeltool find owl --limit 5
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.tasks.registry import FIND

    options = {"limit": limit, "recall": recall, "pretrained": pretrained, "processes": processes}
    result = run_task(current_project(), FIND, label=label, **options)
    if as_json:
        emit(asdict(result))
        return
    for one in result.candidates:
        place = f"{_clock(one.start_s)}  {_clock(one.end_s)}  {one.score:.2f}  {one.recording}"
        click.echo(in_one_line(f"{one.clip}  {place}"))
    narrate(_summary(result, recall))


def _summary(result: FindResult, bound: float) -> str:
    low, high = result.interval
    counts = f"{result.found} found ({result.accepted} checked), {low} to {high} likely"
    reached = "done" if result.done else f"below {bound:.0%}: check some more, then run it again"
    return f"{counts}; estimated recall {result.recall:.0%}, {reached}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds * 100), 6000)
    return f"{minutes // 60}:{minutes % 60:02}:{rest / 100:05.2f}"
