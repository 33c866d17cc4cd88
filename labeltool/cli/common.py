"""What the commands share: the project they work on, messages, progress, JSON, and running a task."""

from __future__ import annotations

import copy
import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from labeltool.errors import ExitCode, LabeltoolError, in_one_line
from labeltool.util.files.locks import WAITING
from labeltool.util.unicode_names import as_on_disk
from labeltool.util.urls import is_url, path_of_url

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from labeltool.inference.classify import ClassifiedFile
    from labeltool.inference.detection_records import DetectedFile
    from labeltool.parallel.engine import Engine
    from labeltool.project import Project
    from labeltool.records import Skipped
    from labeltool.settings import LearningSettings
    from labeltool.tasks.registry import Task

_F = TypeVar("_F", bound=Callable[..., Any])
_R = TypeVar("_R")

_PROJECT = "labeltool.project"
_ENGINE = "labeltool.engine"
_LINE_EVERY_S = 15.0
_MAX_SHOWN = 40
_LARGEST = 2**63 - 1
_MAX_NUMBER = 1e9  # seconds of thirty years


class Whole(click.IntRange):
    """A whole number, as SQLite can have it; without bounds an id or a fold, where one too large is one that is not."""

    def _describe_range(self) -> str:
        return "" if self.min is self.max is None else super()._describe_range()

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> int:
        """Return the number; a usage error for what is none or out of the range."""
        number: int = super().convert(value, param, context)
        nearest = max(-_LARGEST, min(number, _LARGEST))
        if nearest != number and not (self.min is self.max is None):
            self.fail(f"{shortened(str(value))} is too large.", param, context)
        return nearest


class Number(click.FloatRange):
    """A number, as of seconds: finite, and no larger than makes sense."""

    def _describe_range(self) -> str:
        return "" if self.min is self.max is None else super()._describe_range()

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> float:
        """Return the number; a usage error for what is none, out of the range, or beyond `_MAX_NUMBER`."""
        number: float = super().convert(value, param, context)
        if not abs(number) <= _MAX_NUMBER:  # nor `nan`
            self.fail(f"{shortened(str(value))} is not possible.", param, context)
        return number


