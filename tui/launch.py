"""Entering and leaving the room: what is checked before, and where noise goes meanwhile."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.store import clips, recordings


def run(project: Project, *, annotator: str, recording: str | None = None) -> None:
    """Open the labelling room and return when the person leaves it.

    Parameters
    ----------
    recording
        The file of the recording to open as a whole; None asks about clips.

    Raises
    ------
    LabeltoolError
        When there is no terminal, nothing to label or no such recording, or the room broke down.
    """
    # textual-serve names the driver that draws into a browser; there is no terminal then.
    in_browser = "TEXTUAL_DRIVER" in os.environ
    if not in_browser and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise LabeltoolError("the labelling room needs a terminal", remedy="`labeltool mark` answers from a script")
    _need_clips(project)
    opened = None
    if recording is not None:
        with project.open_store() as store:
            opened = recordings.find_recording(store, recording)
    from labeltool.tui.app import Room  # Textual takes a third of a second: not for a room that cannot be entered

    room = Room(project, annotator=annotator, recording=opened)
    log = project.cache / "logs" / "room.log"
    if in_browser:
        threading.Thread(target=_leave_with_the_server, name="labeltool-server", daemon=True).start()
    with _noise_to(log):
        try:
            room.run()
        finally:
            room.close()
    if room.return_code:
        raise LabeltoolError("the labelling room broke down; every answer is stored", remedy=f"what happened: {log}")


def serve(project: Project, *, annotator: str, port: int | None, tell: Callable[[str], None]) -> None:
    """Show the room in browsers on this machine until a signal ends it.

    Parameters
    ----------
    port
        Where on 127.0.0.1; None chooses a free one.
    tell
        Is given the lines for the person who started it.

    Raises
    ------
    LabeltoolError
        When there is nothing to label, textual-serve is not installed or the port is taken.
    """
    _need_clips(project)
    try:
        from labeltool.tui.serve import serve_rooms
    except ModuleNotFoundError as error:
        raise LabeltoolError(
            f"the room in a browser needs textual-serve ({error.name} is not installed)",
            remedy="`pip install textual-serve` brings it",
        ) from error
    serve_rooms(project, annotator=annotator, port=port, tell=tell)


def _need_clips(project: Project) -> None:
    with project.open_store() as store:
        if clips.are_none(store):
            raise LabeltoolError(
                "the project has no clips yet",
                file=project.directory,
                remedy="`labeltool import audio DIR` brings some",
            )


def _leave_with_the_server() -> None:
    """Wait until the server at the other end of standard input is gone, however it went, and leave the room."""
    gone = select.poll()
    gone.register(sys.stdin.fileno(), 0)  # no event is asked for: a hang-up is told all the same
    gone.poll()
    os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def _noise_to(log: Path) -> Iterator[None]:
    """Let what libraries write on file descriptor 2 go to a file.

    Textual draws on `sys.__stderr__`, and so would ALSA's and JACK's complaints be drawn into the picture: it gets
    a copy of the terminal's descriptor, number 2 becomes the file.
    """
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        noise = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    except OSError as error:
        raise LabeltoolError(f"{error.strerror}", file=log) from error
    sys.stderr.flush()
    terminal = os.dup(2)
    kept = sys.__stderr__
    with os.fdopen(terminal, "w", encoding="utf-8", closefd=False) as screen:
        sys.__stderr__ = screen  # type: ignore[misc]
        os.dup2(noise, 2)
        os.close(noise)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            sys.__stderr__ = kept  # type: ignore[misc]
    os.close(terminal)
