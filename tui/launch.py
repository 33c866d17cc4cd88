"""Start the app: check what it needs, and send the messages of libraries to a log file."""

from __future__ import annotations

import asyncio
import gc
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from labeltool.annotation import speed
from labeltool.errors import ExitCode, LabeltoolError, in_one_line
from labeltool.project import Project
from labeltool.store import clips, models, queue, recordings
from labeltool.tasks.registry import SUGGEST
from labeltool.tui.background.task import BackgroundTask
from labeltool.tui.media.graphics import terminal_graphics
from labeltool.util import lifetime
from labeltool.util.user_state import remember_project

if TYPE_CHECKING:
    from textual.app import App

    from labeltool.active_learning.result import SuggestResult
    from labeltool.tui.app import LabelApp

# How long the app has to end its threads and processes once every label is written.
_LEAVE_S = 1.0

_LOG = "app"

_MAX_LABELS = 6

# Python looks for cycles of dead objects after as many new ones, among older ones every 50th and every 5,000th time.
# With its own numbers, that stands between a key and its picture often enough to be seen: `docs/measured.md`.
_GARBAGE_THRESHOLDS = (20_000, 50, 100)
# Half a millisecond, not 5: the thread that draws takes its turn before one that reads ahead has computed that long.
_SWITCH_S = 0.0005
# With its own 60, Textual paints up to 33 ms after a change; it reads the number when it is imported.
_FRAMES_A_SECOND = "500"


def run(project: Project, *, annotator: str, recording: str | None = None) -> None:
    """Open the labelling app and return when the user quits.

    Parameters
    ----------
    recording
        The file of the recording to open in the Regions view; None opens the Label view.

    Raises
    ------
    LabeltoolError
        When there is no terminal, no clip or no such recording.
    SystemExit
        When a signal ended it, it crashed, or the database was exchanged; the line about it is written then.
    """
    # textual-serve sets the driver that draws into a browser; there is no terminal then.
    in_browser = "TEXTUAL_DRIVER" in os.environ
    if not in_browser and not sys.stdin.isatty():
        raise LabeltoolError("the labelling app needs a terminal", remedy="`labeltool mark` labels from a script")
    project.refuse_links()
    _need_clips(project)
    opened = None
    if recording is not None:
        with project.open_store() as store:
            opened = recordings.find_recording(store, recording)
    os.environ.setdefault("TEXTUAL_FPS", _FRAMES_A_SECOND)
    from labeltool.tui.app import LabelApp  # Textual takes a third of a second: only where the app can open

    app = LabelApp(project, annotator=annotator, recording=opened)
    app.offers_pretrained = True
    _quit_on_signals(app)
    if lifetime.HAS_GROUPS:
        threading.Thread(target=_quit_when_hung_up, name="labeltool-hang-up", daemon=True).start()
    if not in_browser:
        remember_project(project.directory)
    ordering = _order_queue_in_background(project)
    started = time.monotonic()
    gc.freeze()  # what is loaded by now stays
    gc.set_threshold(*_GARBAGE_THRESHOLDS)
    sys.setswitchinterval(_SWITCH_S)
    with _messages_in_log(project):
        app.use_graphics(terminal_graphics(project.settings.app.pixels))  # before Textual reads from the terminal
        try:
            app.run()
        finally:
            ending = _close(app, ordering, time.monotonic() - started, in_browser=in_browser)
    if ending:
        lifetime.write_ending(ending)
    if app.return_code:
        sys.exit(app.return_code)
    if app.next_project:
        # A new process: threads of this one may still wait for their libraries.
        os.execv(sys.executable, label_command(Path(app.next_project), annotator))


def _close(app: LabelApp, ordering: BackgroundTask[SuggestResult], session_s: float, *, in_browser: bool) -> str:
    """End what the app started, and return what is written when it has ended."""
    app.services.session.close()  # every label is on the disk before anything else
    lifetime.handle_interrupts(lambda *_: None)  # it ends already
    ending = _last_line(app)
    if app.return_code == ExitCode.FINE and not in_browser:
        with suppress(LabeltoolError):  # what cannot be read any more
            ending = _session_summary(app, session_s)
    if not app.next_project:
        lifetime.leave_within(_LEAVE_S, app.return_code or ExitCode.FINE, ending)
    threading.Thread(target=ordering.stop, daemon=True).start()
    if app.services.trainer.busy and not in_browser and sys.__stderr__ is not None:
        with suppress(OSError):
            print("labeltool: ending the training; every label is on the disk", file=sys.__stderr__, flush=True)
    app.close()
    return ending


def label_command(directory: Path, annotator: str) -> list[str]:
    """Return the command that opens a project in the app."""
    program = [sys.executable, "-P", "-m", "labeltool", "--project", str(directory)]
    return [*program, "label", f"--annotator={annotator}"]


def serve(
    project: Project, *, annotator: str, host: str, port: int | None, sessions: int, narrate: Callable[[str], None]
) -> None:
    """Show the app in browsers until a signal ends it.

    Parameters
    ----------
    host
        The address to listen on; other machines reach any but 127.0.0.1.
    port
        The port; None for a free one.
    sessions
        The number of pages that may be open at once; each runs an app.

    Raises
    ------
    LabeltoolError
        When there is no clip, textual-serve is not installed or the port is in use.
    """
    _need_clips(project)
    if not lifetime.HAS_GROUPS:
        raise LabeltoolError(
            "Windows cannot pass the app's sound to a browser", remedy="`labeltool label` opens it in a terminal"
        )
    try:
        from labeltool.tui.serve import serve_app
    except ModuleNotFoundError as error:
        raise LabeltoolError(
            f"the app in a browser needs textual-serve ({error.name} is not installed)",
            remedy="`pip install textual-serve` installs it",
        ) from error
    serve_app(
        project,
        annotator=annotator,
        command=partial(label_command, project.directory),
        host=host,
        port=port,
        sessions=sessions,
        narrate=narrate,
    )


