"""Labels, people, notes and file names are data: in every view and every page over it they are shown as text."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from helpers.app import STRANGE_LABELS, answer, opened, shows, until
from helpers.store import replace_suggestions
from helpers.tones import tone_writer
from labeltool.importers import audio_files
from labeltool.project import Project
from labeltool.records import Suggestion
from labeltool.store import clips, journal, models
from labeltool.store.importing import import_records
from labeltool.tui.app import LabelApp
from labeltool.tui.dialogs.palette import Palette

EVE = "[red]eve[/red]"
NOTE = "[b]n[/]"
MARKUP = STRANGE_LABELS[:3]


@pytest.fixture
def strange(new_project: Callable[[Path], Project], tmp_path: Path) -> Project:
    """A project in which nothing has a harmless name."""
    write = tone_writer(tmp_path / "[b]sounds")
    for place, name in enumerate(
        ("[b]a.wav", "[red]b.wav", "[@click=app.quit]c.wav", "🦉.wav", "طائر.wav", "\x07.wav")
    ):
        write(name, frequency_hz=300.0 * (place + 1), seconds=0.5)
    # A name over two lines.
    project = new_project(tmp_path / "[bold]p\nq")
    with project.open_store() as store:
        import_records(store, audio_files.read([tmp_path / "[b]sounds"], None, None), kind="audio", source="[/]")
        first, second, *_ = (clip.id for clip in clips.all_clips(store))
        for label in STRANGE_LABELS:
            journal.annotate(store, first, label, annotator=EVE)
        journal.note(store, first, NOTE, annotator=EVE)
        # Two people disagree, and a model contradicts: both are reviewed.
        journal.annotate(store, second, "[red]x[/red]", annotator=EVE)
        journal.annotate(store, second, "a[/]b", annotator="b[/]ob")
        model_id = models.add(
            store,
            models.NewModel("[b]", "{}", 9, 0.9, 0.9),
            parent_id=None,
            journal_mark=journal.newest_id(store),
            publish=lambda _: None,
        )
        shares = {"[@click=app.quit]x": 0.6, "a[/]b": 0.3, "two\nlines": 0.1}
        replace_suggestions(store, [Suggestion(clip.id, model_id, shares) for clip in clips.all_clips(store)])
    return project


def painted(app: LabelApp) -> str:
    """All that is on the screen, as text; spaces aside, for cells of one line lie apart in the picture."""
    svg = app.export_screenshot()
    return re.sub(r"\s+", "", html.unescape(re.sub(r"<style>.*?</style>|<[^>]+>", "", svg, flags=re.DOTALL)))


async def sees(app: LabelApp, pilot: Pilot[None], *content: str) -> None:
    for text in content:
        wanted = re.sub(r"\s+", "", text)
        await until(pilot, lambda: wanted in painted(app), f"{text!r}; on the screen: {painted(app)}")  # noqa: B023
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", painted(app))


@pytest.mark.parametrize("size", [(130, 40), (40, 12), (20, 8)])
@pytest.mark.parametrize(
    ("key", "name", "content"),
    [
        ("A", "label", ("[@click=app.quit]x", "a[/]b", "two⏎lines")),
        ("S", "batch_review", ("[@click=app.quit]x",)),
        ("R", "review", ("a[/]b", "[red]x[/red]", EVE, "b[/]ob", "[bold]p")),
        ("B", "browse", ("[b]a.wav", "[red]b.wav", "[@click=app.quit]c.wav", "طائر.wav", "a[/]b")),
        ("w", "regions", ("[@click=app.quit]x",)),
    ],
)
async def test_everything_strange_is_text_in_every_view(
    strange: Project, key: str, name: str, content: tuple[str, ...], size: tuple[int, int]
) -> None:
    async with opened(strange, size=size) as (app, _, pilot):
        content, labels = (content, MARKUP) if size[0] > 100 else ((), ())
        await pilot.press(key)
        await until(pilot, lambda: app.current_mode == name, "the view")
        if name == "regions":
            await pilot.press("i", "right", "right", "o")
        await until(
            pilot, lambda: app.current_view is not None and app.current_view.current is not None, "its first clip"
        )
        await sees(app, pilot, *content)
        below = app.screen
        for page, seen in (("slash", labels), ("N", ()), ("question_mark", ()), ("P", ()), ("colon", ())):
            await pilot.press(page)
            await until(pilot, lambda: app.screen is not below, f"the page of {page}")
            await sees(app, pilot, *seen)
            # A note, or what is sought.
            await pilot.press(*("[/x]", "enter") if page == "N" else "[/", "escape")
            await until(pilot, lambda: app.screen is below, f"the end of {page}")
        for answer in ("m", "1", "x", "2", "u", "U", "1"):
            await pilot.press(answer)
        await sees(app, pilot)
        assert app.is_running
    with strange.open_store() as store:
        written = {row.label for row in journal.rows(store) if row.annotator == "ann" and row.label is not None}
    assert written <= set(MARKUP[:2]) and bool(written) == (name != "regions")


async def test_a_strange_label_of_the_palette_is_text_in_the_notice(strange: Project) -> None:
    async with opened(strange) as (_, screen, pilot):
        await shows(pilot, Palette, "slash")
        await pilot.press(*"a[/]")
        await answer(screen, pilot, "enter")
        assert "a[/]b" in screen.notice.text


async def test_a_strange_note_is_text_beside_the_clip(strange: Project) -> None:
    async with opened(strange, size=(130, 40)) as (app, _, pilot):
        await pilot.press("B")
        await until(pilot, lambda: app.current_mode == "browse", "the list")
        await sees(app, pilot, f"✎ {NOTE}")
