"""Labels, people, notes and file names are data: in every way to work and every page over it they are shown as text."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
from conftest import tone_writer
from room_helpers import STRANGE_LABELS, opened, until
from textual.pilot import Pilot

from labeltool import project as projects
from labeltool.importers import audio_files
from labeltool.project import Project
from labeltool.records import Suggestion
from labeltool.store import clips, journal, models
from labeltool.store.importing import take_in
from labeltool.tui.app import Room

EVE = "[red]eve[/red]"
NOTE = "[b]n[/]"
MARKUP = STRANGE_LABELS[:3]


@pytest.fixture
def strange(tmp_path: Path) -> Project:
    """A project in which nothing has a harmless name."""
    write = tone_writer(tmp_path / "[b]sounds")
    for place, name in enumerate(
        ("[b]a.wav", "[red]b.wav", "[@click=app.quit]c.wav", "🦉.wav", "طائر.wav", "\x07.wav")
    ):
        write(name, frequency_hz=300.0 * (place + 1), seconds=0.5)
    # A name over two lines.
    project = projects.create(tmp_path / "[bold]p\nq")
    with project.open_store() as store:
        take_in(store, audio_files.read([tmp_path / "[b]sounds"], None, None), kind="audio", source="[/]")
        first, second, *_ = (clip.id for clip in clips.all_clips(store))
        for label in STRANGE_LABELS:
            journal.say(store, first, label, annotator=EVE)
        journal.note(store, first, NOTE, annotator=EVE)
        # Two people disagree, and a model contradicts: both are reviewed.
        journal.say(store, second, "[red]x[/red]", annotator=EVE)
        journal.say(store, second, "a[/]b", annotator="b[/]ob")
        model_id = models.add(
            store,
            parent_id=None,
            card={"architecture": "[b]", "labels_seen": 9, "clip_accuracy": 0.9, "int8_clip_accuracy": 0.9},
            journal_mark=journal.mark(store),
            publish=lambda _: None,
        )
        shares = {"[@click=app.quit]x": 0.6, "a[/]b": 0.3, "two\nlines": 0.1}
        models.replace_suggestions(store, [Suggestion(clip.id, model_id, shares) for clip in clips.all_clips(store)])
    return project


def painted(room: Room) -> str:
    """All that is on the screen, as text; spaces aside, for cells of one line lie apart in the picture."""
    svg = room.export_screenshot()
    return re.sub(r"\s+", "", html.unescape(re.sub(r"<style>.*?</style>|<[^>]+>", "", svg, flags=re.DOTALL)))


async def sees(room: Room, pilot: Pilot[None], *told: str) -> None:
    for text in told:
        wanted = re.sub(r"\s+", "", text)
        await until(pilot, lambda: wanted in painted(room), f"{text!r}; on the screen: {painted(room)}")  # noqa: B023
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", painted(room))


@pytest.mark.parametrize("size", [(130, 40), (40, 12)])
@pytest.mark.parametrize(
    ("key", "name", "told"),
    [
        ("A", "ask", ("[@click=app.quit]x", "a[/]b", "two⏎lines")),
        ("S", "sweep", ("[@click=app.quit]x",)),
        ("R", "review", ("a[/]b", "[red]x[/red]", EVE, "b[/]ob", "[bold]p")),
        ("B", "browse", ("[b]a.wav", "[red]b.wav", "[@click=app.quit]c.wav", "طائر.wav")),
        ("w", "spans", ("[@click=app.quit]x",)),
    ],
)
async def test_everything_strange_is_text_in_every_way_to_work(
    strange: Project, key: str, name: str, told: tuple[str, ...], size: tuple[int, int]
) -> None:
    async with opened(strange, size=size) as (room, _, pilot):
        told, labels = (told, MARKUP) if size[0] > 100 else ((), ())
        await pilot.press(key)
        await until(pilot, lambda: room.current_mode == name, "the way to work")
        if name == "spans":
            await pilot.press("i", "right", "right", "o")
        await until(pilot, lambda: room.desk is not None and room.desk.now is not None, "its first clip")
        await sees(room, pilot, *told)
        below = room.screen
        for page, seen in (("slash", labels), ("N", ()), ("question_mark", ()), ("P", ()), ("colon", ())):
            await pilot.press(page)
            await until(pilot, lambda: room.screen is not below, f"the page of {page}")
            await sees(room, pilot, *seen)
            # A note, or what is sought.
            await pilot.press(*("[/x]", "enter") if page == "N" else "[/", "escape")
            await until(pilot, lambda: room.screen is below, f"the end of {page}")
        for answer in ("m", "1", "a", "2", "u", "U", "1"):
            await pilot.press(answer)
        await sees(room, pilot)
        assert room.is_running


async def test_a_strange_note_is_text_beside_the_clip(strange: Project) -> None:
    async with opened(strange, size=(130, 40)) as (room, _, pilot):
        await pilot.press("B")
        await until(pilot, lambda: room.current_mode == "browse", "the list")
        await sees(room, pilot, f"✎ {NOTE}")
