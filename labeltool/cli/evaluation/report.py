"""`labeltool report`: one page of everything that is known of a data set and a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from labeltool.cli.common import Whole, current_project, emit, engine_options, narrate, project_options, run_task
from labeltool.report import ERRORS
from labeltool.util.counted import counted

if TYPE_CHECKING:
    from labeltool.report.run import ReportResult


@click.command()
@click.option(
    "-o",
    "--output",
    metavar="FILE.html",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The page.  [default: reports/report.html; with --share reports/report-shared.html]",
)
@click.option("--share", is_flag=True, help="Leave out sound, paths, names of files and people, notes and sites.")
@click.option("--model", "model_id", type=Whole(), metavar="ID", help="Model.  [default: the newest]")
@click.option(
    "--errors", type=Whole(0, 1000), metavar="N", default=ERRORS, show_default=True, help="Errors to show at most."
)
@engine_options
@project_options
def report(output: Path | None, share: bool, model_id: int | None, errors: int, as_json: bool) -> None:
    """Write a page about the data and the model, with sound.

    One HTML file that needs no network: the data set, the model on clips it was not trained on, its errors with
    spectrogram and sound, the map of clips, what labelling took, call density. What is not there yet, the page says.

    \b
    labeltool report
    labeltool report --share -o to-send.html
    labeltool report --model 3 --errors 100
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.tasks.registry import REPORT

    project = current_project()
    where = None if output is None else str(output.absolute())
    result = run_task(project, REPORT, output=where, share=share, model_id=model_id, errors=errors)
    if as_json:
        emit(result)
    else:
        _print(result)


def _print(result: ReportResult) -> None:
    click.echo(result.file)
    narrate(f"{result.bytes / 1e6:.1f} MB; it opens in any browser, without a network")
    if result.model is not None:
        narrate(f"model {result.model} on {counted(result.clips or 0, 'clip')}: {result.measured_on}")
        audible = "" if result.is_shared else f", {result.errors_audible} audible"
        narrate(f"{counted(result.errors, 'error')}, {result.errors_shown} shown{audible}")
    for one in result.missing:
        narrate(f"missing: {one.part}: {one.why}")
    for reason in result.unreadable:
        narrate(f"skipped: {reason}")
    if not result.charts:
        narrate('without charts: `pip install "labeltool[report]"` draws them')
