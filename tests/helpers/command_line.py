"""The command line in a process of its own, and what it left in the database."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

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
