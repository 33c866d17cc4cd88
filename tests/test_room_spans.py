"""Spans marked in a whole recording, by keys: what is on the disk and in the label track is what was marked."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
from room_helpers import opened as room_opened
from room_helpers import text_of, until
from terminal_helpers import RealRoom
from test_export_products import export
from test_room_tmux import Terminal
from textual.pilot import Pilot

from labeltool.errors import LabeltoolError
from labeltool.importers import audacity, audio_files
from labeltool.project import Project
from labeltool.records import Suggestion, Value
from labeltool.store import Store, clips, journal, models, recordings, spans
from labeltool.store.importing import take_in
from labeltool.store.recordings import StoredRecording
from labeltool.store.spans import Mark
from labeltool.tui.app import Room
from labeltool.tui.media import open_recording
from labeltool.tui.media.selection import Edge, Marking
from labeltool.tui.media.viewport import Window
from labeltool.tui.screens.spans import SpansScreen
from labeltool.tui.widgets.label_bar import LabelBar
from labeltool.tui.widgets.overview import Overview
from labeltool.tui.widgets.span_lanes import Lanes, arrange, name_of
from labeltool.tui.widgets.spectrogram import Spectrogram
from labeltool.tui.widgets.waveform import Waveform

RATE = 8_000
LONG_S = 600.0
CALL_S = 200.0


@pytest.fixture
def night(project: Project, tmp_path: Path) -> Project:
    """A project with ten minutes of quiet noise in pieces of a minute, and one call of two seconds."""
    rng = np.random.default_rng(3)
    samples = rng.normal(0, 0.001, int(LONG_S * RATE)).astype(np.float32)
    call = np.arange(2 * RATE) / RATE
    samples[int(CALL_S * RATE) :][: len(call)] += (0.5 * np.sin(2 * np.pi * 1500 * call)).astype(np.float32)
    path = tmp_path / "sounds" / "night.flac"
    path.parent.mkdir()
    soundfile.write(path, samples, RATE)
    with project.open_store() as store:
        take_in(store, audio_files.read([path], 60.0, None), kind="audio", source="test")
    return project


@pytest.fixture
def recording(night: Project) -> Iterator[StoredRecording]:
    with night.open_store() as store:
        yield recordings.find_recording(store, "night.flac")


@asynccontextmanager
async def whole(
    project: Project, recording: StoredRecording, *, size: tuple[int, int] = (105, 34)
) -> AsyncIterator[tuple[Room, SpansScreen, Pilot[None]]]:
    """Open the room on a whole recording."""
    room = Room(project, annotator="ann", recording=recording, repeat_s=0.0)
    try:
        async with room.run_test(size=size) as pilot:
            await until(pilot, lambda: isinstance(room.screen, SpansScreen), "the screen")
            screen = room.screen
            assert isinstance(screen, SpansScreen)
            await until(pilot, lambda: screen.overview.playhead is not None, "the playhead")
            yield room, screen, pilot
    finally:
        room.close()


def said(store: Store) -> list[tuple[str | None, float, float, float | None, float | None]]:
    return [
        (span.text, span.start_s, span.end_s, span.low_hz, span.high_hz)
        for on_one in spans.verdicts(store).values()
        for span in on_one
        if span.value is Value.PRESENT
    ]


def bar(screen: SpansScreen) -> str:
    return text_of(screen.query_one(LabelBar))


# -- marking and saying


async def test_a_span_marked_by_keys_is_said_and_goes_out_exactly_where_it_was_marked(
    night: Project, recording: StoredRecording, store: Store
) -> None:
    journal.say(store, clips.all_clips(store)[0].id, "owl", annotator="before")
    async with whole(night, recording) as (_, screen, pilot):
        await until(pilot, lambda: "1 owl" in bar(screen), "the labels")
        await pilot.press("1")
        assert "mark a span first" in screen.notice.text
        # In a window of a minute an arrow is three seconds; a nudge is a column.
        await pilot.press("right", "right", "i", "right", "less_than_sign", "o")
        marked = screen.mark
        assert marked is not None
        assert (marked.start_s, marked.end_s) == (pytest.approx(6.0), pytest.approx(9.0 - 60 / screen.columns))
        assert "0:06.000 – 0:08." in bar(screen)
        await pilot.press("f", "up", "up", "f", "down", "f")
        assert screen.marking.edge is None and "Hz" in bar(screen)
        banded = screen.mark
        assert banded is not None and banded.low_hz is not None and banded.high_hz is not None
        await pilot.press("1")
        await until(pilot, lambda: "owl" in text_of(screen.query_one(Lanes)), "the label on its lane")
        assert "labeltool export --audacity" in screen.notice.text
        (first, owl) = said(store)
        assert first == ("owl", 0.0, 60.0, None, None)
        assert owl == ("owl", 6.0, round(banded.end_s, 6), banded.low_hz, banded.high_hz)
        # Another label on a span of its own.
        await pilot.press("end", "i", "home", "end", "left", "i", "end", "o", "slash", *"wind", "enter")
        await until(pilot, lambda: len(said(store)) == 3, "the second label")
    track = Path(export(night, "audacity")["written"][0]) / "night.txt"
    rows = {(row.label, row.start_s, row.end_s, row.low_hz, row.high_hz) for row in audacity.parse(track).rows}
    assert rows == set(said(store))
    assert ("wind", 597.0, 600.0, None, None) in rows


async def test_undo_brings_the_mark_back_and_redo_its_label(
    night: Project, recording: StoredRecording, store: Store
) -> None:
    async with whole(night, recording) as (_, screen, pilot):
        spans.say_span(store, recording, Mark(301.5, 303.25, 500.0, 900.0), "owl", annotator="ann")
        before = clips.counts(store).clips
        await pilot.press("u")
        await until(pilot, lambda: screen.mark is not None, "the mark")
        assert screen.mark == Mark(301.5, 303.25, 500.0, 900.0)
        assert screen.opened is not None and screen.opened.window.start_s < 301.5 < screen.opened.window.end_s
        assert said(store) == [] and clips.counts(store).clips == before - 1
        await pilot.press("U")
        await until(pilot, lambda: "owl" in text_of(screen.query_one(Lanes)), "the label again")
        assert said(store) == [("owl", 301.5, 303.25, 500.0, 900.0)]
        # The mark moved by a nudge of its end is another span; the first stays as it was said.
        await pilot.press("O", "greater_than_sign", "1")
        await until(pilot, lambda: len(said(store)) == 2, "the second")
        assert said(store)[1][1] == 301.5 and said(store)[1][2] > 303.25


async def test_answering_a_span_again_relabels_it_and_m_adds_to_it(
    night: Project, recording: StoredRecording, store: Store
) -> None:
    for number, label in enumerate(("owl", "fox", "rain")):
        spans.say_span(store, recording, Mark(10.0 + number, 11.0 + number), label, annotator="before")
    async with whole(night, recording) as (_, screen, pilot):
        await until(pilot, lambda: "3 rain" in bar(screen), "the labels")
        await pilot.press("tab")
        assert screen.mark == Mark(10.0, 11.0)
        await pilot.press("2")
        await until(pilot, lambda: ("fox", 10.0, 11.0, None, None) in said(store), "the answer")
        assert ("owl", 10.0, 11.0, None, None) not in said(store)
        await until(pilot, lambda: screen.heard_on(screen.now) == ["fox"] if screen.now else False, "what stands")
        await pilot.press("m", "3")
        await until(pilot, lambda: ("rain", 10.0, 11.0, None, None) in said(store), "the second label")
        assert ("fox", 10.0, 11.0, None, None) in said(store)
        await pilot.press("a")
        assert "it is not" in bar(screen)
        await pilot.press("3")
        await until(pilot, lambda: ("rain", 10.0, 11.0, None, None) not in said(store), "the word that it is not")
        await pilot.press("N", *"two?", "enter")
        await until(pilot, lambda: "✎ two?" in text_of(screen.query_one(Lanes)), "the note")


async def test_a_span_between_two_microseconds_is_relabelled_too_however_fast(
    night: Project, recording: StoredRecording, store: Store
) -> None:
    for number, label in enumerate(("owl", "fox")):
        spans.say_span(store, recording, Mark(10.0 + number, 11.0 + number), label, annotator="before")
    async with whole(night, recording) as (_, screen, pilot):
        await until(pilot, lambda: "2 fox" in bar(screen), "the labels")
        screen.marking.begin(300.0)
        screen.marking.finish(308.3877551020408)
        screen._mark_changed()
        await pilot.press("1", "2")
        await until(pilot, lambda: any(row[:2] == ("fox", 300.0) for row in said(store)), "the second answer")
        assert not any(row[:2] == ("owl", 300.0) for row in said(store))


async def test_tab_goes_through_labels_and_suggestions_and_enter_accepts_one(
    night: Project, recording: StoredRecording, store: Store
) -> None:
    model_id = models.add(
        store,
        parent_id=None,
        card={"architecture": "none", "labels_seen": 2, "clip_accuracy": 0.9, "int8_clip_accuracy": 0.9},
        journal_mark="",
        publish=lambda _: None,
    )
    open_clips = clips.unanswered(store)
    models.replace_suggestions(store, [Suggestion(open_clips[3].id, model_id, {"a[/]b": 0.8, "rain": 0.2})])
    spans.say_span(store, recording, Mark(400.0, 402.0), "rain", annotator="before")
    spans.say_span(store, recording, Mark(500.0, 502.0), "rain", Value.ABSENT, annotator="before")
    async with whole(night, recording) as (_, screen, pilot):
        await until(pilot, lambda: "rain" in bar(screen), "the labels")
        await pilot.press("p", "tab")
        assert screen.mark == Mark(180.0, 240.0)
        await until(pilot, lambda: "1 a[/]b 80%" in bar(screen), "the suggestion")
        assert "a[/]b 80% ?" in text_of(screen.query_one(Lanes))
        await pilot.press("tab")
        assert screen.mark == Mark(400.0, 402.0)
        await pilot.press("tab")
        assert "no label or suggestion after this" in screen.notice.text
        await pilot.press("shift+tab", "enter")
        await until(pilot, lambda: ("a[/]b", 180.0, 240.0, None, None) in said(store), "the answer")
        row = next(journal.rows(store))
        assert row.origin == "suggestion" and row.clip_id == open_clips[3].id
        await until(pilot, lambda: "80% ?" not in text_of(screen.query_one(Lanes)), "the suggestion gone")


# -- seeing and hearing


async def test_the_call_is_seen_in_the_strip_and_in_the_window_and_zoom_keeps_the_playhead(
    night: Project, recording: StoredRecording
) -> None:
    async with whole(night, recording) as (_, screen, pilot):
        assert screen.opened is not None
        window = screen.opened.window
        assert (window.start_s, window.span_s) == (0.0, 60.0)
        for _ in range(3):
            await pilot.press("pagedown")
        assert 180.0 <= window.start_s <= CALL_S < window.end_s
        await pilot.press("home", "pagedown", "pagedown", "pagedown", *["right"] * 7, "up", "up")
        position_s = screen.services.player.position_s
        assert position_s == pytest.approx(201.0)
        assert window.span_s == 15.0 and window.share(position_s) == pytest.approx(0.35, abs=0.01)
        spectrogram = screen.query_one("#spectrogram", Spectrogram)
        await until(pilot, lambda: loudest_column(spectrogram) is not None, "the call in the picture")
        shown = window.start_s + ((loudest_column(spectrogram) or 0) + 0.5) / screen.columns * window.span_s
        assert CALL_S - 0.2 <= shown <= CALL_S + 2.2
        assert any(0x2800 < ord(letter) < 0x2900 for letter in text_of(screen.query_one(Waveform)))
        await until(pilot, lambda: "┣" in text_of(screen.query_one(Overview)), "the window in the strip")


def loudest_column(spectrogram: Spectrogram) -> int | None:
    levels = spectrogram._levels
    if not levels.size or levels.max() < 6:
        return None
    return int(levels.max(axis=0).argmax())


async def test_the_marked_span_is_played_alone_and_looped_and_then_the_rest_goes_on(
    night: Project, recording: StoredRecording, store: Store
) -> None:
    spans.say_span(store, recording, Mark(100.0, 100.2), "owl", annotator="before")
    async with whole(night, recording) as (_, screen, pilot):
        player = screen.services.player
        await until(pilot, lambda: "owl" in bar(screen), "the labels")
        await pilot.press("p", "tab")
        assert not player.playing and player.position_s == pytest.approx(100.0)
        await pilot.press("r")
        await until(pilot, lambda: not player.playing, "its end")
        assert player.position_s == pytest.approx(100.2)
        await pilot.press("space")
        await until(pilot, lambda: player.position_s > 100.4, "what follows")
        await pilot.press("l")
        await until(pilot, lambda: 100.0 <= player.position_s <= 100.2, "the loop")
        await pilot.pause(0.3)
        assert player.playing and 100.0 <= player.position_s <= 100.2
        await pilot.press("right")
        assert not player.loop


async def test_w_opens_the_whole_recording_at_the_clip_and_goes_back(night: Project) -> None:
    async with room_opened(night) as (room, asking, pilot):
        asked = asking.now
        assert asked is not None
        await pilot.press("w")
        await until(pilot, lambda: isinstance(room.screen, SpansScreen), "the recording")
        screen = room.screen
        assert isinstance(screen, SpansScreen) and screen.opened is not None
        assert screen.services.player.position_s == pytest.approx(asked.clip.start_s)
        assert screen.opened.window.start_s <= asked.clip.start_s < screen.opened.window.end_s
        await pilot.press("i", "right")
        await pilot.press("escape")
        assert room.screen is screen and not screen.marking.begun
        await pilot.press("escape")
        await until(pilot, lambda: room.screen is asking, "the way back")
        await until(pilot, lambda: asking.now is not None, "a clip")
        assert asking.now is not None and asking.now.clip.id == asked.clip.id
        await pilot.press("space")
        assert screen.services.player.position_s < 60.0


@pytest.mark.parametrize("no_color", ["", "1"])
async def test_every_size_keeps_the_mark_and_shows_it(
    night: Project, recording: StoredRecording, monkeypatch: pytest.MonkeyPatch, no_color: str
) -> None:
    if no_color:
        monkeypatch.setenv("NO_COLOR", no_color)
    async with whole(night, recording, size=(80, 24)) as (_, screen, pilot):
        assert screen.opened is not None
        await pilot.press("right", "i", "right", "right", "o", "f", "home")
        window, mark = screen.opened.window.view(75), screen.mark
        for size in ((140, 45), (40, 12), (80, 24)):
            await pilot.resize_terminal(*size)
            await until(pilot, lambda size=size: screen.size.width == size[0], "the size")
            assert screen.mark == mark and screen.opened.window.view(75) == window
        await until(pilot, lambda: "▏" in text_of(screen.query_one("#spectrogram", Spectrogram)), "the mark's edge")
        assert "▕" in text_of(screen.query_one("#spectrogram", Spectrogram))
        assert text_of(screen.query_one("#spectrogram", Spectrogram)).count("▔") > 3
        assert "0:03.000 – 0:09.000" in bar(screen)


@pytest.mark.parametrize("replaced", [False, True])
async def test_a_recording_that_went_away_says_so_and_the_screen_lives(
    night: Project, recording: StoredRecording, replaced: bool
) -> None:
    Path(recording.path).rename(Path(recording.path).with_suffix(".gone"))
    if replaced:
        soundfile.write(recording.path, np.zeros(RATE), RATE)
    async with whole(night, recording) as (room, screen, pilot):
        await until(pilot, lambda: "relocate" in screen.notice.text, "what is wrong")
        assert ("it was replaced" in screen.notice.text) is replaced
        if not replaced:
            await pilot.press("space")
            await until(pilot, lambda: not screen.services.player.playing, "the player stops")
        assert room.is_running


async def test_leaving_ends_the_threads_of_the_recording(
    night: Project, recording: StoredRecording, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[open_recording.OpenRecording] = []

    class Noted(open_recording.OpenRecording):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)  # type: ignore[arg-type]
            made.append(self)

    monkeypatch.setattr("labeltool.tui.screens.recording_base.OpenRecording", Noted)
    async with whole(night, recording):
        pass
    (only,) = made
    assert not only._surveyor._thread.is_alive() and not only.stream._thread.is_alive()


def test_only_a_recording_of_the_project_can_be_opened(night: Project, store: Store, tmp_path: Path) -> None:
    with RealRoom(night, "--recording", str(tmp_path / "day.flac")) as room:
        room.until("day.flac: is no recording of this project")
        assert room.process.wait(20) == 1
    other = tmp_path / "other" / "night.flac"
    other.parent.mkdir()
    soundfile.write(other, np.zeros(RATE), RATE)
    take_in(store, audio_files.read([other], None, None), kind="audio", source="test")
    with pytest.raises(LabeltoolError, match="more than one recording"):
        recordings.find_recording(store, "night.flac")
    assert recordings.find_recording(store, str(other)).frames == RATE


# -- the parts


def test_a_window_stays_in_the_recording_and_keeps_what_it_zooms_about() -> None:
    window = Window(7200.0)
    window.zoom(0.5, 15.0)
    assert (window.start_s, window.end_s) == (7.5, 37.5)
    for _ in range(40):
        window.zoom(0.5, 20.0)
    assert window.span_s == 0.1 and window.share(20.0) == pytest.approx(0.4167, abs=0.01)
    for _ in range(40):
        window.zoom(2.0, 20.0)
    assert (window.start_s, window.end_s) == (0.0, 7200.0)
    window.put(9000.0, 10.0)
    assert (window.start_s, window.end_s) == (7190.0, 7200.0)
    assert not window.follow(7195.0) and window.follow(7000.0) and window.start_s < 7000.0 < window.end_s
    window.show(100.0, 160.0)
    assert window.start_s < 100.0 and window.end_s > 160.0
    assert Window(0.01).span_s == 0.01


def test_ends_never_cross_and_edges_never_meet() -> None:
    marking = Marking()
    marking.begin(5.0)
    marking.finish(4.0)
    assert (marking.start_s, marking.end_s, marking.mark) == (None, 4.0, None)
    marking.begin(3.0)
    assert marking.mark == Mark(3.0, 4.0)
    assert marking.carry(3.0, 3.5) and marking.mark == Mark(3.5, 4.0)
    assert not marking.carry(3.5, 4.5) and not marking.carry(1.0, 2.0)
    assert marking.carry(4.0, 6.0) and marking.mark == Mark(3.5, 6.0)
    band_hz = np.linspace(100.0, 4000.0, 40)
    marking.next_edge(band_hz)
    assert marking.edge is Edge.TOP
    for _ in range(60):
        marking.move_edge(-3, band_hz)
    assert marking.low_hz is not None and marking.high_hz is not None and marking.low_hz < marking.high_hz
    marking.next_edge(band_hz)
    for _ in range(60):
        marking.move_edge(-3, band_hz)
    assert marking.low_hz == 100.0
    marking.next_edge(band_hz)
    assert marking.edge is None
    marking.drop_band()
    assert marking.mark == Mark(3.5, 6.0)


def test_lanes_keep_blocks_apart_and_count_what_finds_no_place() -> None:
    heard = [
        spans.Span(spans.Kind.VERDICT, 1, start, start + 10.0, "owl", value=Value.PRESENT) for start in (0, 2, 4, 20)
    ]
    held = spans.Span(spans.Kind.SUGGESTION, 2, 0.0, 60.0, "rain", probability=0.7)
    lanes, left_out = arrange([held, *heard], Window(60.0, 0.0, 60.0), 60, 2)
    assert [[(block.first, block.last) for block in lane] for lane in lanes] == [[(0, 10), (20, 30)], [(2, 12)]]
    assert left_out == 2
    assert lanes[0][0].until == 10 and name_of(held) == "rain 70% ?"
    point = spans.Span(spans.Kind.VERDICT, 3, 30.0, 30.0, "click", value=Value.PRESENT)
    ((block,),), _ = arrange([point], Window(60.0, 0.0, 60.0), 60, 1)
    assert (block.first, block.last, block.until) == (30, 31, 36)


# -- a real terminal


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_a_span_is_marked_in_a_real_terminal_and_kill_9_loses_nothing(
    night: Project, store: Store, tmp_path: Path
) -> None:
    journal.say(store, clips.all_clips(store)[0].id, "owl", annotator="before")
    terminal = Terminal(tmp_path / "tmux", night)
    program = f"{sys.executable} -m labeltool --project {night.directory} label --recording night.flac"
    terminal.tmux(
        *("new-session", "-d", "-s", "room", "-x", "80", "-y", "24"),
        *("-e", "LABELTOOL_AUDIO=null", "-e", "LABELTOOL_ANNOTATOR=ann"),
        f"exec {program}",
    )
    try:
        terminal.tmux("set-option", "-t", "room", "remain-on-exit", "on")
        terminal.until(lambda: "night.flac" in terminal.screen() and "┣" in terminal.screen(), "the recording")
        terminal.press("PageDown", "PageDown", "PageDown", "Right")
        terminal.until(lambda: "▀" in terminal.screen() and "╵3:00" in terminal.screen(), "the call in the picture")
        terminal.press("i", "Right", "o")
        terminal.until(lambda: "3:03.000 – 3:06.000" in terminal.screen(), "the mark")
        terminal.press("1")
        terminal.until(lambda: "✓ owl" in terminal.screen(), "the answer")
        os.kill(terminal.pid(), signal.SIGKILL)
        terminal.until(terminal.closed, "its death")
    finally:
        terminal.close()
    assert said(store)[1:] == [("owl", 183.0, 186.0, None, None)]
