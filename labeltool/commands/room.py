"""The labelling room's door."""

from __future__ import annotations

import click

from labeltool.commands.common import current_project, narrate, project_option
from labeltool.commands.verdicts import annotator_option


@click.command()
@click.option("--serve", is_flag=True, help="Show the room in a browser on this machine; sound is still played here.")
@click.option("--port", metavar="N", type=click.IntRange(1, 65535), help="With --serve: where; else a free one.")
@annotator_option
@project_option
def label(serve: bool, port: int | None, annotator: str | None) -> None:
    """Label by ear: the room plays a clip, suggests, and learns while you answer. `?` shows the keys."""
    from labeltool import tui

    if port is not None and not serve:
        raise click.UsageError("--port goes with --serve")
    project = current_project()
    if serve:
        tui.serve(project, annotator=project.annotator(annotator), port=port, tell=narrate)
    else:
        tui.run(project, annotator=project.annotator(annotator))