class PathOnDisk(click.Path):
    """A path, as the disk spells it where its name is there in another Unicode form."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> Path:
        """Return the path, or the URL as one, where that may be read."""
        if is_url(value):
            return path_of_url(value)
        path: Any = super().convert(value, param, context)
        return as_on_disk(path)


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
        help="The project's directory.  [default: this one or its nearest parent that is a project]",
    )(command)


def json_option(command: _F) -> _F:
    """Give a command `--json` as the parameter `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout, nothing else there.")(
        command
    )


def project_options(command: _F) -> _F:
    """Give a command `--project` and `--json`."""
    return project_option(json_option(command))


annotator_option = click.option(
    "--annotator", metavar="NAME", help="Who labels.  [default: as in labeltool.toml, or your login name]"
)


def engine_options(command: _F) -> _F:
    """Give a command `--workers N` and `--scheduler ADDRESS`: what works on its many items."""

    def remember(context: click.Context, option: click.Parameter, value: str | int | None) -> None:
        if value is not None:
            chosen = context.meta.setdefault(_ENGINE, {})
            chosen[option.name] = value
            if len(chosen) > 1:
                raise click.UsageError("--workers starts workers here, --scheduler uses those there are: one of them.")

    def checked(context: click.Context, option: click.Parameter, value: str | None) -> None:
        if value is not None and not value.startswith(("tcp://", "tls://")):
            raise click.BadParameter("is no address as tcp://HOST:8786.", context, option)
        remember(context, option, value)

    workers = click.option(
        "--workers",
        type=Whole(1, 256),
        metavar="N",
        expose_value=False,
        callback=remember,
        help="Start N Dask workers here.  [default: plain processes, one a core]",
    )
    scheduler = click.option(
        "--scheduler",
        metavar="ADDRESS",
        expose_value=False,
        callback=checked,
        help="Work on the workers of this Dask scheduler, as tcp://HOST:8786.",
    )
    return workers(scheduler(command))


def chosen_engine() -> Engine:
    """Return the engine that `engine_options` chose."""
    from labeltool.parallel.engine import Engine

    return Engine(**click.get_current_context().meta.get(_ENGINE, {}))


def limit_option(default: int | None, what: str) -> Callable[[_F], _F]:
    """Give a command `--limit N` for the list it prints; a default of None is all."""
    everything = "  [default: all]" if default is None else ""
    return click.option(
        "--limit",
        type=Whole(min=1),
        metavar="N",
        default=default,
        show_default=True,
        help=f"Maximum {what}.{everything}",
    )


def lazy_help_option(*names: str, more_help: Callable[[], str], **settings: Any) -> Callable[[_F], _F]:
    """Make an option whose help goes on with what is looked up only when the help is shown."""

    class Option(click.Option):
        def get_help_record(self, context: click.Context) -> tuple[str, str] | None:
            complete = copy.copy(self)
            complete.help = f"{self.help}{more_help()}"
            return super(Option, complete).get_help_record(context)

    return click.option(*names, cls=Option, **settings)


def one_of(names: Iterable[str]) -> str:
    """Return the end of an option's help that lists the names of a registry."""
    return f" One of: {', '.join(names)}."


def setting_in_force(read: Callable[[LearningSettings], object]) -> str:
    """Return the end of an option's help with the default that labeltool.toml sets: of the project, where there is one.

    Parameters
    ----------
    read
        Takes the value out of the table `[learning]`.
    """
    from labeltool.settings import Settings

    try:
        project = nearby_project()
    except LabeltoolError:  # a help page is shown all the same
        project = None
    settings = project.settings if project else Settings()
    return f"  [default: {read(settings.learning)}, by labeltool.toml]"


def use_project(context: click.Context, directory: Path) -> None:
    """Let the commands that follow work on a project, as `--project` would."""
    context.meta[_PROJECT] = directory


def current_project(*, may_be_lost: bool = False) -> Project:
    """Return the project the command works on; `may_be_lost`: also where its database is missing."""
    from labeltool.project import find

    return find(click.get_current_context().meta.get(_PROJECT), may_be_lost=may_be_lost)


def nearby_project() -> Project | None:
    """Return the project as `current_project` does; None when none was named and there is none here or above.

    Raises
    ------
    LabeltoolError
        When the directory that was named is no project.
    """
    from labeltool.project import find

    named = click.get_current_context().meta.get(_PROJECT)
    try:
        return find(named)
    except LabeltoolError:
        if named is not None:
            raise
        return None


def project_of_model(model: str | None) -> Project | None:
    """Return the current project where a model is the project's own, by its id or the newest; else `nearby_project`."""
    return current_project() if model is None or (model.isascii() and model.isdigit()) else nearby_project()


def emit(result: object) -> None:
    """Print a JSON object on stdout: a dataclass or a dictionary, of which values may be dataclasses."""
    import msgspec

    plain = msgspec.to_builtins(result)
    text = json.dumps(plain, ensure_ascii=False, indent=2)
    # A file name that is no UTF-8 has lone surrogates, which only escapes can carry.
    click.echo(text if _is_utf8(text) else json.dumps(plain, indent=2))


def with_names(result: object, **names: str) -> dict[str, Any]:
    """Return a dataclass as JSON values, some under the names that scripts know: `skipped="left_out"`."""
    import msgspec

    return {names.get(name, name): value for name, value in msgspec.to_builtins(result).items()}


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def narrate(*lines: str) -> None:
    """Print lines on stderr; what is not printable is escaped, line breaks in file names too."""
    click.echo("\n".join(map(in_one_line, lines)), err=True)


def shortened(text: str) -> str:
    """Return the beginning of a text for a message."""
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def quoted(label: str, width: int = 40) -> str:
    """Quote a label for a table: printable, `width` characters at most, whatever is in it."""
    return repr(label if len(label) <= width else label[: width - 1] + "…")


class ProgressDisplay:
    """Progress on stderr: bars on a terminal, elsewhere a line now and then, and one when it waits for a process.

    A `labeltool.type_aliases.Progress`.
    """

    def __init__(self) -> None:
        self._on_terminal = sys.stderr.isatty()
        self._shown_at_s = time.monotonic()
        self._stage = ""
        self._bars: Bars | None = None
        self._by_stage: dict[str, TaskID] = {}

    def __call__(self, stage: str, done: int, total: int, text: str = "", /) -> None:
        """Show that `done` of `total` (0: not known) of a stage are done."""
        if self._on_terminal:
            self._draw(in_one_line(stage), done, total, in_one_line(text))
            return
        now_s = time.monotonic()
        waiting = stage.startswith(WAITING) and stage != self._stage
        self._stage = stage
        if waiting or now_s - self._shown_at_s >= _LINE_EVERY_S:
            self._shown_at_s = now_s
            count = f"{done} of {total}" if total else str(done or "")
            click.echo(in_one_line(f"{stage}{': ' if count or text else ''}{count}  {text}".rstrip()), err=True)

    def _draw(self, stage: str, done: int, total: int, text: str) -> None:
        self._bars = bars = self._bars or _progress_bars()
        fields: dict[str, Any] = {"text": text, "count": f"{done}/{total}" if total else f"{done or ''}"}
        if stage not in self._by_stage:
            if self._by_stage:
                bars.stop_task(next(reversed(self._by_stage.values())))
            self._by_stage[stage] = bars.add_task(stage, total=None, **fields)
        bars.update(self._by_stage[stage], completed=done, total=total or None, **fields)

    def _fill(self) -> None:
        """Show every stage as done: the last report of one may have been its beginning."""
        if self._bars is None:
            return
        for task in self._bars.tasks:
            if task.total is None:
                self._bars.update(task.id, completed=1, total=1)
            else:
                self._bars.update(task.id, completed=task.total, count=f"{task.total:.0f}/{task.total:.0f}")

    def close(self) -> None:
        """Leave the bars as they are."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None
            self._by_stage.clear()

    def __enter__(self) -> ProgressDisplay:
        return self

    def __exit__(self, error: object, *_: object) -> None:
        if error is None:
            self._fill()
        self.close()


def _progress_bars() -> Bars:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars
    from rich.table import Column

    bars = Bars(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[count]}", markup=False, justify="right"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[text]}", markup=False, table_column=Column(no_wrap=True, ratio=1)),
        console=Console(stderr=True),
        expand=True,  # the text has what the other columns leave, and is cut to it
    )
    bars.start()
    return bars


def print_failed(failed: Sequence[Skipped], total: int) -> None:
    """Name on stderr which of the files given failed."""
    for one in failed:
        narrate(f"failed: {one}")
    if failed and total > 1:
        narrate(f"{len(failed)} of {total} files failed")


def print_damaged(files: Iterable[DetectedFile | ClassifiedFile]) -> None:
    """Name on stderr the files of which parts cannot be read; what was found in the others counts."""
    for one in files:
        if one.fault is not None:
            narrate(f"damaged: {one.file}: {one.fault}")


def exit_for_failed(failed: Sequence[object]) -> None:
    """End the command with exit code 1 where a part of its work failed, after the rest is done and shown."""
    if failed:
        raise click.exceptions.Exit(ExitCode.FAILED)


def run_task(project: Project | None, task: Task[_R], **options: Any) -> _R:
    """Run a task with progress on stderr, name the files that it skipped, and return its result.

    Raises
    ------
    LabeltoolError
        When it failed.
    """
    from labeltool.tasks.executor import run

    with ProgressDisplay() as progress:
        result = run(project, task, progress, engine=chosen_engine(), **options)
    skipped: Iterable[Skipped] = getattr(result, "skipped", ())
    for one in skipped:
        narrate(f"skipped: {one}")
    return result
