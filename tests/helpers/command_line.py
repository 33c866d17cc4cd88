"""The command line in a process of its own or in the test's, and what it left in the database."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, redirect_stderr, redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import click
import pytest

from helpers.waits import DEADLINE_S
from labeltool.cli import main as command_line
from labeltool.cli.main import cli
from labeltool.project import Project
from labeltool.tasks import process, worker

HEAVY = {
    "tensorflow",
    "keras",
    "librosa",
    "pandas",
    "textual",
    "rich",
    "sqlite_utils",
    "sklearn",
    "numba",
    "fsspec",
    "aiohttp",
}


Words = str | Path | Project
"""What a command line is made of; a project stands for `--project` and its folder."""


def _words(arguments: Sequence[Words]) -> Iterator[str]:
    for one in arguments:
        yield from ("--project", str(one.directory)) if isinstance(one, Project) else (str(one),)


def labeltool(*arguments: Words, check: int | None = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "labeltool", *_words(arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=DEADLINE_S,
    )
    if check is not None:
        assert done.returncode == check, done.stderr
    return done


def labeltool_here(*arguments: Words, check: int | None = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `labeltool` and its workers in this process: TensorFlow is imported once, and a test may replace values.

    For what a command does; how its processes start and end is for `labeltool`.
    """
    stdout, stderr = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True), io.StringIO()
    with pytest.MonkeyPatch.context() as patched, redirect_stdout(stdout), redirect_stderr(stderr):
        patched.setattr(sys, "argv", ["labeltool", *_words(arguments)])
        for name, value in environment.items():
            patched.setenv(name, value)
        patched.setattr(command_line, "_drop_stdout", lambda: None)
        replaced = {"PIPE": subprocess.PIPE, "TimeoutExpired": subprocess.TimeoutExpired}
        patched.setattr(process, "subprocess", SimpleNamespace(Popen=_WorkerHere, **replaced))
        with pytest.raises(SystemExit) as left:
            command_line.main()
    stdout.seek(0)
    done = subprocess.CompletedProcess(arguments, int(left.value.code or 0), stdout.read(), stderr.getvalue())
    if check is not None:
        assert done.returncode == check, done.stderr
    return done


def labeltool_json(*arguments: Words, check: int | None = 0) -> Any:
    """Run `labeltool` with `--json` in this process, and read what it prints."""
    return json.loads(labeltool_here(*arguments, "--json", check=check).stdout)


class _WorkerHere:
    """Stands in for a worker's `Popen`: the job is done when it has started."""

    def __init__(self, command: Sequence[str], *, stderr: IO[bytes], **_: object) -> None:
        self.pid, self.stdin, self.stdout = os.getpid(), io.StringIO(), io.StringIO()
        with (
            pytest.MonkeyPatch.context() as patched,
            redirect_stderr(io.TextIOWrapper(stderr, write_through=True)) as log,
        ):
            patched.setattr(worker, "_MESSAGES", self.stdout, raising=False)
            patched.setattr(sys, "meta_path", [*sys.meta_path])
            self._code = worker.main(command[-1])
        log.detach()
        self.stdout.seek(0)

    def wait(self, timeout: float | None = None) -> int:
        return self._code

    poll = wait


def contents(project: Project) -> list[str]:
    with closing(sqlite3.connect(project.database)) as connection:
        return list(connection.iterdump())


def commands(group: click.Group = cli, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command with its path: `("import", "esc50")`."""
    yield path, group
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)
        else:
            yield (*path, name), command
