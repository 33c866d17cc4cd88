"""The labelling app."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import click

from labeltool.cli.common import annotator_option, current_project, narrate, project_option
from labeltool.errors import LabeltoolError

if TYPE_CHECKING:
    from labeltool.project import Project
    from labeltool.tasks.executor import Job

_NICENESS = 10  # the person in front of the screen goes first


@click.command()
@click.option("--serve", is_flag=True, help="Show the app in a browser on this machine; sound is played here.")
@click.option("--port", metavar="N", type=click.IntRange(1, 65535), help="With --serve.  [default: a free port]")
@click.option("--recording", metavar="FILE", help="Open a whole recording of the project and mark regions in it.")
@annotator_option
@project_option
def label(serve: bool, port: int | None, recording: str | None, annotator: str | None) -> None:
    """Label clips in the terminal app.

    It plays a clip, suggests labels, and retrains the model while you label. `?` shows the keys.

    \b
    labeltool label
    labeltool label --recording night.flac
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool import tui

    if port is not None and not serve:
        raise click.UsageError("--port goes with --serve")
    if recording is not None and serve:
        raise click.UsageError("--recording opens in the terminal; in the browser, w opens a clip's whole recording")
    project = current_project()
    if serve:
        tui.serve(project, annotator=project.annotator(annotator), port=port, narrate=narrate)
    else:
        with _first_suggestions(project):
            tui.run(project, annotator=project.annotator(annotator), recording=recording)


@contextmanager
def _first_suggestions(project: Project) -> Iterator[None]:
    """Order the queue of a new project in the background, and let a pretrained model suggest labels.

    The app does not wait for it; until then clips come in random order.
    """
    from labeltool.store import models, queue
    from labeltool.tasks.executor import default_executor
    from labeltool.tasks.registry import SUGGEST

    with project.open_store() as store:
        # A pretrained model may have been added after the queue was ordered.
        wanted = queue.is_empty(store) or (
            project.settings.learning.pretrained is not None and models.suggester(store) is None
        )
    if not wanted:
        yield
        return
    job = default_executor().start(project, SUGGEST, niceness=_NICENESS)
    waiter = threading.Thread(target=_wait_for, args=(job,), name="labeltool-first-suggestions", daemon=True)
    waiter.start()
    try:
        yield
    finally:
        job.stop()
        waiter.join()


def _wait_for(job: Job[object]) -> None:
    from labeltool.tasks.executor import JobStopped

    # Random order will do: what went wrong is in the job's log, and is reported when a model is trained.
    with suppress(LabeltoolError, JobStopped):
        job.wait(lambda *_: None)
