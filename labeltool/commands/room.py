"""The labelling room's door."""

from __future__ import annotations

import click

from labeltool.commands.common import current_project, project_option
from labeltool.commands.verdicts import annotator_option


@click.command()
@annotator_option
@project_option
def label(annotator: str | None) -> None:
    """Label by ear: the room plays a clip, suggests, and learns while you answer. `?` shows the keys."""
    from labeltool import tui

    project = current_project()
    tui.run(project, annotator=project.annotator(annotator))
