"""What the tests of the labelling room share: a small real project, and keys pressed through Textual's pilot."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import tone_writer
from textual.pilot import Pilot

from labeltool.importers import audio_files
from labeltool.project import Project
from labeltool.records import Suggestion, Value
from labeltool.store import Store, clips, journal, models
from labeltool.store.importing import take_in
from labeltool.tui.app import Room
from labeltool.tui.screens.ask import AskScreen
from labeltool.tui.widgets.spectrogram import Spectrogram

STRANGE_LABELS = (
    "a[/]b",
    "[red]x[/red]",
    "[@click=app.quit]x",
    "🦉🏳️‍🌈",
    "طائر الليل",
    "long " * 60,
    "two\nlines",
    "\x1b[31mred\x07",
    "=SUM(A1)",
)

DEADLINE_S = 20.0


def fill(project: Project, folder: Path, count: int) -> Project:
    """Take `count` half-second tones into a project."""
    write = tone_writer(folder)
    for place in range(count):
        write(f"tone{place}.wav", frequency_hz=300.0 * (place + 1), seconds=0.5)
    with project.open_store() as store:
        take_in(store, audio_files.read([folder], None, None), kind="audio", source=str(folder))
    return project


@pytest.fixture
def room_project(project: Project, tmp_path: Path) -> Project:
    """A project of four tones and two labels, `low` said once of the first clip made."""
    fill(project, tmp_path / "sounds", 5)
    with project.open_store() as store:
        first = clips.all_clips(store)[0].id
        journal.say(store, first, "low", annotator="before")
        journal.say(store, first, "high", Value.ABSENT, annotator="before")
    return project


@pytest.fixture
def reading(room_project: Project) -> Iterator[Store]:
    """The project's store, to see what the room wrote."""
    with room_project.open_store() as store:
        yield store


@asynccontextmanager
async def opened(
    project: Project, *, size: tuple[int, int] = (100, 30), repeat_s: float = 0.0, wait: bool = True
) -> AsyncIterator[tuple[Room, AskScreen, Pilot[None]]]:
    """Open the room and wait for its first clip."""
    room = Room(project, annotator="ann", repeat_s=repeat_s)
    try:
        async with room.run_test(size=size) as pilot:
            screen = room.screen
            assert isinstance(screen, AskScreen)
            if wait:
                await until(pilot, lambda: screen.now is not None, "a first clip")
            yield room, screen, pilot
    finally:
        room.close()


async def until(pilot: Pilot[None], condition: Callable[[], Any], what: str) -> None:
    """Wait for something to come true."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        await pilot.pause(0.01)


async def answer(screen: AskScreen, pilot: Pilot[None], *keys: str) -> None:
    """Press keys and wait until another clip (or none) is on the screen."""
    before = screen.now
    await pilot.press(*keys)
    await until(pilot, lambda: screen.now is not before, f"the clip after {keys}")
    await until(pilot, lambda: screen.now is not None or "Nothing is left" in picture(screen), "the clip after it")


def picture(screen: AskScreen) -> str:
    """What stands in the picture's place, as text."""
    return text_of(screen.query_one(Spectrogram))


def text_of(widget: Any) -> str:
    """A widget's lines as they are painted."""
    return "\n".join(widget.render_line(y).text for y in range(widget.size.height))


def verdicts(store: Store) -> list[tuple[int | None, str | None, str | None, str]]:
    """The annotator's standing rows, oldest first."""
    rows = [row for row in journal.rows(store) if row.annotator == "ann" and row.kind != "revoke" and not row.revoked]
    return [(row.clip_id, row.label, row.value, row.kind) for row in reversed(rows)]


def suggest(
    project: Project, *, labels: Sequence[str] = ("high", "low"), accuracy: float | None = 0.9, ear: str | None = None
) -> str:
    """Give the project a model, or an ear, that holds every open clip for the first label; return its uid."""
    with project.open_store() as store:
        model_id = models.add(
            store,
            parent_id=None,
            card={
                "architecture": models.BORROWED if ear else "none",
                "ear": ear,
                "labels_seen": 2,
                "clip_accuracy": accuracy,
                "int8_clip_accuracy": accuracy,
            },
            journal_mark=journal.mark(store),
            publish=lambda _: None,
        )
        shares = {label: share for label, share in zip(labels, (0.75, 0.25), strict=True)}
        models.replace_suggestions(
            store, [Suggestion(open_clip.id, model_id, shares) for open_clip in clips.unanswered(store)]
        )
        return models.uid(store, model_id)
