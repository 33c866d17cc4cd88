"""The labelling room, driven by keys through Textual's pilot over small real projects."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import room_helpers
from room_helpers import (
    DEADLINE_S,
    STRANGE_LABELS,
    answer,
    opened,
    picture,
    suggest,
    text_of,
    until,
    verdicts,
)
from textual.widgets import Static

from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.store import Store, clips, journal
from labeltool.tui import run, session
from labeltool.tui.app import Room
from labeltool.tui.background.prefetch import Delivery
from labeltool.tui.keys import WAYS
from labeltool.tui.screens.ask import AskScreen
from labeltool.tui.screens.browse import BrowseScreen
from labeltool.tui.screens.class_mapping import MappingScreen
from labeltool.tui.screens.clusters import ClustersScreen
from labeltool.tui.screens.palette import Choices, Palette
from labeltool.tui.screens.review import ReviewScreen
from labeltool.tui.screens.spans import SpansScreen
from labeltool.tui.screens.stopwatch import Stopwatch
from labeltool.tui.screens.sweep import SweepScreen
from labeltool.tui.widgets.spectrogram import Spectrogram
from labeltool.tui.widgets.suggestions import Suggestions
from labeltool.tui.widgets.waveform import Waveform

room_project = room_helpers.room_project
reading = room_helpers.reading

SCREENS = {
    **{"ask": AskScreen, "sweep": SweepScreen, "clusters": ClustersScreen, "review": ReviewScreen},
    **{"browse": BrowseScreen, "spans": SpansScreen, "mapping": MappingScreen},
}

# -- answering


async def test_a_clip_is_painted_with_its_frequencies_its_waveform_and_the_labels_used_most(
    room_project: Project,
) -> None:
    async with opened(room_project) as (_, screen, pilot):
        await until(pilot, lambda: "1k" in picture(screen), "the axis")
        assert "▀" in picture(screen)
        assert any(0x2800 < ord(letter) < 0x2900 for letter in text_of(screen.query_one(Waveform)))
        await until(pilot, lambda: "low" in text_of(screen.query_one(Suggestions)), "the labels")
        assert [offer.label for offer in screen.offers] == ["low", "high"]


async def test_each_key_writes_its_verdict(room_project: Project, reading: Store) -> None:
    async with opened(room_project) as (_, screen, pilot):
        await until(pilot, lambda: screen.offers, "labels")
        asked = []
        for key in ("2", "n", "x", "b"):
            assert screen.now is not None
            asked.append(screen.now.clip.id)
            await answer(screen, pilot, key)
    assert len(set(asked)) == 4
    assert verdicts(reading) == [
        (asked[0], "high", "present", "verdict"),
        (asked[1], None, "absent", "verdict"),
        (asked[2], None, "unsure", "verdict"),
        (asked[3], None, None, "bad audio"),
    ]
    took = [row.took_ms for row in journal.rows(reading) if row.annotator == "ann"]
    assert all(milliseconds is not None and 0 <= milliseconds < 60_000 for milliseconds in took)


async def test_enter_takes_the_models_first_and_the_journal_says_whose_suggestion_it_was(
    room_project: Project, reading: Store
) -> None:
    uid = suggest(room_project)
    async with opened(room_project) as (_, screen, pilot):
        assert "model 1" in text_of(screen.query_one(Suggestions))
        assert "75%" in text_of(screen.query_one(Suggestions))
        await answer(screen, pilot, "enter")
        await pilot.press("slash")
        await answer(screen, pilot, *"low", "enter")
    said = reading.connection.execute(
        "SELECT label, origin, model_uid FROM journal WHERE annotator = 'ann' ORDER BY id"
    ).fetchall()
    assert [tuple(row) for row in said] == [("high", "suggestion", uid), ("low", "human", None)]


async def test_the_next_clip_is_not_drawn_before_the_answer_is_on_the_disk(
    room_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk_is_done = threading.Event()
    really_say = journal.say

    def slow_disk(*given: Any, **named: Any) -> str:
        assert disk_is_done.wait(DEADLINE_S)
        return really_say(*given, **named)

    monkeypatch.setattr(session.journal, "say", slow_disk)
    async with opened(room_project) as (_, screen, pilot):
        await until(pilot, lambda: screen.offers, "labels")
        before = screen.now
        pressing = asyncio.create_task(pilot.press("1"))
        for _ in range(20):
            await asyncio.sleep(0.01)
        assert screen.now is before
        disk_is_done.set()
        await pressing
        await until(pilot, lambda: screen.now is not before, "the next clip")


async def test_a_queue_made_before_an_answer_does_not_bring_the_clip_back(room_project: Project) -> None:
    async with opened(room_project) as (_, screen, pilot):
        await until(pilot, lambda: screen.offers, "labels")
        answered = screen.now
        assert answered is not None
        await until(pilot, lambda: len(screen._line._ready) == 3, "the queue")
        request = screen._request
        # As if the thread were still at that request when the answer is given.
        stale = Delivery(request=request, queue=(answered,), complete=False)
        screen._line._ready.clear()
        with patch.object(screen, "look_again"):
            await pilot.press("n")
            await until(pilot, lambda: screen.now is None, "the clip to be gone")
            screen.take_delivery(stale)
            assert screen.now is None


async def test_when_the_journal_refuses_the_clip_stays_and_the_reason_is_shown(
    room_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_: Any, **__: Any) -> str:
        raise LabeltoolError("the disk is full; nothing was stored")

    monkeypatch.setattr(session.journal, "say", full_disk)
    async with opened(room_project) as (_, screen, pilot):
        before = screen.now
        await pilot.press("n")
        await until(pilot, lambda: "disk is full" in screen.notice.text, "the reason")
        assert screen.now is before


async def test_undo_returns_to_the_clip_and_then_to_the_one_it_left_also_after_a_restart(
    room_project: Project, reading: Store
) -> None:
    async with opened(room_project) as (_, screen, pilot):
        await until(pilot, lambda: screen.offers, "labels")
        assert screen.now is not None
        first = screen.now.clip.id
        await answer(screen, pilot, "1")
        assert screen.now is not None
        second = screen.now.clip.id
    async with opened(room_project) as (_, screen, pilot):
        await until(pilot, lambda: screen.offers, "labels")
        assert screen.now is not None
        assert screen.now.clip.id == second
        assert screen.services.state.labelled == 2
        await answer(screen, pilot, "u")
        assert screen.now.clip.id == first
        assert screen.services.state.labelled == 1
        assert verdicts(reading) == []
        await answer(screen, pilot, "2")
        assert screen.now is not None
        assert screen.now.clip.id == second
    assert verdicts(reading) == [(first, "high", "present", "verdict")]


async def test_redo_says_again_what_undo_took_back_and_goes_on(room_project: Project, reading: Store) -> None:
    async with opened(room_project) as (_, screen, pilot):
        await until(pilot, lambda: screen.offers, "labels")
        assert screen.now is not None
        first = screen.now.clip.id
        await answer(screen, pilot, "1")
        await answer(screen, pilot, "u")
        await answer(screen, pilot, "U")
        assert screen.now is not None and screen.now.clip.id != first
        await pilot.press("U")
        await until(pilot, lambda: "nothing to say again" in screen.notice.text, "the notice")
    assert verdicts(reading) == [(first, "low", "present", "verdict")]


async def test_undo_with_nothing_to_take_back_says_so(room_project: Project) -> None:
    async with opened(room_project) as (_, screen, pilot):
        await pilot.press("u")
        await until(pilot, lambda: "nothing to take back" in screen.notice.text, "the notice")


async def test_several_labels_and_what_it_is_not_stay_on_the_clip_until_one_goes_on(
    room_project: Project, reading: Store
) -> None:
    async with opened(room_project) as (_, screen, pilot):
        await until(pilot, lambda: screen.offers, "labels")
        assert screen.now is not None
        here = screen.now.clip.id
        await pilot.press("a")
        assert "What is it not?" in text_of(screen.query_one(Suggestions))
        await pilot.press("1")
        await until(pilot, lambda: "✗ low" in text_of(screen.query_one(Suggestions)), "the word against it")
        await pilot.press("m", "2")
        await until(pilot, lambda: "✓ high" in text_of(screen.query_one(Suggestions)), "the first of several")
        assert screen.now is not None
        assert screen.now.clip.id == here
        await answer(screen, pilot, "s")
    assert verdicts(reading) == [(here, "low", "absent", "verdict"), (here, "high", "present", "verdict")]


async def test_a_skipped_clip_comes_again_when_the_others_are_done(room_project: Project, reading: Store) -> None:
    async with opened(room_project) as (_, screen, pilot):
        assert screen.now is not None
        skipped = screen.now.clip.id
        await answer(screen, pilot, "s")
        for _ in range(3):
            assert screen.now is not None
            assert screen.now.clip.id != skipped
            await answer(screen, pilot, "n")
        assert screen.now is not None
        assert screen.now.clip.id == skipped


async def test_a_key_held_down_answers_one_clip(room_project: Project, reading: Store) -> None:
    async with opened(room_project, repeat_s=30.0) as (_, screen, pilot):
        await answer(screen, pilot, "n")
        await pilot.press("n", "n", "n")
        await until(pilot, lambda: "counted once" in screen.notice.text, "the notice")
        await answer(screen, pilot, "x")
    assert [value for _, _, value, _ in verdicts(reading)] == ["absent", "unsure"]


async def test_when_nothing_is_left_it_says_so_and_undo_still_works(room_project: Project) -> None:
    async with opened(room_project) as (_, screen, pilot):
        for _ in range(4):
            await answer(screen, pilot, "n")
        assert screen.now is None
        await pilot.press("1", "enter", "s", "x", "slash", "m", "space", "right", "plus")
        assert "Nothing is left" in picture(screen)
        await answer(screen, pilot, "u")
        assert screen.now is not None


async def test_what_was_said_before_is_shown(room_project: Project) -> None:
    with room_project.open_store() as store:
        open_clip = clips.unanswered(store)[0].id
        for other in clips.unanswered(store)[1:]:
            journal.set_aside(store, other.id, "bad audio", annotator="bob")
        journal.set_aside(store, open_clip, "skip", annotator="bob")
    async with opened(room_project) as (_, screen, _pilot):
        beside = text_of(screen.query_one(Suggestions))
        assert "skipped" in beside
        assert "bob" in beside


# -- labels are data


async def test_a_new_label_is_made_in_place_and_offered_from_then_on(room_project: Project, reading: Store) -> None:
    async with opened(room_project) as (room, screen, pilot):
        await pilot.press("slash")
        await until(pilot, lambda: isinstance(room.screen, Palette), "the palette")
        await pilot.press(*"owl")
        assert "new label: owl" in text_of(room.screen.query_one(Choices))
        await answer(screen, pilot, "enter")
        await until(pilot, lambda: "owl" in [offer.label for offer in screen.offers], "the label among the offers")
    assert [label for _, label, _, _ in verdicts(reading)] == ["owl"]


async def test_leaving_the_palette_says_nothing(room_project: Project, reading: Store) -> None:
    async with opened(room_project) as (room, screen, pilot):
        before = screen.now
        await pilot.press("slash", *"owl", "escape")
        await until(pilot, lambda: room.screen is screen, "the room")
        assert screen.now is before
    assert verdicts(reading) == []


@pytest.mark.parametrize("size", [(100, 30), (80, 24), (20, 8)])
async def test_strange_labels_are_text_everywhere(room_project: Project, reading: Store, size: tuple[int, int]) -> None:
    with room_project.open_store() as store:
        said_of = clips.all_clips(store)[0].id
        for label in STRANGE_LABELS:
            journal.say(store, said_of, label, annotator="before")
        journal.undo(store, annotator="before")
    async with opened(room_project, size=size) as (room, screen, pilot):
        await until(pilot, lambda: len(screen.offers) == 9, "labels")
        if size[0] >= 80:
            beside = text_of(screen.query_one(Suggestions))
            for label in ("a[/]b", "[red]x[/red]", "[@click=app.quit]x"):
                assert label in beside
            assert "two⏎lines" in beside
            assert "\x1b" not in beside
        await pilot.press("slash")
        await until(pilot, lambda: isinstance(room.screen, Palette), "the palette")
        await pilot.press(*"[/]")
        await answer(screen, pilot, "enter")
        assert "a[/]b" in screen.notice.text
        strange = [place for place, offer in enumerate(screen.offers, 1) if offer.label in STRANGE_LABELS]
        for place in strange[:2]:
            await pilot.press("m", str(place))
        await pilot.press("a", "question_mark", "escape", "escape")
        await answer(screen, pilot, "u")
        room.export_screenshot()
    assert len(verdicts(reading)) == 2


# -- what goes wrong


async def test_a_missing_file_is_told_in_a_line_and_labelling_goes_on(room_project: Project, reading: Store) -> None:
    for lost in (room_project.directory.parent / "sounds").glob("*.wav"):
        lost.unlink()
    async with opened(room_project) as (_, screen, pilot):
        assert screen.now is not None
        name = Path(screen.now.clip.path).name
        assert "cannot be played" in picture(screen)
        assert name in picture(screen).replace("\n", "").replace(" ", "")
        await pilot.press("space", "r", "l", "left", "c", "full_stop")
        await answer(screen, pilot, "b")
        await answer(screen, pilot, "s")
        assert screen.now is not None
    assert [kind for *_, kind in verdicts(reading)] == ["bad audio", "skip"]


def test_without_a_terminal_it_names_the_command_for_scripts(room_project: Project) -> None:
    with pytest.raises(LabeltoolError, match=r"needs a terminal.*labeltool mark"):
        run(room_project, annotator="ann")


def test_a_project_without_clips_is_told_how_to_import(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with pytest.raises(LabeltoolError, match=r"no clips yet.*labeltool import"):
        run(project, annotator="ann")


def test_the_screens_process_loads_no_tensorflow_librosa_or_pandas(room_project: Project) -> None:
    program = f"""
