"""Other keys for the labelling room, told in labeltool.toml."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import room_helpers
from room_helpers import answer, opened, text_of, until, verdicts

from labeltool import project as projects
from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.settings import SETTINGS_FILE
from labeltool.store import Store
from labeltool.tui import keymap
from labeltool.tui.keys import WAYS
from labeltool.tui.screens.help import Help
from labeltool.tui.widgets.key_hints import Hints

room_project = room_helpers.room_project
reading = room_helpers.reading


def with_keys(project: Project, table: str) -> Project:
    """The project, its keys told by some lines of TOML."""
    (project.directory / SETTINGS_FILE).write_text(f"[keys]\n{table}\n")
    return projects.load(project.directory)


async def test_the_new_key_does_it_the_old_one_no_more_and_help_and_hints_show_it(
    room_project: Project, reading: Store
) -> None:
    project = with_keys(room_project, 'undo = "z"\nnone_of_these = ["G", "f5"]\ntake_1 = "?"\nhelp = "f1"\nback = "h"')
    async with opened(project, size=(150, 40)) as (room, screen, pilot):
        hints = text_of(screen.query_one(Hints))
        assert "z undo" in hints and "G none" in hints and "F1" in hints.upper()
        assert "u undo" not in hints
        for key in ("G", "f5"):
            await answer(screen, pilot, key)
        assert [value for *_, value, _ in verdicts(reading)] == ["absent", "absent"]
        await pilot.press("n", "u", "1")
        assert len(verdicts(reading)) == 2
        await answer(screen, pilot, "z")
        assert len(verdicts(reading)) == 1
        await until(pilot, lambda: screen.offers, "labels")
        await answer(screen, pilot, "question_mark")
        assert [value for *_, value, _ in verdicts(reading)] == ["absent", "present"]
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(room.screen, Help), "the help")
        page = "\n".join(text_of(column) for column in room.screen.query(".help-column"))
        told = {
            line.split(maxsplit=1)[0]: line.split(maxsplit=1)[-1].strip() for line in page.splitlines() if line.strip()
        }
        assert "take the last answer back" in told["z"]
        assert "h →" in page  # one line for two keys, one of which is another now
        assert "u" not in told


async def test_two_keys_may_change_places(room_project: Project, reading: Store) -> None:
    async with opened(with_keys(room_project, 'skip = "n"\nnone_of_these = "s"')) as (_, screen, pilot):
        await answer(screen, pilot, "n")
        await answer(screen, pilot, "s")
    assert [(value, kind) for _, _, value, kind in verdicts(reading)] == [(None, "skip"), ("absent", "verdict")]


def test_no_two_actions_of_a_way_to_work_share_a_key_as_the_room_comes(room_project: Project) -> None:
    assert keymap.read(room_project) == {}
    for way in WAYS:
        named = [name for key in way.keys for name in key.keys.split(",")]
        assert len(named) == len(set(named)), way.name
        # What the settings call an action is one thing: two of them in a way would both get the key.
        assert len({key.name for key in way.keys}) == len(way.keys), way.name


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ('fly = "z"', r"no action of the room: 'fly' \(there are .*undo"),
        ('undo = "banana"', r"undo: the room knows no key 'banana' \(a character"),
        ('undo = "ctrl+q"', "knows no key"),
        ('undo = "\\t"', "knows no key"),
        ('undo = "n"', r"undo|none_of_these.* are both on n in ask \(give one of them another key"),
        ('undo = ["z", "z"]\nredo = "z"', "are both on z"),
        ('keep = "x"', "are both on x in review"),
        ("undo = 1", "must be a key or a list of keys, not 1"),
        ("undo = []", "must be a key or a list of keys"),
        ('undo = ""', "must be a key or a list of keys"),
    ],
)
def test_keys_that_cannot_be_are_told_in_one_line_that_names_the_file(
    room_project: Project, table: str, told: str
) -> None:
    with pytest.raises(LabeltoolError, match=told) as raised:
        keymap.read(with_keys(room_project, table))
    assert SETTINGS_FILE in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


def test_wrong_keys_are_told_before_the_screen_opens(room_project: Project, tmp_path: Path) -> None:
    with_keys(room_project, 'undo = "n"')
    terminal, program_side = pty.openpty()
    try:
        done = subprocess.run(
            [*(sys.executable, "-m", "labeltool", "--project", str(room_project.directory)), "label"],
            stdin=program_side,
            stdout=program_side,
            stderr=program_side,
            timeout=60,
            check=False,
        )
        said = os.read(terminal, 1 << 16).decode()
    finally:
        os.close(terminal)
        os.close(program_side)
    assert done.returncode == 1
    assert said.startswith("labeltool: ") and SETTINGS_FILE in said
    assert "\x1b" not in said


def test_the_settings_a_project_begins_with_can_be_uncommented(room_project: Project) -> None:
    settings = room_project.directory / SETTINGS_FILE
    lines = settings.read_text().splitlines()
    begin = lines.index(next(line for line in lines if line.startswith("[keys]")))
    settings.write_text("\n".join([*lines[:begin], *(line.removeprefix("# ") for line in lines[begin:])]))
    assert keymap.read(projects.load(room_project.directory)) == {"undo": ("z",), "play": ("space", "f5")}
