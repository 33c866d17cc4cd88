"""Other keys for the app, set in labeltool.toml."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.app import answer, opened, shows, text_of, until, verdicts
from helpers.waits import DEADLINE_S
from labeltool import project as projects
from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.store import Store
from labeltool.tui import keymap
from labeltool.tui.dialogs.commands import title_of
from labeltool.tui.dialogs.help import Help
from labeltool.tui.keymap import is_label_key, shown_key
from labeltool.tui.keys import VIEWS
from labeltool.tui.widgets.key_hints import KeyHints
from labeltool.util.files.project_names import SETTINGS_FILE


def with_keys(project: Project, table: str) -> Project:
    """The project, its keys set by some lines of TOML."""
    (project.directory / SETTINGS_FILE).write_text(f"[keys]\n{table}\n")
    return projects.load(project.directory)


async def test_a_new_key_replaces_the_old_one_also_in_help_and_hints(app_project: Project, reading: Store) -> None:
    project = with_keys(app_project, 'undo = "z"\nnone_of_these = ["G", "f5"]\nlabel_1 = "?"\nhelp = "f1"\nback = "h"')
    async with opened(project, size=(150, 40)) as (app, screen, pilot):
        hints = text_of(screen.query_one(KeyHints))
        assert "z undo" in hints and "G none" in hints and "F1" in hints.upper()
        assert "u undo" not in hints
        for key in ("G", "f5"):
            await answer(screen, pilot, key)
        assert [value for *_, value, _ in verdicts(reading)] == ["absent", "absent"]
        await pilot.press("n", "u", "1")
        assert len(verdicts(reading)) == 2
        await answer(screen, pilot, "z")
        assert len(verdicts(reading)) == 1
        await until(pilot, lambda: screen.choices, "labels")
        await answer(screen, pilot, "question_mark")
        assert [value for *_, value, _ in verdicts(reading)] == ["absent", "present"]
        await shows(pilot, Help, "f1")
        page = "\n".join(text_of(column) for column in app.screen.query(".help-column"))
        expected = {
            line.split(maxsplit=1)[0]: line.split(maxsplit=1)[-1].strip() for line in page.splitlines() if line.strip()
        }
        assert "undo the last action" in expected["z"]
        assert "h →" in page  # one line for two keys, one of which is another now
        assert "u" not in expected


async def test_two_keys_can_be_swapped(app_project: Project, reading: Store) -> None:
    async with opened(with_keys(app_project, 'skip = "n"\nnone_of_these = "s"')) as (_, screen, pilot):
        await answer(screen, pilot, "n")
        await answer(screen, pilot, "s")
    assert [(value, kind) for _, _, value, kind in verdicts(reading)] == [(None, "skip"), ("absent", "verdict")]


def test_no_two_actions_of_a_view_share_a_default_key(app_project: Project) -> None:
    assert keymap.read(app_project) == {}
    for view in VIEWS:
        named = [name for key in view.keys for name in key.keys.split(",") if name]
        assert len(named) == len(set(named)), view.name
        # What the settings call an action is one thing: two of them in a way would both get the key.
        assert len({key.name for key in view.keys}) == len(view.keys), view.name


def test_a_key_of_older_settings_is_taken_from_the_action_that_has_it_now(app_project: Project) -> None:
    keys = keymap.read(with_keys(app_project, 'play = ["space", "f5"]\nredo = "d"'))
    named = {key.name: key for key in keymap.remapped(VIEWS[0], keys).keys}
    assert named["play"].keys == "space,f5"
    assert named["colour_map"].keys == named["colour_map"].shown == ""
    assert (named["redo"].keys, named["unsure"].keys) == ("d", "")


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ('fly = "z"', r"unknown action: 'fly' \(the actions are .*undo"),
        ('undo = "banana"', r"undo: unknown key 'banana' \(a character"),
        ('undo = "ctrl+q"', "unknown key"),
        ('undo = "\\t"', "unknown key"),
        ('undo = "n"', r"undo|none_of_these.* are both on n in Label \(give one of them another key"),
        ('undo = ["z", "z"]\nredo = "z"', "are both on z"),
        ('keep = "x"', "are both on x in Review"),
        ("undo = 1", "must be a key or a list of keys"),
        ("undo = []", "must be a key or a list of keys"),
        ('undo = ""', "must be a key or a list of keys"),
    ],
)
def test_invalid_keys_are_refused_in_one_line_that_names_the_file(
    app_project: Project, table: str, expected: str
) -> None:
    with pytest.raises(LabeltoolError, match=expected) as raised:
        keymap.read(with_keys(app_project, table))
    assert SETTINGS_FILE in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


def test_invalid_keys_are_refused_before_the_screen_opens(app_project: Project, tmp_path: Path) -> None:
    with_keys(app_project, 'undo = "n"')
    terminal, program_side = pty.openpty()
    try:
        done = subprocess.run(
            [*(sys.executable, "-m", "labeltool", "--project", str(app_project.directory)), "label"],
            stdin=program_side,
            stdout=program_side,
            stderr=program_side,
            timeout=DEADLINE_S,
            check=False,
        )
        output = os.read(terminal, 1 << 16).decode()
    finally:
        os.close(terminal)
        os.close(program_side)
    assert done.returncode == 1
    assert output.startswith("labeltool: ") and SETTINGS_FILE in output
    assert "\x1b" not in output


def test_the_keys_in_new_settings_can_be_uncommented(app_project: Project) -> None:
    settings = app_project.directory / SETTINGS_FILE
    lines = settings.read_text().splitlines()
    begin = lines.index(next(line for line in lines if line.startswith("[keys]")))
    settings.write_text("\n".join([*lines[:begin], *(line.removeprefix("# ") for line in lines[begin:])]))
    assert keymap.read(projects.load(app_project.directory)) == {"undo": ("ctrl+z",), "play": ("space", "f9")}


def test_former_action_names_are_translated_and_refused_beside_the_new_ones(app_project: Project) -> None:
    assert keymap.read(with_keys(app_project, 'take_1 = "?"\nhelp = "f1"\nsweep = "Z"')) == {
        "label_1": ("question_mark",),
        "help": ("f1",),
        "batch_review": ("Z",),
    }
    actions = {key.name for view in VIEWS for key in view.keys}
    assert set(keymap.RENAMED_ACTIONS.values()) <= actions and not actions & set(keymap.RENAMED_ACTIONS)
    with pytest.raises(LabeltoolError, match=r"\[keys\] names quit twice, once as leave"):
        keymap.read(with_keys(app_project, 'quit = "Z"\nleave = "Z"'))


def test_each_line_of_the_palette_stands_alone_and_keys_have_one_name_everywhere() -> None:
    lines = {key.name: title_of(key) for view in VIEWS for key in view.keys if not is_label_key(key)}
    assert not [line for line in lines.values() if line.startswith(("then ", "the ", "to ", "by ", "no ", "^"))]
    for view in VIEWS:
        for key in view.keys:
            if key.keys and key.shown and " " not in key.shown and not is_label_key(key):
                assert key.shown == shown_key(key), key.name
