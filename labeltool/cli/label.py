"""The labelling room's door."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click

from labeltool.cli.annotate import annotator_option
from labeltool.cli.common import current_project, narrate, project_option
from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.tasks.process import Child

_NICENESS = 10  # the person in front of the screen goes first


@click.command()
@click.option("--serve", is_flag=True, help="Show the room in a browser on this machine; sound is still played here.")
@click.option("--port", metavar="N", type=click.IntRange(1, 65535), help="With --serve: where; else a free one.")
@click.option("--recording", metavar="FILE", help="Open a whole recording of the project, to mark spans in it.")
@annotator_option
@project_option
def label(serve: bool, port: int | None, recording: str | None, annotator: str | None) -> None:
    """Label by ear: the room plays a clip, suggests, and learns while you answer. `?` shows the keys."""
    from labeltool import tui

    if port is not None and not serve:
        raise click.UsageError("--port goes with --serve")
    if recording is not None and serve:
        raise click.UsageError("--recording opens in the terminal; in the browser, w opens a clip's whole recording")
    project = current_project()
    if serve:
        tui.serve(project, annotator=project.annotator(annotator), port=port, tell=narrate)
    else:
        with _first_order(project):
            tui.run(project, annotator=project.annotator(annotator), recording=recording)


@contextmanager
def _first_order(project: Project) -> Iterator[None]:
    """Let the clips of a project without any order be put in one behind the room; an ear suggests labels with it.

    The room does not wait for it; until it is there, clips are asked about in a shuffle.
    """
    from labeltool.store import models, queue

    with project.open_store() as store:
        # A borrowed ear that came later has not been asked yet.
        wanted = queue.is_empty(store) or (project.settings.ear is not None and models.suggester(store) is None)
    if not wanted:
        yield
        return
    child = Child.start(project, "suggest", niceness=_NICENESS)
    listener = threading.Thread(target=_hear_out, args=(child,), name="labeltool-first-order", daemon=True)
    listener.start()
    try:
        yield
    finally:
        child.stop()
        listener.join()


def _hear_out(child: Child) -> None:
    # A shuffle does too: what went wrong stands in the child's log, and is told when a model is trained.
    with suppress(LabeltoolError):
        for _ in child.messages():
            pass
