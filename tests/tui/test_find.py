"""The Find view: candidate by candidate, answers are in the store, and the counts follow."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from unittest.mock import patch

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from helpers.app import opened, text_of, until
from helpers.find import UP, project_with_examples
from labeltool.pretrained import registry
from labeltool.project import Project
from labeltool.records import Value
from labeltool.store import Store, recordings, spans
from labeltool.tui.background.task import BackgroundTask
from labeltool.tui.dialogs.palette import Palette
from labeltool.tui.screens.find import FindScreen


@pytest.fixture
def marked(project: Project, level_model_file: Path, tmp_path: Path) -> Project:
    return project_with_examples(project, level_model_file, tmp_path / "sounds")


@asynccontextmanager
async def find_opened(project: Project) -> AsyncIterator[tuple[FindScreen, Pilot[None]]]:
    """Open the view and choose "up"."""
    async with opened(project, size=(105, 34), wait=False) as (app, label_view, pilot):
        await until(pilot, lambda: label_view.services.state.label_counts.get("up"), "the labels")
        await pilot.press("p", "E")
        await until(pilot, lambda: isinstance(app.screen, Palette), "the labels to choose from")
        await pilot.press(*"up", "enter")
        await until(pilot, lambda: isinstance(app.screen, FindScreen), "the view")
        screen = app.screen
        assert isinstance(screen, FindScreen)
        await until(pilot, lambda: screen.selected_region is not None and not screen.busy, "a candidate")
        yield screen, pilot


def judged(store: Store, value: Value) -> list[tuple[float, float]]:
    return [
        (span.start_s, span.end_s)
        for here in spans.verdicts(store).values()
        for span in here
        if span.text == "up" and span.value is value
    ]


async def answered(screen: FindScreen, pilot: Pilot[None], *keys: str) -> None:
    """Press keys, and wait for another candidate."""
    before = screen.selected_region
    await pilot.press(*keys)
    await until(pilot, lambda: not screen.busy and screen.selected_region != before, f"the candidate after {keys}")


async def test_candidates_are_accepted_rejected_and_undone(marked: Project, store: Store) -> None:
    async with find_opened(marked) as (screen, pilot):
        title = screen.query_one("#find-title", Static)
        await until(pilot, lambda: "Find: up" in text_of(title) and "likely" in text_of(title), "the counts")
        assert f"{len(UP)} found, 2 checked" in text_of(title)
        first = screen.selected_region
        assert first is not None and screen.opened is not None
        await answered(screen, pilot, "a")
        assert (first.start_s, first.end_s) in judged(store, Value.PRESENT)
        second = screen.selected_region
        await answered(screen, pilot, "x")
        assert second is not None and judged(store, Value.ABSENT) == [(second.start_s, second.end_s)]
        await pilot.press("u")
        await until(pilot, lambda: not judged(store, Value.ABSENT) and screen.selected_region == second, "the undo")
        await until(pilot, lambda: not screen.busy, "the counts again")
        await answered(screen, pilot, "s")
        assert len(judged(store, Value.PRESENT)) == 3 and not judged(store, Value.ABSENT)


async def test_a_search_that_runs_is_shown_when_one_comes_back_to_it(marked: Project) -> None:
    async with opened(marked, size=(105, 34), wait=False) as (app, label_view, pilot):
        await until(pilot, lambda: label_view.services.state.label_counts.get("up"), "the labels")
        with patch.object(BackgroundTask, "start"), patch.object(BackgroundTask, "busy", True):
            await pilot.press("E")
            await until(pilot, lambda: isinstance(app.screen, Palette), "the labels to choose from")
            await pilot.press("escape", "A", "E")
            await until(pilot, lambda: isinstance(app.screen, FindScreen | Palette), "the view")
            screen = app.current_view
            assert isinstance(screen, FindScreen)
            await until(pilot, lambda: "The recordings are searched" in text_of(screen._spectrogram), "what goes on")


async def test_edges_that_were_moved_are_stored(marked: Project, store: Store) -> None:
    async with find_opened(marked) as (screen, pilot):
        region = screen.selected_region
        assert region is not None
        await pilot.press("O", "greater_than_sign", "greater_than_sign")
        moved = screen.selected_region
        assert moved is not None and moved.end_s > region.end_s
        await answered(screen, pilot, "a")
        (added,) = [place for place in judged(store, Value.PRESENT) if place not in UP]
        assert added == (region.start_s, pytest.approx(moved.end_s, abs=1e-5))


async def test_undo_before_a_candidate_names_the_clip_and_labels_there_are(marked: Project, store: Store) -> None:
    recording = recordings.find_recording(store, "minute.wav")
    spans.annotate_region(store, recording, spans.Region(40.0, 41.0), "down", annotator="ann")
    async with opened(marked, size=(105, 34), wait=False) as (app, label_view, pilot):
        await until(pilot, lambda: label_view.services.state.label_counts.get("up"), "the labels")
        await pilot.press("E")
        await until(pilot, lambda: isinstance(app.screen, Palette), "the question")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, FindScreen), "the view")
        screen = app.screen
        assert isinstance(screen, FindScreen)
        assert "no labels yet" not in text_of(screen.bar)
        await pilot.press("u")
        await until(pilot, lambda: "minute.wav, not on this screen" in screen.notice.text, "the name")
        assert "down" in screen.notice.text and "no labels yet" not in text_of(screen.bar)


async def test_a_search_that_fails_shows_what_to_do_next(marked: Project) -> None:
    registry.remove(marked, "levels")
    async with opened(marked, size=(105, 34), wait=False) as (app, label_view, pilot):
        await until(pilot, lambda: label_view.services.state.label_counts.get("up"), "the labels")
        await pilot.press("E")
        await until(pilot, lambda: isinstance(app.screen, Palette), "the labels to choose from")
        await pilot.press(*"up", "enter")
        screen = app.current_view
        assert isinstance(screen, FindScreen)
        await until(pilot, lambda: "The search failed." in text_of(screen._spectrogram), "what comes next")
        assert "F4: fetch YAMNet" in text_of(screen._spectrogram)