import asyncio, pathlib, sys
from labeltool import project
from labeltool.tui.app import Room

async def visit():
    room = Room(project.find(pathlib.Path({str(room_project.directory)!r})), annotator="ann")
    async with room.run_test() as pilot:
        while room.screen.now is None or room.services.player.position_s == 0:
            await pilot.pause(0.01)
    room.close()

asyncio.run(visit())
print([name for name in ("tensorflow", "keras", "librosa", "pandas", "sqlite_utils") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, env={**os.environ}, check=False
    )
    assert done.stdout.strip() == "[]", done.stderr


async def test_the_stopwatch_tells_of_this_sitting_and_of_all(room_project: Project, reading: Store) -> None:
    suggest(room_project)
    with room_project.open_store() as store:
        journal.say(store, clips.all_clips(store)[-1].id, "high", annotator="ann", took_ms=4000)
    async with opened(room_project) as (room, screen, pilot):
        await answer(screen, pilot, "enter")
        await answer(screen, pilot, "2")
        await pilot.press("P")
        await until(pilot, lambda: isinstance(room.screen, Stopwatch), "the page")
        page = text_of(room.screen.query_one(Static))
        assert re.search(r"clips answered +2 +3\n", page)
        assert re.search(r"first suggestion was right +50% +50%", page)
        await pilot.press("escape")
        assert room.screen is screen


# -- looking and listening


async def test_a_resize_to_80_by_24_and_back_keeps_the_clip_and_the_picture(room_project: Project) -> None:
    async with opened(room_project, size=(140, 40)) as (_, screen, pilot):
        before = screen.now
        for size in ((80, 24), (40, 10), (140, 40)):
            await pilot.resize_terminal(*size)
            await until(pilot, lambda: "▀" in picture(screen), f"a picture at {size}")
            widths = {screen.query_one(Spectrogram).render_line(y).cell_length for y in range(3)}
            assert widths == {screen.query_one(Spectrogram).size.width}
        assert screen.now is before


async def test_without_colour_the_picture_is_drawn_in_ink(
    room_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with opened(room_project) as (room, screen, pilot):
        await until(pilot, lambda: "1k" in picture(screen), "the axis")
        assert "█" in picture(screen)
        assert "▀" not in picture(screen)
        painted = [segment.style for line in room.screen._compositor.render_strips() for segment in line]
        colours = {style.color.name for style in painted if style and style.color}
        assert colours <= {"default"}


async def test_the_theme_changes_the_pictures_colours(room_project: Project) -> None:
    async with opened(room_project) as (_, screen, pilot):
        spectrogram = screen.query_one(Spectrogram)
        dark = [segment.style for segment in spectrogram.render_line(5)]
        await pilot.press("T")
        await until(pilot, lambda: [s.style for s in spectrogram.render_line(5)] != dark, "the light colours")


async def test_contrast_and_brightness_change_the_picture(room_project: Project) -> None:
    async with opened(room_project) as (_, screen, pilot):
        seen = {picture(screen)}
        for key in ("c", "full_stop", "full_stop", "comma"):
            await pilot.press(key)
            seen.add(picture(screen))
        assert len(seen) >= 4


async def test_without_a_sound_card_time_goes_on_and_a_badge_says_so(room_project: Project) -> None:
    async with opened(room_project) as (room, screen, pilot):
        player = room.services.player
        player.loop = True
        await until(pilot, lambda: player.silent == "sound off", "the null device")
        began, place = time.monotonic(), player.position_s
        await until(pilot, lambda: time.monotonic() - began > 0.3, "a while")
        went = (player.position_s - place) % 0.5
        assert went == pytest.approx((time.monotonic() - began) % 0.5, abs=0.12)
        await until(pilot, lambda: "sound off" in text_of(screen.query_one("#transport")), "the badge")
        playhead = screen.query_one(Spectrogram).playhead
        await until(pilot, lambda: screen.query_one(Spectrogram).playhead != playhead, "the playhead moving")


async def test_only_the_playheads_columns_are_refreshed(room_project: Project) -> None:
    async with opened(room_project) as (_room, screen, pilot):
        await pilot.press("space")
        spectrogram = screen.query_one(Spectrogram)
        refreshed = []
        spectrogram.refresh = lambda *regions, **_: refreshed.append(regions)  # type: ignore[method-assign,assignment]
        await pilot.press("right", "right")
        await until(pilot, lambda: refreshed, "the playhead")
        assert all(region[0].width == 1 for region in refreshed)


def test_every_key_of_the_help_is_bound_to_an_action_that_exists() -> None:
    for way in WAYS:
        for key in way.keys:
            target, _, action = key.action.partition("(")[0].rpartition(".")
            assert hasattr(Room if target == "app" else SCREENS[way.name], f"action_{action}"), key.name
        bound = [name for key in way.keys for name in key.keys.split(",")]
        assert len(bound) == len(set(bound))
        assert len({key.name for key in way.keys}) == len(way.keys)
        assert all(key.hint for key in way.hinted())
