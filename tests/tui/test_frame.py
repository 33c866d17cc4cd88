"""The frame of every view: header, tab line and key line, at every width, by keys and by mouse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from unittest.mock import patch

import pytest

from helpers.app import answer, opened, picture, shows, text_of, until, verdicts
from labeltool import project as projects
from labeltool.project import Project
from labeltool.store import Store, journal
from labeltool.tui import launch
from labeltool.tui.dialogs.palette import Choices, Palette
from labeltool.tui.screens.browse import BrowseScreen
from labeltool.tui.screens.pages.batch_review import BatchReviewScreen
from labeltool.tui.screens.regions import RegionsScreen
from labeltool.tui.screens.review import ReviewScreen
from labeltool.tui.widgets.tab_line import TABS
from labeltool.util.files.project_names import SETTINGS_FILE

_KEYS = "ASRBCwLEM"


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
async def test_nothing_in_the_frame_is_cut_at_any_width(app_project: Project, columns: int) -> None:
    async with opened(app_project, size=(columns, 24)) as (app, screen, pilot):
        await until(pilot, lambda: app.services.state.model is not None, "the newest model")
        session, state = app.services.session, app.services.state
        session._response_ms = {clip_id: {"row": 2000} for clip_id in range(3)}
        session._measure_speed()
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
        assert hints.rstrip().endswith("? keys") and "q quit" in hints and "…" not in hints
        assert columns < 80 or all(f"{key} " in hints for key in ("⏎", "/", *"usndbm", "?"))


async def test_keys_stand_in_groups_to_label_to_listen_and_of_the_view(app_project: Project) -> None:
    async with opened(app_project, size=(120, 24)) as (_, screen, _pilot):
        label, listen, view = text_of(screen.hints).split("│")
        assert "s skip" in label and "Space play" in listen and "q quit" in view


@pytest.mark.parametrize("keys", [("slash", "l"), ("N", "x"), ("F2",), ("F3", "r"), ("question_mark",)])
async def test_ctrl_c_quits_in_a_dialog_as_it_does_in_the_view(app_project: Project, keys: Sequence[str]) -> None:
    async with opened(app_project) as (app, screen, pilot):
        await pilot.press(*(key.lower() if key.startswith("F") else key for key in keys))
        await until(pilot, lambda: app.screen is not screen, "the dialog")
        with patch.object(app, "exit") as exits:
            await pilot.press("ctrl+c")
            await until(pilot, lambda: exits.called, "the end")


async def test_ctrl_c_is_no_key_to_quit_where_the_settings_have_another(app_project: Project) -> None:
    (app_project.directory / SETTINGS_FILE).write_text('[keys]\nquit = "q"\n')
    async with opened(projects.load(app_project.directory)) as (app, screen, pilot):
        await pilot.press("question_mark")
        await until(pilot, lambda: app.screen is not screen, "the dialog")
        with patch.object(app, "exit") as exits:
            await pilot.press("ctrl+c")
            await pilot.pause()
            assert not exits.called


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


async def test_the_summary_of_a_session_counts_the_labels_it_does_not_name(app_project: Project) -> None:
    async with opened(app_project) as (app, _, pilot):
        await until(pilot, lambda: app.services.state.clips, "the counts")
        with app_project.open_store() as store:
            for number in range(7):
                journal.annotate(store, 2, f"label {number}", annotator="ann")
        assert "'label 5' 1 and 1 more label\n" in launch._session_summary(app, 65.0)


async def test_at_the_end_of_the_work_the_keys_offered_work(app_project: Project) -> None:
    async with opened(app_project, size=(80, 24)) as (app, screen, pilot):
        while screen.current is not None:
            await answer(screen, pilot, "n")
        text = picture(screen)
        assert "No unlabelled clips are left" in text and "R: review labels" in text
        started: list[bool] = []
        app.services.evaluation.start = lambda: started.append(True) is None  # type: ignore[method-assign]
        assert "F8: evaluate the newest model" in text
        await pilot.press("f8")
        await until(pilot, lambda: started, "the evaluation")
        app.call_later(app.warn_view, "no model is trained yet")
        await until(pilot, lambda: screen.notice.warning == "no model is trained yet", "why not")
        measured = SimpleNamespace(model=3, clip_accuracy=0.9, clips=40, int8_clip_accuracy=0.875, report="reports/3")
        app.call_later(app.show_evaluation, measured)
        await until(pilot, lambda: "model 3: 90.0% of 40 clips right, int8 87.5%" in screen.notice.text, "the accuracy")
        await shows(pilot, ReviewScreen, "R")


async def test_empty_views_name_keys_as_the_settings_have_them(app_project: Project) -> None:
    settings = replace(app_project.settings, keys={"label": ("Z",)})
    async with opened(replace(app_project, settings=settings), size=(80, 24)) as (app, _, pilot):
        for key, kind, expected in (
            ("S", BatchReviewScreen, "No model has predicted labels yet"),
            ("R", ReviewScreen, "No label is suspicious"),
        ):
            await pilot.press(key)
            await until(pilot, lambda kind=kind: isinstance(app.screen, kind), "the view")  # type: ignore[misc]
            view = app.screen
            assert isinstance(view, BatchReviewScreen | ReviewScreen)
            for text in (expected, "Z: label", "t: train a model"):
                await until(pilot, lambda view=view, text=text: text in text_of(view._spectrogram), text)  # type: ignore[misc]


async def test_a_click_on_a_label_labels_with_it_and_one_in_a_palette_chooses(
    app_project: Project, reading: Store
) -> None:
    async with opened(app_project) as (app, screen, pilot):
        await until(pilot, lambda: "high" in text_of(screen.panel), "the labels")
        clip = screen.current
        row = next(y for y, line in enumerate(text_of(screen.panel).splitlines()) if "high" in line)
        assert await pilot.click(screen.panel, offset=(8, row))
        await until(pilot, lambda: screen.current is not clip, "the next clip")
        assert [label for _, label, *_ in verdicts(reading)] == ["high"]
        clip = screen.current
        await shows(pilot, Palette, "slash")
        choices = app.screen.query_one(Choices)
        await until(pilot, lambda: "low" in text_of(choices), "its names")
        row = next(y for y, line in enumerate(text_of(choices).splitlines()) if "low" in line)
        await pilot.click(choices, offset=(3, row))
        await until(pilot, lambda: screen.current is not clip, "the next clip")
        assert [label for _, label, *_ in verdicts(reading)] == ["high", "low"]
