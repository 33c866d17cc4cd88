"""Start the app: check what it needs, and send the messages of libraries to a log file."""

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
    """Open the labelling app and return when the user quits.

    Parameters
    ----------
    recording
        The file of the recording to open in the Regions view; None opens the Label view.

    Raises
    ------
    LabeltoolError
        When there is no terminal, no clip or no such recording, the app crashed, or the database was exchanged.
    """
    # textual-serve sets the driver that draws into a browser; there is no terminal then.
    in_browser = "TEXTUAL_DRIVER" in os.environ
    if not in_browser and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise LabeltoolError("the labelling app needs a terminal", remedy="`labeltool mark` labels from a script")
    _need_clips(project)
    opened = None
    if recording is not None:
        with project.open_store() as store:
            opened = recordings.find_recording(store, recording)
    from labeltool.tui.app import LabelApp  # Textual takes a third of a second: only where the app can open

    app = LabelApp(project, annotator=annotator, recording=opened)
    log = project.cache / "logs" / "app.log"
    if in_browser:
        threading.Thread(target=_quit_with_the_server, name="labeltool-server", daemon=True).start()
    with _messages_to(log):
        try:
            app.run()
        finally:
            app.close()
    if app.failure is not None:
        raise app.failure
    if app.return_code:
        raise LabeltoolError("the labelling app crashed; every label is stored", remedy=f"see {log}")


def serve(project: Project, *, annotator: str, port: int | None, narrate: Callable[[str], None]) -> None:
    """Show the app in browsers on this machine until a signal ends it.

    Parameters
    ----------
    port
        The port on 127.0.0.1; None for a free one.
    tell
        Prints a line for the user.

    Raises
    ------
    LabeltoolError
        When there is no clip, textual-serve is not installed or the port is in use.
    """
    _need_clips(project)
    try:
        from labeltool.tui.serve import serve_app
    except ModuleNotFoundError as error:
        raise LabeltoolError(
            f"the app in a browser needs textual-serve ({error.name} is not installed)",
            remedy="`pip install textual-serve` installs it",
        ) from error
    serve_app(project, annotator=annotator, port=port, narrate=narrate)


def _need_clips(project: Project) -> None:
    with project.open_store() as store:
        if clips.has_no_clips(store):
            raise LabeltoolError(
                "the project has no clips yet",
                file=project.directory,
                remedy="`labeltool import audio DIR` imports some",
            )


def _quit_with_the_server() -> None:
    """Wait until the server at the other end of standard input has ended, however it did, and quit the app."""
    hang_up = select.poll()
    hang_up.register(sys.stdin.fileno(), 0)  # a hang-up is reported without being asked for
    hang_up.poll()
    os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def _messages_to(log: Path) -> Iterator[None]:
    """Write what libraries print on file descriptor 2 to a file.

    Textual draws on `sys.__stderr__`, where the messages of ALSA and JACK would spoil the screen: it gets a copy of the
    terminal's descriptor, and descriptor 2 becomes the file.
    """
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    except OSError as error:
        raise LabeltoolError(f"{error.strerror}", file=log) from error
    sys.stderr.flush()
    terminal = os.dup(2)
    stderr = sys.__stderr__
    with os.fdopen(terminal, "w", encoding="utf-8", closefd=False) as screen:
        sys.__stderr__ = screen  # type: ignore[misc]
        os.dup2(file, 2)
        os.close(file)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            sys.__stderr__ = stderr  # type: ignore[misc]
    os.close(terminal)
