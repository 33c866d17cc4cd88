"""Helpers for tests of Batch review: a model that predicts, and the app in that view."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from textual.pilot import Pilot

from helpers.app import opened, shows, text_of, until
from helpers.store import replace_suggestions
from labeltool.project import Project
from labeltool.records import Suggestion
from labeltool.store import clips, journal, models
from labeltool.tui.app import LabelApp
from labeltool.tui.screens.pages.batch_review import BatchReviewScreen


def hold(project: Project, first: str, second: str, *, high: int) -> str:
    """Let a new model take some of the open clips for one label, the rest for another; return its uid."""
    with project.open_store() as store:
        model_id = models.add(
            store,
            models.NewModel("none", "{}", 2, 0.9, 0.9),
            parent_id=None,
            journal_mark=journal.newest_id(store),
            publish=lambda _: None,
        )
        suggestions = []
        for place, clip in enumerate(clips.unlabelled(store)):
            share = 0.6 + 0.03 * place
            top, other = (first, second) if place < high else (second, first)
            suggestions.append(Suggestion(clip.id, model_id, {top: share, other: 1 - share}))
        replace_suggestions(store, suggestions)
        return models.model(store, model_id).uid


@asynccontextmanager
async def reviewing(
    project: Project, *, size: tuple[int, int] = (110, 34), repeat_s: float = 0.0
) -> AsyncIterator[tuple[LabelApp, BatchReviewScreen, Pilot[None]]]:
    """Open the app and go to Batch review."""
    async with opened(project, size=size, repeat_s=repeat_s) as (app, _, pilot):
        screen = await shows(pilot, BatchReviewScreen, "S")
        await until(pilot, lambda: screen.clips.ids and not screen.busy, "the first page")
        yield app, screen, pilot


async def turned(screen: BatchReviewScreen, pilot: Pilot[None], *keys: str) -> None:
    """Press keys and wait for another page."""
    before = list(screen.clips.ids)
    await pilot.press(*keys)
    await until(pilot, lambda: list(screen.clips.ids) != before, f"another page after {keys}")
    await until(pilot, lambda: not screen.busy or not screen.clips.ids, "its first clip")


def lines(screen: BatchReviewScreen) -> list[str]:
    """The first of the two lines of each clip as they are painted."""
    return [line.rstrip() for line in text_of(screen.clips).splitlines()[::2] if line.strip()]
