"""The labelling app."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from labeltool.cli.common import (
    Number,
    Whole,
    annotator_option,
    current_project,
    narrate,
    nearby_project,
    project_option,
)
from labeltool.errors import in_one_line

if TYPE_CHECKING:
    from labeltool.project import Project

_SESSIONS = 8
_HOST = "127.0.0.1"


@click.command()
@click.option("--serve", is_flag=True, help="Show the app in a browser, which plays the sound.")
@click.option(
    "--host",
    metavar="ADDRESS",
    help=f"With --serve: listen on it; 0.0.0.0: on all.  [default: {_HOST}, this machine alone]",
)
@click.option("--port", metavar="N", type=Whole(1, 65535), help="With --serve.  [default: a free port]")
@click.option(
    "--sessions", metavar="N", type=Whole(min=1), help=f"With --serve: pages open at once.  [default: {_SESSIONS}]"
)
@click.option("--recording", metavar="FILE", help="Open a whole recording of the project and mark regions in it.")
@click.option(
    "--overlap",
    metavar="SHARE",
    type=Number(min=0, max=1),
    help="Share of the clips that two people label, neither seeing the other's labels; kept in labeltool.toml."
    "  [default: [labelling] overlap, 0]",
)
@annotator_option
@project_option
def label(
    serve: bool,
    host: str | None,
    port: int | None,
    sessions: int | None,
    recording: str | None,
    overlap: float | None,
    annotator: str | None,
) -> None:
    """Label clips in the terminal app.

    It plays a clip, suggests labels, and retrains the model while you label. `?` shows the keys.

    \b
    labeltool label
    labeltool label --recording night.flac
    labeltool label --serve --port 8000
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool import tui
    from labeltool.project import write_setting

    for option, value in (("--host", host), ("--port", port), ("--sessions", sessions)):
        if value is not None and not serve:
            raise click.UsageError(f"{option} goes with --serve")
    if recording is not None and serve:
        raise click.UsageError("--recording opens in the terminal; in the browser, w opens a clip's whole recording")
    project = current_project() if serve else _project_or_recent()
    if overlap is not None:
        project = replace(project, settings=write_setting(project, "labelling", "overlap", overlap))
    if serve:
        tui.serve(
            project,
            annotator=project.annotator(annotator),
            host=host or _HOST,
            port=port,
            sessions=sessions or _SESSIONS,
            narrate=narrate,
        )
    else:
        tui.run(project, annotator=project.annotator(annotator), recording=recording)


def _project_or_recent() -> Project:
    """Return the current project; in a terminal outside any, one of the last projects that the user chooses."""
    from labeltool.project import load, recent

    project = nearby_project()
    others = recent() if project is None and sys.stdin.isatty() and sys.stderr.isatty() else []
    if project is not None or not others:
        return project or current_project()
    narrate("no labeltool project here or above; those opened last:")
    for number, path in enumerate(others, start=1):
        narrate(f"  {number}  {in_one_line(path)}")
    number = click.prompt("Open which", type=click.IntRange(1, len(others)), default=1, err=True)
    return load(Path(others[number - 1]))
