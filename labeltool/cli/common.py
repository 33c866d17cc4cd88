"""What the commands share: the project they work on, how they talk, and how they show progress."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from labeltool.errors import LabeltoolError, in_one_line
from labeltool.project import Project, find
from labeltool.tasks.process import Child

_F = TypeVar("_F", bound=Callable[..., Any])

_PROJECT = "labeltool.project"
_REDRAW_S = 0.1
_LINE_EVERY_S = 15.0


def project_option(command: _F) -> _F:
    """Give a command `--project DIR`; it may also stand before the command's name."""

    def remember(context: click.Context, _: click.Parameter, value: Path | None) -> None:
        if value is not None:
            use_project(context, value)

    return click.option(
        "--project",
        metavar="DIR",
        type=click.Path(path_type=Path),
        expose_value=False,
        callback=remember,
        help="The project's directory; else the current one or its nearest parent that is a project.",
    )(command)


def json_option(command: _F) -> _F:
    """Give a command `--json` as the parameter `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout, nothing else there.")(
        command
    )


def use_project(context: click.Context, directory: Path) -> None:
    """Let the commands that follow work on a project, as `--project` would."""
    context.meta[_PROJECT] = directory


def current_project() -> Project:
    """Return the project the command works on."""
    return find(click.get_current_context().meta.get(_PROJECT))


def nearby_project() -> Project | None:
    """Return the project as `current_project` does; None when none was named and there is none here or above.

    Raises
    ------
    LabeltoolError
        When the project that was named is none.
    """
    named = click.get_current_context().meta.get(_PROJECT)
    try:
        return find(named)
    except LabeltoolError:
        if named is not None:
            raise
        return None


def emit(result: dict[str, Any]) -> None:
    """Print a JSON object on stdout."""
    told = json.dumps(result, ensure_ascii=False, indent=2)
    # A file name that is no UTF-8 has lone surrogates, which only escapes can carry.
    click.echo(told if _is_utf8(told) else json.dumps(result, indent=2))


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def narrate(text: str) -> None:
    """Say something on stderr, in one line whatever names of others it holds."""
    click.echo(in_one_line(text), err=True)


def shown(label: str, width: int = 40) -> str:
    """Quote a label for a table: printable, at most so wide, whatever it holds."""
    return repr(label if len(label) <= width else label[: width - 1] + "…")


class Progress:
    """How far a piece of work is, on stderr: one line redrawn on a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        self._on_terminal = sys.stderr.isatty()
        self._stage = ""
        self._shown_at = time.monotonic()
        self._open_line = False

    def __call__(self, stage: str, done: int, total: int, text: str = "") -> None:
        """Show that `done` of `total` (0: not known) of a stage is behind us."""
        now = time.monotonic()
        urgent = self._on_terminal and (stage != self._stage or done == total)
        if not urgent and now - self._shown_at < (_REDRAW_S if self._on_terminal else _LINE_EVERY_S):
            return
        if stage != self._stage:
            self.close()
        self._stage, self._shown_at = stage, now
        line = in_one_line(f"{stage}: {done}{f' of {total}' if total else ''}{'  ' + text if text else ''}")
        if self._on_terminal:
            sys.stderr.write(f"\r\x1b[K{line}")
            self._open_line = True
        else:
            sys.stderr.write(line + "\n")
        sys.stderr.flush()

    def close(self) -> None:
        """End the line that is being redrawn."""
        if self._open_line:
            sys.stderr.write("\n")
            self._open_line = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def run_in_child(project: Project | None, task: str, **options: Any) -> dict[str, Any]:
    """Do a task of `labeltool.worker` in a child process, with progress on stderr, and return its result.

    Raises
    ------
    LabeltoolError
        When it failed.
    """
    child = Child.start(project, task, **options)
    result: dict[str, Any] = {}
    try:
        with Progress() as progress:
            for message in child.messages():
                if message["event"] == "progress":
                    progress(message["stage"], message["done"], message["total"], message["text"])
                else:
                    result = message["result"]
    finally:
        # On Ctrl-C, or when the reading fails; a worker that is done has ended already.
        child.stop()
    for one in result.get("left_out", ()):
        narrate(f"left out: {one['reason']}")
    return result
