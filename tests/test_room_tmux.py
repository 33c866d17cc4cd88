"""The real program in a real terminal: what `run_test` cannot see (a widget once painted there and nowhere else)."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import room_helpers
from room_helpers import STRANGE_LABELS

from labeltool.project import Project
from labeltool.store import clips, journal

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")

room_project = room_helpers.room_project

DEADLINE_S = 40.0  # a slow machine that trains at the same time


class Terminal:
    """A tmux session with the room in it."""

    def __init__(self, socket: Path, project: Project) -> None:
        self.socket = socket
        self.project = project

    def tmux(self, *arguments: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", str(self.socket), "-f", os.devnull, *arguments],
            capture_output=True,
            text=True,
            timeout=20,
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
            *("new-session", "-d", "-s", "room", "-x", "110", "-y", "32"),
            *("-e", "LABELTOOL_AUDIO=null", "-e", "LABELTOOL_ANNOTATOR=ann"),
            command,
        )
        self.tmux("set-option", "-t", "room", "remain-on-exit", "on")
        self.until(lambda: self.file(), "a clip")

    def screen(self) -> str:
        return self.tmux("capture-pane", "-p", "-t", "room")

    def file(self) -> str:
        """The file name of the clip on the screen; empty while there is none."""
        return next((word for word in self.screen().split() if word.startswith("tone")), "")

    def press(self, *keys: str) -> None:
        self.tmux("send-keys", "-t", "room", *keys)

    def answer(self, *keys: str, before: str | None = None) -> None:
        """Press keys and wait for another clip than the one on the screen (`before`, where a box covers its name)."""
        before = before or self.file()
        self.press(*keys)
        self.until(lambda: self.file() not in ("", before), f"the clip after {keys}")

    def pid(self) -> int:
        return int(self.tmux("display-message", "-p", "-t", "room", "#{pane_pid}"))

    def closed(self) -> bool:
        return self.tmux("display-message", "-p", "-t", "room", "#{pane_dead}").strip() == "1"

    def close(self) -> None:
        subprocess.run(["tmux", "-S", str(self.socket), "kill-server"], capture_output=True, timeout=20, check=False)

    def until(self, condition: Callable[[], Any], what: str) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain for {what}; on the screen:\n{self.screen()}"
            time.sleep(0.05)

    def said(self) -> list[tuple[str, str | None, str | None]]:
        """What stands in the database by "ann": file name, label, value."""
        database = sqlite3.connect(f"file:{self.project.database}?mode=ro", uri=True)
        try:
            rows = database.execute(
                "SELECT r.path, s.label, s.value FROM standing s JOIN clips c ON c.id = s.clip_id "
                "JOIN recordings r ON r.id = c.recording_id WHERE s.annotator = 'ann' ORDER BY s.id"
            ).fetchall()
        finally:
            database.close()
        return [(Path(path).name, label, value) for path, label, value in rows]


@pytest.fixture
def terminal(room_project: Project, tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path / "tmux", room_project)
    yield terminal
    terminal.close()


def test_a_key_in_the_real_screen_writes_the_verdict_and_leaving_is_clean(terminal: Terminal, tmp_path: Path) -> None:
    terminal.open(exit_code=tmp_path / "code")
    terminal.until(lambda: "▀" in terminal.screen(), "a painted picture")
    terminal.until(lambda: "2   high" in terminal.screen(), "the labels")
    file = terminal.file()
    terminal.answer("2")
    assert terminal.said() == [(file, "high", "present")]
    terminal.answer("u")
    assert terminal.file() == file
    assert terminal.said() == []
    terminal.press("q")
    terminal.until(terminal.closed, "the end")
    assert (tmp_path / "code").read_text().strip() == "0"


def test_kill_9_right_after_a_key_loses_nothing_and_a_restart_goes_on(terminal: Terminal) -> None:
    terminal.open()
    files = [terminal.file()]
    for key in ("n", "x"):
        terminal.answer(key)
        files.append(terminal.file())
    # The next clip is on the screen: what was pressed before it must be on the disk.
    os.kill(terminal.pid(), signal.SIGKILL)
    terminal.until(terminal.closed, "its death")
    assert terminal.said() == [(files[0], None, "absent"), (files[1], None, "unsure")]
    terminal.tmux("kill-session", "-t", "room")
    terminal.open()
    # Which comes next is for the queue to say: it may have been ordered anew meanwhile.
    assert terminal.file() not in files[:2]
    terminal.answer("u")
    assert terminal.file() == files[1]
    assert terminal.said() == [(files[0], None, "absent")]


def test_palette_new_label_and_resizing_in_a_real_terminal(terminal: Terminal) -> None:
    terminal.open()
    file = terminal.file()
    terminal.press("/")
    terminal.until(lambda: "Enter take" in terminal.screen(), "the palette")
    terminal.press("-l", "[red]owl[/]")
    terminal.until(lambda: "+ new label: [red]owl[/]" in terminal.screen(), "the new label")
    terminal.tmux("resize-window", "-t", "room", "-x", "80", "-y", "24")
    terminal.until(lambda: max(map(len, terminal.screen().splitlines())) <= 80, "80 columns")
    terminal.until(lambda: "+ new label: [red]owl[/]" in terminal.screen(), "the palette at 80 columns")
    terminal.answer("Enter", before=file)
    assert terminal.said() == [(file, "[red]owl[/]", "present")]
    terminal.until(lambda: "▀" in terminal.screen(), "the picture at 80 columns")
    terminal.until(lambda: "? keys" in terminal.screen().splitlines()[-1], "the hints at 80 columns")
    file = terminal.file()
    terminal.tmux("resize-window", "-t", "room", "-x", "130", "-y", "40")
    terminal.until(lambda: "a not" in terminal.screen(), "the longer hints")
    assert terminal.file() == file


def test_strange_labels_are_text_in_a_real_terminal(terminal: Terminal) -> None:
    with terminal.project.open_store() as store:
        first, second = (found.id for found in clips.all_clips(store)[:2])
        for label in STRANGE_LABELS[:7]:
            for clip_id in (first, second):
                journal.say(store, clip_id, label, annotator="before")
    terminal.open()
    terminal.until(lambda: "1   a[/]b" in terminal.screen(), "the labels")
    shown = terminal.screen()
    for told in ("[red]x[/red]", "[@click=app.quit]x", "طائر الليل", "long long", "two⏎lines"):
        assert told in shown
    for place, label in enumerate(STRANGE_LABELS[:2], start=1):
        terminal.answer(str(place))
        assert terminal.said()[-1][1] == label


def test_noise_on_stderr_does_not_tear_the_screen_and_lands_in_the_log(terminal: Terminal) -> None:
    terminal.open()
    writing = f"/proc/{terminal.pid()}/fd/2"
    if not Path(writing).exists():
        pytest.skip("no /proc to look at another process's files")
    assert Path(writing).readlink() == terminal.project.cache / "logs" / "room.log"
    assert not terminal.closed()
