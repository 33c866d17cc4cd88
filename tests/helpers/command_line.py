"""The command line in a process of its own, and what it left in the database."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from labeltool.cli.main import cli
from labeltool.project import Project

HEAVY = {"tensorflow", "keras", "librosa", "pandas", "textual", "rich", "sqlite_utils", "sklearn", "numba"}


def labeltool(*arguments: str | Path, check: int | None = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "labeltool", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
    )
    if check is not None:
        assert done.returncode == check, done.stderr
    return done


def contents(project: Project) -> list[str]:
    connection = sqlite3.connect(project.database)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


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
