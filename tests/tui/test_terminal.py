"""The real program in a real terminal: what `run_test` cannot see (a widget once painted there and nowhere else)."""

from __future__ import annotations

import os
import re
import shutil
import signal
from pathlib import Path

import pytest

from helpers.app import STRANGE_LABELS
from helpers.terminal import TerminalApp
from helpers.tmux import Terminal
from labeltool.project import Project
from labeltool.store import clips, journal

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


def test_a_key_in_the_real_screen_writes_the_verdict_and_quitting_is_clean(terminal: Terminal, tmp_path: Path) -> None:
    terminal.open(exit_code=tmp_path / "code")
    terminal.until(lambda: "▀" in terminal.screen(), "a painted picture")
    terminal.until(lambda: "2 ▌  high" in terminal.screen(), "the labels")
    file = terminal.file()
    terminal.answer("2")
    assert terminal.annotations() == [(file, "high", "present")]
    terminal.answer("u")
    assert terminal.file() == file
    assert terminal.annotations() == []
    terminal.answer("2")
    terminal.press("q")
    terminal.until(terminal.closed, "the end")
    terminal.until(lambda: "labeltool: 1 clip labelled in" in terminal.left_behind(), "the summary")
    assert "'high' 1" in terminal.left_behind() and "3 of 5 clips are unlabelled" in terminal.left_behind()
    assert "next: labeltool" in terminal.left_behind()
    assert (tmp_path / "code").read_text().strip() == "0"


def test_kill_9_right_after_a_key_loses_nothing_and_a_restart_goes_on(terminal: Terminal) -> None:
    terminal.open()
    files = [terminal.file()]
    for key in ("n", "d"):
        terminal.answer(key)
        files.append(terminal.file())
    # The next clip is on the screen: what was pressed before it must be on the disk.
    os.kill(terminal.pid(), signal.SIGKILL)
    terminal.until(terminal.closed, "its death")
    assert terminal.annotations() == [(files[0], None, "absent"), (files[1], None, "unsure")]
    terminal.tmux("kill-session", "-t", "app")
    terminal.open()
    # Which comes next is for the queue to say: it may have been ordered anew meanwhile.
    assert terminal.file() not in files[:2]
    terminal.answer("u")
    assert terminal.file() == files[1]
    assert terminal.annotations() == [(files[0], None, "absent")]


def test_palette_new_label_and_resizing_in_a_real_terminal(terminal: Terminal) -> None:
    terminal.open()
    file = terminal.file()
    terminal.press("/")
    terminal.until(lambda: "Enter accept" in terminal.screen(), "the palette")
    terminal.press("-l", "[red]owl[/]")
    terminal.until(lambda: "+ new label: [red]owl[/]" in terminal.screen(), "the new label")
    terminal.tmux("resize-window", "-t", "app", "-x", "80", "-y", "24")
    terminal.until(lambda: max(map(len, terminal.screen().splitlines())) <= 80, "80 columns")
    terminal.until(lambda: "+ new label: [red]owl[/]" in terminal.screen(), "the palette at 80 columns")
    terminal.answer("Enter", before=file)
    assert terminal.annotations() == [(file, "[red]owl[/]", "present")]
    terminal.until(lambda: "▀" in terminal.screen(), "the picture at 80 columns")
    terminal.until(lambda: "? keys" in terminal.screen().splitlines()[-1], "the hints at 80 columns")
    file = terminal.file()
    terminal.tmux("resize-window", "-t", "app", "-x", "130", "-y", "40")
    terminal.until(lambda: "m add label" in terminal.screen(), "the longer hints")
    assert terminal.file() == file


def test_the_playhead_is_one_line_that_leaves_the_picture_as_it_was(terminal: Terminal) -> None:
    """Its cells are written past Textual, which would write every line from its start."""
    terminal.open()
    terminal.until(lambda: "▀" in terminal.screen(), "a painted picture")
    terminal.press("l")  # loops, and plays
    pictures: dict[int, list[str]] = {}

    def sees_it_move() -> bool:
        lines = [line for line in terminal.screen().splitlines() if "▕" in line and not re.search("[⠀-⣿]", line)]
        columns = {x for line in lines for x, letter in enumerate(line) if letter == "│"}
        assert len(columns) <= 1
        pictures.update((column, lines) for column in columns)
        return len(pictures) > 4

    terminal.until(sees_it_move, "the playhead moving")
    masked = {
        "\n".join("".join(" " if x in pictures else letter for x, letter in enumerate(line)) for line in lines)
        for lines in pictures.values()
    }
    assert len(masked) == 1 and "▀" in masked.pop()


def test_strange_labels_are_text_in_a_real_terminal(terminal: Terminal) -> None:
    with terminal.project.open_store() as store:
        first, second = (found.id for found in clips.all_clips(store)[:2])
        for label in STRANGE_LABELS[:7]:
            for clip_id in (first, second):
                journal.annotate(store, clip_id, label, annotator="before")
    terminal.open()
    terminal.until(lambda: "▌  a[/]b" in terminal.screen(), "the labels")
    shown = terminal.screen()
    for expected in ("[red]x[/red]", "[@click=app.quit]x", "طائر الليل", "long long", "two lines"):
        assert expected in shown
    for label in STRANGE_LABELS[:2]:
        key = re.search(rf"(\w) ▌  {re.escape(label)}", shown)
        assert key is not None
        terminal.answer(key[1])
        assert terminal.annotations()[-1][1] == label


def test_messages_on_stderr_go_to_the_log_not_to_the_screen(terminal: Terminal) -> None:
    terminal.open()
    writing = f"/proc/{terminal.pid()}/fd/2"
    if not Path(writing).exists():
        pytest.skip("no /proc to look at another process's files")
    assert Path(writing).readlink() == terminal.project.cache / "logs" / "app.log"
    assert not terminal.closed()


def test_the_screen_is_on_the_terminal_where_stderr_goes_to_a_file(app_project: Project, tmp_path: Path) -> None:
    with TerminalApp(app_project, stderr=tmp_path / "messages.txt") as app:
        app.until("▀")
        app.press("n")
        app.until("none of these")
        assert app.leave() == 0
    messages = (tmp_path / "messages.txt").read_text()
    assert "1 clip labelled" in messages  # the summary
    assert "\x1b" not in messages