def _need_clips(project: Project) -> None:
    with project.open_store() as store:
        if clips.has_no_clips(store):
            raise LabeltoolError(
                "the project has no clips yet",
                file=project.directory,
                remedy="`labeltool import audio DIR` imports some",
            )


def _order_queue_in_background(project: Project) -> BackgroundTask[SuggestResult]:
    """Order the queue of a new project, and let a pretrained model suggest labels; until then the order is random."""
    ordering = BackgroundTask(
        project,
        SUGGEST,
        on_result=lambda _: None,
        # Random order will do: what went wrong is in the log, and is reported when a model is trained.
        on_failure=lambda _: None,
    )
    with project.open_store() as store:
        # A pretrained model may have been added after the queue was ordered.
        if not store.read_only and (
            queue.is_empty(store)
            or (project.settings.learning.pretrained is not None and models.suggester(store) is None)
        ):
            ordering.start()
    return ordering


def _session_summary(app: LabelApp, elapsed_s: float) -> str:
    """Return what was labelled before the user quit, what is left, and the next command."""
    services = app.services
    state, session, project = services.state, services.session, services.project
    with project.open_store() as store:
        labelled, labels = speed.labels_given(store, session.annotator, session.start_row_id)
    left = max(0, state.clips - state.labelled)
    rest = f"{left:,} of {state.clips:,} clips are unlabelled"
    if not labelled:
        return f"no clip labelled; {rest}"
    per_minute = session.clips_per_minute
    pace = f", {per_minute:.0f} a minute" if per_minute is not None else ""
    counts = [f"{in_one_line(label)!r} {count:,}" for label, count in labels.items()]
    further = len(counts) - _MAX_LABELS
    more = f" and {further} more label{'s' * (further > 1)}" if further > 0 else ""
    here = project.directory in (Path.cwd(), *Path.cwd().parents)
    program = "labeltool" if here else f"labeltool --project {shlex.quote(str(project.directory))}"
    following = ("label",) if left else ("evaluate", "export --stm32")
    lines = [
        f"{labelled:,} clip{'s' * (labelled > 1)} labelled in {_minutes(elapsed_s)}{pace}; {rest}",
        *([f"  {', '.join(counts[:_MAX_LABELS])}{more}"] if counts else []),
        f"  next: {', '.join(f'{program} {command}' for command in following)}",
    ]
    return "\n".join(lines)


def _minutes(seconds: float) -> str:
    """Return a time in words: `40 s`, `12 min`, `2 h 5 min`."""
    minutes = round(seconds / 60)
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _last_line(app: LabelApp) -> str:
    """Return what is written when the app has ended; "" where the user quit."""
    if app.failure is not None:
        return str(app.failure)
    if app.return_code == ExitCode.INTERRUPTED:
        return lifetime.INTERRUPTED
    crash = "the labelling app crashed; every label is stored"
    log = app.services.project.log_file(_LOG)
    return str(LabeltoolError(crash, remedy=f"see {log}")) if app.return_code else ""


def _quit_on_signals(app: App[None]) -> None:
    """Let Ctrl-C from outside, TERM and HUP quit the app as its own key does, with the exit code of an interruption."""

    def leave(number: int, _: FrameType | None) -> None:
        try:
            asyncio.get_running_loop().call_soon_threadsafe(app.exit, None, ExitCode.INTERRUPTED)
        except RuntimeError:  # it does not run yet
            raise KeyboardInterrupt from None

    lifetime.handle_interrupts(leave)


def _quit_when_hung_up() -> None:
    """Wait until the terminal or the server at the other end of standard input is gone, and quit the app.

    HUP comes only from a terminal that the app's session is of.
    """
    lifetime.wait_for_hang_up(sys.stdin.fileno())
    lifetime.leave_within(_LEAVE_S, ExitCode.INTERRUPTED)
    os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def _messages_in_log(project: Project) -> Iterator[None]:
    """Write what libraries print on file descriptor 2 to a log.

    Textual draws on `sys.__stderr__`, where the messages of ALSA and JACK would spoil the screen, and asks `__stdout__`
    for the size: they become the terminal, and descriptor 2 the file.
    """
    log = project.open_log(_LOG)
    sys.stderr.flush()
    before = os.dup(2)
    stdout, stderr = sys.__stdout__, sys.__stderr__
    with _open_screen() as screen:
        sys.__stderr__ = screen  # type: ignore[misc]
        if screen.isatty():
            sys.__stdout__ = screen  # type: ignore[misc]
        os.dup2(log.fileno(), 2)
        log.close()
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(before, 2)
            sys.__stdout__, sys.__stderr__ = stdout, stderr  # type: ignore[misc]
    os.close(before)


def _open_screen() -> TextIOWrapper:
    """Open the terminal to draw on, wherever stderr and stdout go; in a browser nothing is drawn on it."""
    terminal = next((one for one in (2, 1, 0) if os.isatty(one)), 2)
    # Standard input may be open for reading alone.
    if terminal != 0:
        descriptor = os.dup(terminal)
    elif hasattr(os, "ttyname"):
        descriptor = os.open(os.ttyname(0), os.O_WRONLY | os.O_NOCTTY)
    else:  # Windows
        descriptor = os.open("CONOUT$", os.O_RDWR)
    return os.fdopen(descriptor, "w", encoding="utf-8")
