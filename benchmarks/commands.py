"""Commands of labeltool as a person runs them, each in a process of its own, and what they take."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Taken:
    """What a process wrote, and what it and its children took; memory is that of the largest of them."""

    printed: str
    errors: str
    code: int
    wall_s: float
    processor_s: float
    peak_mb: float

    def json(self) -> Any:
        return json.loads(self.printed)


def measured(command: Sequence[str], *, folder: Path | None = None) -> Taken:
    """Run a process in a folder."""
    began = time.monotonic()
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as out,
        tempfile.TemporaryFile("w+", encoding="utf-8") as errors,
    ):
        process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=errors)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall_s = time.monotonic() - began
        for file in (out, errors):
            file.seek(0)
        processor_s, peak_mb = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
        return Taken(out.read(), errors.read(), process.returncode, wall_s, processor_s, peak_mb)


def command_line(*words: object, project: Path | None = None) -> list[str]:
    """Return the command line of a command of labeltool."""
    at = () if project is None else ("--project", project)
    return [*map(str, (sys.executable, "-m", "labeltool", *at, *words))]


def finished(command: Sequence[str], *, folder: Path | None = None) -> Taken:
    """Run a process in a folder; end with what it wrote where it fails."""
    taken = measured(command, folder=folder)
    if taken.code:
        sys.exit(f"`{' '.join(command)}` failed: {taken.errors}")
    return taken


def labeltool(*words: object, project: Path | None = None) -> Taken:
    """Run a command of labeltool; end with what it wrote where it fails."""
    return finished(command_line(*words, project=project))
