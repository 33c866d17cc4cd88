"""The settings in the app, and what is kept for the user: written without losing a line, refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList

from helpers.app import answer, opened, shows, text_of, until
from labeltool import project as projects
from labeltool.project import Project
from labeltool.settings import ThemeName
from labeltool.store import Store, journal
from labeltool.tui.app import LabelApp
from labeltool.tui.dialogs import settings as settings_dialog
from labeltool.tui.dialogs.palette import Palette
from labeltool.tui.dialogs.prompts import KeyPrompt, TextPrompt
from labeltool.tui.dialogs.settings import SettingsScreen
from labeltool.tui.media.look import DB_RANGES
from labeltool.tui.theme import LIGHT
from labeltool.util import user_state
from labeltool.util.files.project_names import SETTINGS_FILE

_MINE = "# mine\n[learning]\nretrain_after = 7  # at night\n\n[elsewhere]\nx = [1, 2]\n"


@pytest.fixture
def file(app_project: Project) -> Path:
    path = app_project.directory / SETTINGS_FILE
    path.write_text(_MINE)
    return path


async def _open(app: LabelApp, pilot: Pilot[None], name: str) -> SettingsScreen:
    screen = await shows(pilot, SettingsScreen, "f2")
    rows = screen.query_one(OptionList)
    await until(pilot, lambda: rows.option_count, "their rows")
    rows.highlighted = rows.get_option_index(name)
    return screen


async def test_the_time_in_a_dialog_is_no_time_on_the_clip(app_project: Project, reading: Store) -> None:
    async with opened(app_project) as (app, screen, pilot):
        await _open(app, pilot, "theme")
        assert screen._paused_at is not None
        screen._shown_at -= 7200.0
        screen._paused_at -= 7200.0  # two hours ago
        await pilot.press("escape")
        await until(pilot, lambda: screen._paused_at is None, "the clip again")
        await answer(screen, pilot, "1")
    assert next(row.response_ms or 0 for row in journal.rows(reading) if row.annotator == "ann") < 3_600_000


async def test_settings_are_taken_up_at_once_and_every_other_line_of_the_file_stays(
    app_project: Project, file: Path
) -> None:
    async with opened(projects.load(app_project.directory), size=(80, 24)) as (app, _, pilot):
        screen = await _open(app, pilot, "theme")
        await pilot.press("left")
        await until(pilot, lambda: app.theme == LIGHT.name, "the light theme")
        await pilot.press("down", "right")
        await until(pilot, lambda: not app.services.state.autoplay, "no autoplay")
        await until(pilot, lambda: "no" in text_of(screen.query_one(OptionList)).splitlines()[1], "it shown")
        rows = screen.query_one(OptionList)
        for name in ("db_range", "retrain_after"):
            rows.highlighted = rows.get_option_index(name)
            await pilot.press("right" if name == "db_range" else "enter")
        await until(pilot, lambda: isinstance(app.screen, TextPrompt), "a question")
        await pilot.press("backspace", *"12", "enter")
        await until(pilot, lambda: app.services.state.settings.learning.retrain_after == 12, "the number")
    text = file.read_text()
    assert [line for line in _MINE.replace("= 7", "= 12").splitlines() if line not in text.splitlines()] == []
    assert projects.load(app_project.directory).settings.app.theme is ThemeName.LIGHT
    assert projects.load(app_project.directory).settings.app.db_range == DB_RANGES[1]


async def test_a_value_that_cannot_be_is_refused_in_one_line(app_project: Project, file: Path) -> None:
    async with opened(projects.load(app_project.directory)) as (app, _, pilot):
        screen = await _open(app, pilot, "retrain_after")
        await shows(pilot, TextPrompt, "enter")
        await pilot.press(*"x", "enter")
        await until(pilot, lambda: "[learning] retrain_after: expected" in str(screen._notice.content), "the reason")
        assert "\n" not in str(screen._notice.content)
    assert file.read_text() == _MINE


async def test_a_query_strategy_is_chosen_by_what_it_does(app_project: Project, file: Path) -> None:
    async with opened(projects.load(app_project.directory)) as (app, _, pilot):
        await _open(app, pilot, "query_strategy")
        await shows(pilot, Palette, "enter")
        await pilot.press(*"differ from each", "enter")
        await until(pilot, lambda: 'query_strategy = "badge"' in file.read_text(), "the choice in the file")


async def test_an_action_gets_the_key_that_is_pressed_unless_another_has_it(app_project: Project, file: Path) -> None:
    async with opened(projects.load(app_project.directory)) as (app, _, pilot):
        screen = await _open(app, pilot, "keys")
        for key, expected in (("n", "both on n"), ("f9", "saved")):
            await until(pilot, lambda: app.screen is screen, "the settings")
            await shows(pilot, Palette, "enter")
            await pilot.press(*"undo the last")
            await shows(pilot, KeyPrompt, "enter")
            await pilot.press(key)
            await until(pilot, lambda text=expected: text in str(screen._notice.content), "the answer")  # type: ignore[misc]
    assert projects.load(app_project.directory).settings.keys == {"undo": ("f9",)}


async def test_the_sound_output_is_the_users_and_not_the_projects(
    app_project: Project, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(settings_dialog, "output_names", lambda: ["Speakers", "Headphones"])
    async with opened(projects.load(app_project.directory)) as (app, _, pilot):
        await _open(app, pilot, "output")
        await shows(pilot, Palette, "enter")
        await pilot.press(*"head", "enter")
        await until(pilot, lambda: user_state.read_user_state().output_device == "Headphones", "the choice")
    assert file.read_text() == _MINE


def test_a_spoilt_user_state_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    for place in range(12):
        user_state.remember_project(tmp_path / str(place))
    user_state.remember_project(tmp_path / "7")
    recent = user_state.read_user_state().recent_projects
    assert recent[:2] == (str(tmp_path / "7"), str(tmp_path / "11")) and len(recent) == len(set(recent)) == 9
    (tmp_path / "labeltool" / "app.json").write_text('{"recent_projects": 3')
    assert user_state.read_user_state() == user_state.UserState()
