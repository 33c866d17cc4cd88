"""Progress: one annotation speed, goals, learning curves, confusions, and the training that runs."""

from __future__ import annotations

import json
import re
import time

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from helpers.app import answer, opened, suggest, text_of, until
from labeltool.annotation import progress, speed
from labeltool.project import Project
from labeltool.store import Store, clips, journal, labels, models
from labeltool.store.label_acts.changes import define, set_parent
from labeltool.tui.app import LabelApp
from labeltool.tui.background.trainer import StageRate, TrainingProgress
from labeltool.tui.dialogs.progress import ProgressScreen
from labeltool.tui.text import format_left


async def progress_page(app: LabelApp, pilot: Pilot[None]) -> str:
    """Open the page and return its text."""
    await pilot.press("P")
    await until(pilot, lambda: isinstance(app.screen, ProgressScreen) and app.screen.query("#progress-numbers"), "it")
    page = app.screen.query_one("#progress-numbers", Static)
    await until(pilot, lambda: page.size.height, "its lines")
    return text_of(page)


async def test_progress_shows_this_session_and_the_total(app_project: Project) -> None:
    suggest(app_project)
    context = journal.AnnotationContext(response_ms=4000)
    with app_project.open_store() as store:
        journal.annotate(store, clips.all_clips(store)[-1].id, "high", annotator="ann", context=context)
    async with opened(app_project) as (app, screen, pilot):
        await answer(screen, pilot, "enter")
        await answer(screen, pilot, "1")
        page = await progress_page(app, pilot)
        assert "model 1, 2 labelled clips" in text_of(app.screen.query_one("#progress-now"))
        assert re.search(r"clips labelled +2 +3 *\n", page)
        assert re.search(r"first suggestion right +50% +50%", page)
        await pilot.press("escape")
        assert app.screen is screen


async def test_header_and_progress_have_one_annotation_speed(app_project: Project, reading: Store) -> None:
    async with opened(app_project) as (app, screen, pilot):
        session = app.services.session
        screen._shown_at -= 3600.0  # a break, which is no work
        await answer(screen, pilot, "n")
        await answer(screen, pilot, "s")
        screen._shown_at -= 3.0
        await answer(screen, pilot, "n")
        screen._shown_at -= 5.0
        await answer(screen, pilot, "n")
        await answer(screen, pilot, "u")
        await answer(screen, pilot, "U")
        await answer(screen, pilot, "u")
        stored = speed.annotation_statistics(reading, annotator="ann", since=session.start_row_id)
        assert session.clips_done == stored.answers == 2
        assert session.clips_per_minute == stored.clips_per_minute
        assert session.clips_per_minute is not None and 1.8 < session.clips_per_minute < 2.0
        assert f"{session.clips_per_minute:.1f}" in await progress_page(app, pilot)


async def test_progress_shows_goals_learning_curves_and_confusions(app_project: Project) -> None:
    with app_project.open_store() as store:
        for labels_seen, accuracy, recall in ((4, 0.5, 0.0), (8, 0.75, 1.0)):
            card = {
                "labels": ["high", "low"],
                "by_label": [{"label": "low", "clips": 4, "recall": recall}],
                "confusion": [[2, 7], [1, 3]],
            }
            models.add(
                store,
                models.NewModel("none", json.dumps(card), labels_seen, accuracy, accuracy),
                parent_id=None,
                journal_mark=journal.newest_id(store),
                publish=lambda _: None,
            )
    async with opened(app_project) as (app, _, pilot):
        page = await progress_page(app, pilot)
        assert "0 of 1 labels have 20 clips, 19 clips to go" in page
        assert re.search(r"low +1 .*▁█ 100%", page)
        assert re.search(r"4 labels +50%", page) and re.search(r"8 labels +75%", page)
        assert re.search(r"7 × high +predicted as low", page)


async def test_a_label_without_a_clip_is_a_goal_where_it_was_defined_and_groups_no_others(
    app_project: Project,
) -> None:
    with app_project.open_store() as store:
        for name in ("owl", "animal"):
            labels.add_label(store, name, key="")
            define(store, name, f"what is called {name}", annotator="ann")
        set_parent(store, "owl", "animal", annotator="ann")
        assert {one.label for one in progress.project_progress(store).labels} == {"low", "owl"}  # and not "high"


async def test_the_page_scrolls_on_a_small_screen(app_project: Project) -> None:
    with app_project.open_store() as store:
        for number in range(40):
            journal.annotate(store, 1, f"label {number}", annotator="before")
    async with opened(app_project, size=(80, 24)) as (app, _, pilot):
        await progress_page(app, pilot)
        await pilot.press("end")
        await until(pilot, lambda: app.screen.query_one("#progress").scroll_y > 10, "the end of the page")


def test_the_time_left_of_a_stage_follows_its_own_rate() -> None:
    now = [0.0]
    rate = StageRate(lambda: now[0])
    assert rate.left_s("features", 0, 100) is None
    now[0] = 5.0
    assert rate.left_s("features", 5, 100) is None  # too little of it
    now[0] = 10.0
    assert rate.left_s("features", 50, 100) == 10.0
    assert rate.left_s("training", 10, 20) is None
    now[0] = 14.0
    assert rate.left_s("training", 15, 20) is None
    now[0] = 15.0
    assert rate.left_s("training", 15, 20) == 5.0
    assert rate.left_s("training", 16, 0) is None


def test_what_a_cache_had_is_no_rate_for_what_has_to_be_computed() -> None:
    now = [0.0]
    rate = StageRate(lambda: now[0])
    rate.left_s("embedding clips", 0, 100)
    now[0] = 1.0
    rate.left_s("embedding clips", 90, 100)
    for second in range(6, 42, 5):
        now[0] = float(second)
        left_s = rate.left_s("embedding clips", 90 + (second - 1) // 5, 100)
    assert left_s == pytest.approx(10.0)


def test_a_time_left_is_coarse_and_ends_with_the_estimate() -> None:
    texts = [format_left(seconds) for seconds in (0.2, 59, 100, 400, 18 * 60)]
    assert texts == [
        "under a minute left",
        "under a minute left",
        "about 2 min left",
        "about 7 min left",
        "about 20 min left",
    ]
    assert TrainingProgress("training", left_s=8.0, reported_at=time.monotonic() - 9).left_now_s is None


async def test_the_training_is_shown_with_its_time_left(app_project: Project) -> None:
    async with opened(app_project, size=(120, 30)) as (app, screen, pilot):
        app._show_training(TrainingProgress("training", 30, 100, left_s=120.0))
        await until(pilot, lambda: "about 2 min left" in text_of(screen.header), "the header")
        await progress_page(app, pilot)
        assert "about 2 min left" in text_of(app.screen.query_one("#progress-now"))
