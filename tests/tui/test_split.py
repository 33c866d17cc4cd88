"""A label is split in the app: its clips are labelled again with new names, those that sound alike on one page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from helpers.app import opened, shows, text_of, until
from helpers.store import current
from helpers.tones import tone_writer
from labeltool.importers import audio_files
from labeltool.project import Project
from labeltool.store import Store, clips, journal
from labeltool.store.importing import import_records
from labeltool.store.journal_rows import append
from labeltool.store.label_acts import changes, split_queue
from labeltool.tui.app import LabelApp
from labeltool.tui.background.comparer import Comparison
from labeltool.tui.dialogs.labels import LabelRows, LabelsScreen
from labeltool.tui.dialogs.prompts import Confirm, TextPrompt
from labeltool.tui.screens.pages.split import SplitScreen

CLIPS = 40


@pytest.fixture
def birds(project: Project, tmp_path: Path) -> Project:
    """Forty clips that are all `bird`: half of them low tones, half high ones; and an unlabelled one."""
    write = tone_writer(tmp_path / "sounds")
    for number in range(CLIPS + 1):
        pitch = (300.0 if number % 2 else 5000.0) * (1 + 0.002 * number)
        write(f"{number:02}.wav", frequency_hz=pitch, seconds=0.25)
    with project.open_store() as store:
        import_records(store, audio_files.read([tmp_path / "sounds"], None, None), kind="audio", source="made up")
        for clip in clips.all_clips(store)[:CLIPS]:
            journal.annotate(store, clip.id, "bird", annotator="before")
    return project


class Keys:
    """Presses keys and counts them."""

    def __init__(self, pilot: Pilot[None]) -> None:
        self.pilot, self.pressed = pilot, list[str]()

    async def press(self, *keys: str) -> None:
        self.pressed += keys
        await self.pilot.press(*keys)


@asynccontextmanager
async def splitting(project: Project, *, is_sorted: bool = True) -> AsyncIterator[tuple[LabelApp, SplitScreen, Keys]]:
    """Open the app, split `bird` into robin and owl, and wait for the first page; not sorted: as where that fails."""
    async with opened(project, size=(110, 34)) as (app, _, pilot):
        if not is_sorted:
            fail_to_sort(app)
        keys = Keys(pilot)
        await keys.press("f3")
        await until(pilot, lambda: isinstance(app.screen, LabelsScreen), "the labels")
        rows = app.screen.query_one(LabelRows)
        await until(pilot, lambda: rows.count and rows.selected.name == "bird", "the label")
        await keys.press("s")
        await until(pilot, lambda: isinstance(app.screen, TextPrompt) and app.screen.query(Input), "the new names")
        await keys.press(*"robin,owl", "enter")
        await until(pilot, lambda: isinstance(app.screen, Confirm) and app.screen.query(Static), "the question")
        question = f"Label {CLIPS} clips of bird again as robin, owl?"
        await until(pilot, lambda: question in text_of(app.screen.query_one(Static)), "what it concerns")
        await keys.press("a")
        screen = await shows(pilot, SplitScreen)
        await until(pilot, lambda: screen.clips.ids and not screen.busy, "the first page")
        yield app, screen, keys


def fail_to_sort(app: LabelApp) -> None:
    """Let clustering fail, which takes a process and seconds."""

    def group(count: int, split: str = "") -> bool:
        app.call_later(app.show_comparison, Comparison(failure="no sound"))
        return True

    app.services.comparer.group = group  # type: ignore[method-assign]


async def answer(screen: SplitScreen, keys: Keys, is_low: dict[int, bool]) -> list[int]:
    """Label the clips of the page that are like most of them, reject the others; return the labelled ones."""
    page, pilot = list(screen.clips.ids), keys.pilot
    low = sum(is_low[clip_id] for clip_id in page) * 2 >= len(page)
    for place, clip_id in enumerate(page):
        if is_low[clip_id] is not low:
            while screen.clips.place != place:
                await keys.press("down")
            await keys.press("x")
    label = "owl" if low else "robin"
    await keys.press(next(choice.key for choice in screen.choices if choice.label == label))
    await until(pilot, lambda: list(screen.clips.ids) != page, "another page")
    await until(pilot, lambda: not screen.busy or not screen.clips.ids, "its clip")
    return [clip_id for clip_id in page if is_low[clip_id] is low]


async def test_the_labels_show_a_parent_and_what_is_left_of_a_split(birds: Project) -> None:
    with birds.open_store() as store:
        changes.split(store, "bird", ["robin", "owl"], annotator="ann")
        changes.set_parent(store, "robin", "bird", annotator="ann")
    async with opened(birds, size=(110, 34)) as (app, _, pilot):
        await shows(pilot, LabelsScreen, "f3")
        rows = app.screen.query_one(LabelRows)
        await until(pilot, lambda: f"bird (split: {CLIPS} left)" in text_of(rows), "the clips left")
        assert "robin < bird" in text_of(rows)


def current_clips(store: Store) -> set[int]:
    return {clip_id for clip_id, _ in current(store)}


def has_question(app: LabelApp) -> bool:
    """Whether a question is on the screen."""
    return isinstance(app.screen, Confirm)


async def test_a_label_of_40_clips_is_split_into_two_with_few_keys_and_undo_brings_it_back(
    birds: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    with birds.open_store() as store:
        is_low = {clip.id: bool(int(Path(clip.path).stem) % 2) for clip in clips.all_clips(store)}
        before = current(store)
        async with splitting(birds) as (app, screen, keys):
            pilot, begun = keys.pilot, len(keys.pressed)
            assert [choice.label for choice in screen.choices] == ["robin", "owl"]
            assert f"{CLIPS} left" in text_of(screen._title)
            labelled = app.services.state.labelled
            first = await answer(screen, keys, is_low)
            assert clips.counts(store).labels["bird"] == CLIPS - len(first)
            assert f"{CLIPS - len(first)} left" in text_of(screen._title)
            # One undo brings the old label back on all of the page.
            await pilot.press("u")
            await until(pilot, lambda: set(first) <= set(screen.clips.ids) and not screen.busy, "the page again")
            assert current(store) == before and app.services.state.label_counts["bird"] == CLIPS
            while not has_question(app):
                await answer(screen, keys, is_low)
                await until(pilot, lambda: screen.clips.ids or has_question(app), "what is left")
            assert app.services.state.labelled == labelled
            pages = len(keys.pressed) - begun
            with capsys.disabled():
                print(f"\n{CLIPS} clips of a label split into two: {begun} keys to begin, {pages} keys to label them")
            # One key a clip is what labelling them one by one takes.
            assert pages < CLIPS / 2
            present = {clip: label for (clip, label), value in current(store).items() if value == "present"}
            assert present == {clip: "owl" if is_low[clip] else "robin" for clip, label in before if label == "bird"}
            assert "No clip is left of bird: retire it?" in text_of(app.screen.query_one(Static))
            await pilot.press("a")
            await until(pilot, lambda: clips.label_names(store) == ["robin", "owl"], "the label is retired")
            await until(pilot, lambda: app.screen is screen, "the view")
            await pilot.press("u")
            await until(pilot, lambda: "bird" in clips.label_names(store), "it is back")
        # Undo of everything ends the split, and every clip has the old label.
        while journal.undo(store, annotator="ann") is not None:
            pass
        assert current(store) == before and split_queue.splits(store) == []


async def test_a_split_goes_on_after_the_app_was_closed_and_bounds_are_kept(birds: Project) -> None:
    with birds.open_store() as store:
        with store.transaction() as connection:
            row = {"kind": "verdict", "clip_id": 1, "label": "bird", "value": "present", "annotator": "before"}
            for start_s in (0.0, 0.1):
                append(connection, **row, origin="human", start_s=start_s, end_s=start_s + 0.1, low_hz=5.0)
        async with splitting(birds, is_sorted=False) as (_, screen, keys):
            assert screen.notice.text == "not sorted by similarity: no sound"
            assert list(screen.clips.ids) == sorted(current_clips(store))[: len(screen.clips.ids)]
            await keys.press("q")
        (split,) = split_queue.splits(store)
        assert len(split.left) == CLIPS
        split_queue.label_again(store, split, {1: "owl", 2: "bird"}, annotator="bob", response_ms=10)
        bounds = store.connection.execute(
            "SELECT start_s, low_hz FROM active_events WHERE clip_id = 1 AND label = 'owl' ORDER BY id"
        ).fetchall()
        assert [tuple(one) for one in bounds] == [(0.0, 5.0), (0.1, 5.0)]
        async with opened(birds, size=(110, 34)) as (app, _, pilot):
            fail_to_sort(app)
            await shows(pilot, LabelsScreen, "f3")
            rows = app.screen.query_one(LabelRows)
            await until(pilot, lambda: rows.count and rows.selected.name == "bird", "the label")
            again = await shows(pilot, SplitScreen, "s")
            # A clip that stays what it was is done as well.
            await until(pilot, lambda: again.clips.ids and f"{CLIPS - 2} left" in text_of(again._title), "the rest")
