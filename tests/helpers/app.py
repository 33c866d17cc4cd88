"""Helpers for tests of the app: a small real project, and keys pressed through Textual's pilot."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, TypeVar

from textual.pilot import Pilot
from textual.screen import Screen

from helpers.store import replace_suggestions
from helpers.tones import tone_writer
from helpers.waits import DEADLINE_S
from labeltool.importers import audio_files
from labeltool.project import Project
from labeltool.records import StoredClip, Suggestion
from labeltool.store import Store, clips, journal, models
from labeltool.store.importing import import_records
from labeltool.store.recordings import StoredRecording
from labeltool.tui.app import LabelApp
from labeltool.tui.screens.frame import ViewScreen
from labeltool.tui.screens.label import LabelScreen
from labeltool.tui.screens.list_base import ListScreen
from labeltool.tui.screens.regions import RegionsScreen
from labeltool.tui.widgets.spectrogram import Spectrogram

_Shown = TypeVar("_Shown", bound=Screen[Any])
_List = TypeVar("_List", bound=ListScreen)

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


def fill(project: Project, folder: Path, count: int) -> Project:
    """Take `count` half-second tones into a project."""
    write = tone_writer(folder)
    for place in range(count):
        write(f"tone{place}.wav", frequency_hz=300.0 * (place + 1), seconds=0.5)
    with project.open_store() as store:
        import_records(store, audio_files.read([folder], None, None), kind="audio", source=str(folder))
    return project


@asynccontextmanager
async def opened(
    project: Project, *, size: tuple[int, int] = (100, 30), repeat_s: float = 0.0, wait: bool = True
) -> AsyncIterator[tuple[LabelApp, LabelScreen, Pilot[None]]]:
    """Open the app and wait for its first clip, and the labels."""
    with closing(LabelApp(project, annotator="ann", repeat_s=repeat_s)) as app:
        async with app.run_test(size=size) as pilot:
            screen = app.screen
            assert isinstance(screen, LabelScreen)
            if wait:
                await until(pilot, lambda: screen.current is not None and app.services.state.clips, "a first clip")
            yield app, screen, pilot


async def until(pilot: Pilot[None], condition: Callable[[], Any], what: str) -> None:
    """Wait for something to come true, and then until every widget has handled what it was sent till then."""
    if condition():
        return
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"timed out waiting for {what}"
        await asyncio.sleep(0.01)  # a pause of the pilot at each look would cost more than what is waited for
    await pilot.pause(0)


async def shows(pilot: Pilot[None], kind: type[_Shown], *keys: str) -> _Shown:
    """Press keys, and return the view or dialog that they open."""
    await pilot.press(*keys)
    await until(pilot, lambda: isinstance(pilot.app.screen, kind), kind.__name__)
    screen = pilot.app.screen
    assert isinstance(screen, kind)
    return screen


def clip_on(screen: ViewScreen) -> StoredClip:
    """The clip on the screen."""
    assert screen.current is not None
    return screen.current.clip


async def answer(screen: LabelScreen, pilot: Pilot[None], *keys: str) -> None:
    """Press keys and wait until another clip (or none) is on the screen."""
    before = screen.current
    await pilot.press(*keys)
    await until(pilot, lambda: screen.current is not before, f"the clip after {keys}")
    await until(
        pilot,
        lambda: screen.current is not None or "No unlabelled clips are left" in picture(screen),
        "the clip after it",
    )


def picture(screen: LabelScreen) -> str:
    """What stands in the picture's place, as text."""
    return text_of(screen.query_one(Spectrogram))


def text_of(widget: Any) -> str:
    """A widget's lines as they are painted."""
    return "\n".join(widget.render_line(y).text for y in range(widget.size.height))


def verdicts(store: Store) -> list[tuple[int | None, str | None, str | None, str]]:
    """The annotator's active journal rows, oldest first."""
    rows = [row for row in journal.rows(store) if row.annotator == "ann" and row.kind != "revoke" and not row.revoked]
    return [(row.clip_id, row.label, row.value, row.kind) for row in reversed(rows)]


def suggest(
    project: Project,
    *,
    labels: Sequence[str] = ("high", "low"),
    accuracy: float | None = 0.9,
    pretrained: str | None = None,
) -> str:
    """Give the project a model that predicts the first label for every unlabelled clip; return its uid."""
    with project.open_store() as store:
        model = models.NewModel(
            models.PRETRAINED if pretrained else "none", json.dumps({"pretrained": pretrained}), 2, accuracy, accuracy
        )
        mark = journal.newest_id(store)
        model_id = models.add(store, model, parent_id=None, journal_mark=mark, publish=lambda _: None)
        shares = {label: share for label, share in zip(labels, (0.75, 0.25), strict=True)}
        replace_suggestions(
            store, [Suggestion(open_clip.id, model_id, shares) for open_clip in clips.unlabelled(store)]
        )
        return models.uid(store, model_id)


@asynccontextmanager
async def list_opened(
    project: Project, key: str, kind: type[_List], *, size: tuple[int, int] = (110, 34)
) -> AsyncIterator[tuple[LabelApp, _List, Pilot[None]]]:
    """Open the app and go to a list."""
    async with opened(project, size=size, wait=False) as (app, _, pilot):
        screen = await shows(pilot, kind, key)
        await until(pilot, lambda: screen.clips.ids and not screen.busy, "the first clip of the list")
        await until(pilot, lambda: app.services.state.clips, "the count")
        yield app, screen, pilot


@asynccontextmanager
async def whole(
    project: Project, recording: StoredRecording, *, size: tuple[int, int] = (105, 34)
) -> AsyncIterator[tuple[LabelApp, RegionsScreen, Pilot[None]]]:
    """Open the app on a whole recording."""
    with closing(LabelApp(project, annotator="ann", recording=recording, repeat_s=0.0)) as app:
        async with app.run_test(size=size) as pilot:
            screen = await shows(pilot, RegionsScreen)
            await until(pilot, lambda: screen.overview.playhead is not None, "the playhead")
            await until(pilot, lambda: screen._spans_read, "the labels of the recording")
            yield app, screen, pilot
