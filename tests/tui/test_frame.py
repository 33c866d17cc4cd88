"""The frame of every view: header, tab line and key line, at every width, by keys and by mouse."""

from __future__ import annotations

import pytest

from helpers.app import opened, text_of, until, verdicts
from labeltool.project import Project
from labeltool.store import Store
from labeltool.tui import launch
from labeltool.tui.screens.browse import BrowseScreen
from labeltool.tui.screens.regions import RegionsScreen
from labeltool.tui.widgets.tab_line import TABS

_KEYS = "ASRBCwLEM"


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
async def test_nothing_in_the_frame_is_cut_at_any_width(app_project: Project, columns: int) -> None:
    async with opened(app_project, size=(columns, 24)) as (app, screen, pilot):
        await until(pilot, lambda: app.services.state.model is not None, "the newest model")
        session, state = app.services.session, app.services.state
        session._response_ms = {clip_id: {"row": 2000} for clip_id in range(3)}
        state.read_only, state.labelled, state.clips = "read-only: no permission", 12_345, 100_000
        screen.header.refresh()
        await until(pilot, lambda: "read-only" in text_of(screen.header), "the header")
        header = text_of(screen.header)
        assert "12345/100000" in header or "12,345 of 100,000 labelled" in header
        assert "no model yet" in header and "…" not in header
        assert "30/min" in header or "30 a minute" in header
        tabs = text_of(screen.tabs)
        assert [key for key in _KEYS if f"{key} " in f"{tabs} "] == list(_KEYS)
        titles = [tab.title if columns >= 120 else tab.short for tab in TABS]
        assert [title for title in titles if title in tabs] == (titles if columns >= 80 else ["Label"])
        hints = text_of(screen.hints)
        assert hints.rstrip().endswith("? keys") and "…" not in hints


async def test_keys_stand_in_groups_to_label_to_listen_and_of_the_view(app_project: Project) -> None:
    async with opened(app_project, size=(120, 24)) as (_, screen, _pilot):
        label, listen, view = text_of(screen.hints).split("│")
        assert "s skip" in label and "Space play" in listen and "q quit" in view


async def test_a_click_on_a_tab_goes_to_its_view_and_one_on_a_key_does_what_the_key_does(
    app_project: Project, reading: Store
) -> None:
    async with opened(app_project, size=(120, 30)) as (app, screen, pilot):
        hints = text_of(screen.hints)
        clip = screen.current
        assert await pilot.click(screen.hints, offset=(hints.index("s skip") + 3, 0))
        await until(pilot, lambda: screen.current is not clip, "the next clip")
        assert [kind for *_, kind in verdicts(reading)] == ["skip"]
        # `1-9` stands for nine keys: a click on it labels nothing.
        await pilot.click(screen.hints, offset=(hints.index("1-9") + 1, 0))
        assert await pilot.click(screen.tabs, offset=(text_of(screen.tabs).index("Browse"), 0))
        await until(pilot, lambda: isinstance(app.screen, BrowseScreen), "the list")
        assert len(verdicts(reading)) == 1
        browse = app.screen
        assert isinstance(browse, BrowseScreen)
        await until(pilot, lambda: browse.current is not None, "its clip")
        await pilot.click(browse.tabs, offset=(text_of(browse.tabs).index("Regions"), 0))
        await until(pilot, lambda: isinstance(app.screen, RegionsScreen), "the recording")
        await pilot.press("w")
        await until(pilot, lambda: app.screen is browse, "the list again")


async def test_a_session_without_a_label_ends_with_one_line(app_project: Project) -> None:
    async with opened(app_project) as (app, _, pilot):
        await until(pilot, lambda: app.services.state.clips, "the counts")
        assert launch._session_summary(app, 65.0) == "no clip labelled; 4 of 5 clips are unlabelled"
