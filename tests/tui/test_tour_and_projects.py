"""The tour, and going from project to project."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.app import opened, shows, until, verdicts
from helpers.waits import DEADLINE_S
from labeltool.project import Project
from labeltool.settings import AppSettings
from labeltool.store import Store
from labeltool.tui.dialogs.help import Help
from labeltool.tui.dialogs.palette import Palette
from labeltool.tui.screens.browse import BrowseScreen
from labeltool.util import user_state


@pytest.fixture(autouse=True)
def _new_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def with_tour(project: Project) -> Project:
    return replace(project, settings=replace(project.settings, app=AppSettings(tour=True)))


async def test_the_tour_waits_for_the_real_keys_and_comes_once(app_project: Project, reading: Store) -> None:
    async with opened(with_tour(app_project)) as (app, screen, pilot):
        assert "Tour 1/7" in str(screen.tour.content)
        await pilot.press("c")
        assert "Tour 1/7" in str(screen.tour.content)
        await shows(pilot, Palette, "space", "slash")
        await until(pilot, lambda: "Esc closes the list" in str(screen.tour.content), "what Esc does now")
        assert "Tour 2/7" in str(screen.tour.content)  # not before the list is closed
        await pilot.press("escape")  # closes the palette, not the tour
        await until(pilot, lambda: "Tour 3/7" in str(screen.tour.content), "the third step")
        first = screen.current
        await pilot.press("1")
        await until(pilot, lambda: screen.current is not first, "the next clip")
        assert len(verdicts(reading)) == 1
        await pilot.press("u")
        await until(pilot, lambda: not verdicts(reading), "nothing labelled")
        await shows(pilot, BrowseScreen, "B")
        await until(pilot, lambda: "Tour 6/7" in str(app.screen.query_one("#tour").content), "it there too")  # type: ignore[attr-defined]
        await pilot.press("A")
        await until(pilot, lambda: app.screen is screen, "the clips")
        await shows(pilot, Help, "question_mark")
        assert not screen.tour.display
    async with opened(with_tour(app_project)) as (app, screen, pilot):
        assert app.tour is None
        app.action_tour()
        await until(pilot, lambda: screen.tour.display, "the tour again")
        await pilot.press("escape")
        await until(pilot, lambda: not screen.tour.display, "its end")


async def test_another_project_of_the_last_ones_is_opened_next(app_project: Project, tmp_path: Path) -> None:
    other, gone = tmp_path / "other", tmp_path / "gone"
    other.mkdir()
    (other / "labels.db").touch()
    for directory in (gone, other, app_project.directory):
        user_state.remember_project(directory)
    async with opened(app_project) as (app, _, pilot):
        app.action_open_project()
        await until(pilot, lambda: isinstance(app.screen, Palette), "the projects")
        await pilot.press("enter")
        await until(pilot, lambda: app.next_project, "the choice")
        assert app.next_project == str(other)


def test_outside_a_project_the_last_ones_are_offered_in_a_terminal_alone(app_project: Project, tmp_path: Path) -> None:
    user_state.remember_project(app_project.directory)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    command = [sys.executable, "-m", "labeltool", "label"]
    piped = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert piped.returncode == 1 and "no labeltool project here or above" in piped.stderr
    terminal, program_side = pty.openpty()
    try:
        os.write(terminal, b"7\n\x04")
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), program_side)
        subprocess.run(command, cwd=elsewhere, timeout=DEADLINE_S, check=False, **streams)  # type: ignore[call-overload]
        output = os.read(terminal, 1 << 16).decode()
    finally:
        os.close(terminal)
        os.close(program_side)
    assert f"1  {app_project.directory}" in output and "7 is not in the range" in output
