"""Somebody who types what a page of the documentation says."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from helpers.pages import ROOT
from helpers.waits import DEADLINE_S


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who types what a page says: the home they begin in, and what their shell knows."""

    home: Path
    environment: Mapping[str, str]

    def run(self, commands: str, directory: Path) -> tuple[subprocess.CompletedProcess[str], Path]:
        """Run commands as a shell does that stops at the first that fails; return also where it ended."""
        place = self.home / ".directory"
        script = f"set -e\n{commands}\npwd >{place}\n"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=directory,
            env={**self.environment, "PWD": str(directory)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=DEADLINE_S * 4,
        )
        return done, Path(place.read_text().strip()) if done.returncode == 0 else directory


def reader_in(home: Path, programs: Path, **more: str) -> Reader:
    """Return a reader whose home this is."""
    kept = {name: value for name, value in os.environ.items() if name in ("LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT")}
    threads = {name: "1" for name in ("OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")}
    own = {"HOME": str(home), "PATH": str(programs), "PYTHONPATH": str(ROOT), "LABELTOOL_AUDIO": "null", "USER": "you"}
    return Reader(home, {**kept, **threads, **own, **more})
