"""The real program in a real terminal: tmux's, whose screen can be read."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from helpers.waits import DEADLINE_S
from labeltool.project import Project


class Terminal:
    """A tmux session with the app in it."""

    def __init__(self, socket: Path, project: Project) -> None:
        self.socket = socket
        self.project = project

    def tmux(self, *arguments: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", str(self.socket), "-f", os.devnull, *arguments],
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=True,
            env={**os.environ, "TERM": "xterm-256color"},
        )
        return done.stdout

    def open(self, *, exit_code: Path | None = None) -> None:
        """Start the program and wait until it asks; `exit_code` is where the shell writes how it ended."""
        program = f"{sys.executable} -m labeltool --project {self.project.directory} label"
        # `exec`: the pane's process is the program itself, to be killed without mercy. (tmux's own word on how a pane
        # ended is empty now and then: 3.3a.)
        command = f"exec {program}" if exit_code is None else f"{program}; echo $? > {exit_code}"
        self.tmux(
            *("new-session", "-d", "-s", "app", "-x", "110", "-y", "32"),
            *("-e", "LABELTOOL_AUDIO=null", "-e", "LABELTOOL_ANNOTATOR=ann"),
            command,
        )
        self.tmux("set-option", "-t", "app", "remain-on-exit", "on")
        self.until(lambda: self.file(), "a clip")

    def screen(self) -> str:
        return self.tmux("capture-pane", "-p", "-t", "app")

    def left_behind(self) -> str:
        """What the program left on the terminal: tmux scrolls it by a line to say that the pane is dead."""
        return self.tmux("capture-pane", "-p", "-S", "-10", "-t", "app")

    def file(self) -> str:
        """The file name of the clip on the screen; empty while there is none."""
        return next((word for word in self.screen().split() if word.startswith("tone")), "")

    def press(self, *keys: str) -> None:
        self.tmux("send-keys", "-t", "app", *keys)

    def answer(self, *keys: str, before: str | None = None) -> None:
        """Press keys and wait for another clip than the one on the screen (`before`, where a box covers its name)."""
        before = before or self.file()
        self.press(*keys)
        self.until(lambda: self.file() not in ("", before), f"the clip after {keys}")

    def pid(self) -> int:
        return int(self.tmux("display-message", "-p", "-t", "app", "#{pane_pid}"))

    def closed(self) -> bool:
        return self.tmux("display-message", "-p", "-t", "app", "#{pane_dead}").strip() == "1"

    def close(self) -> None:
        subprocess.run(
            ["tmux", "-S", str(self.socket), "kill-server"], capture_output=True, timeout=DEADLINE_S, check=False
        )

    def until(self, condition: Callable[[], Any], what: str) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, f"timed out waiting for {what}; on the screen:\n{self.screen()}"
            time.sleep(0.05)

    def annotations(self) -> list[tuple[str, str | None, str | None]]:
        """What stands in the database by "ann": file name, label, value."""
        with closing(sqlite3.connect(f"file:{self.project.database}?mode=ro", uri=True)) as database:
            rows = database.execute(
                "SELECT r.path, s.label, s.value FROM active_events s JOIN clips c ON c.id = s.clip_id "
                "JOIN recordings r ON r.id = c.recording_id WHERE s.annotator = 'ann' ORDER BY s.id"
            ).fetchall()
        return [(Path(path).name, label, value) for path, label, value in rows]
