"""Spans marked in a whole recording, by keys: what is on the disk and in the label track is what was marked."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from helpers.app import opened as app_opened
from helpers.app import text_of, until, whole
from helpers.exports import export
from helpers.records import rows_of
from helpers.store import replace_suggestions
from helpers.terminal import TerminalApp
from helpers.tmux import Terminal
from labeltool.errors import LabeltoolError
from labeltool.importers import audacity, audio_files
from labeltool.project import Project
from labeltool.records import Suggestion, Value
from labeltool.store import Store, checked, clips, journal, models, recordings, spans
from labeltool.store.importing import import_records
from labeltool.store.recordings import StoredRecording
from labeltool.store.spans import Region
from labeltool.tui.media import open_recording
from labeltool.tui.screens.regions import RegionsScreen
from labeltool.tui.widgets.label_bar import LabelBar
from labeltool.tui.widgets.overview import Overview
from labeltool.tui.widgets.span_lanes import SpanLanes
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
        import_records(store, audio_files.read([path], 60.0, None), kind="audio", source="test")
    return project


@pytest.fixture
def recording(night: Project) -> Iterator[StoredRecording]:
    with night.open_store() as store:
        yield recordings.find_recording(store, "night.flac")


def present_regions(store: Store) -> list[tuple[str | None, float, float, float | None, float | None]]:
    return [
        (span.text, span.start_s, span.end_s, span.low_hz, span.high_hz)
        for on_one in spans.verdicts(store).values()
        for span in on_one
        if span.value is Value.PRESENT
    ]


def bar(screen: RegionsScreen) -> str:
    return text_of(screen.query_one(LabelBar))


async def test_labels_that_do_not_fit_are_hinted_at(night: Project, recording: StoredRecording, store: Store) -> None:
    for number in range(12):
        journal.annotate(store, clips.all_clips(store)[0].id, f"a long label {number}", annotator="before")
    async with whole(night, recording) as (_, screen, pilot):
        await until(pilot, lambda: "a long label 0" in bar(screen), "the labels")
        labels = bar(screen).splitlines()[1].rstrip()
        assert "a long label 11" not in labels and labels.endswith("…")


# -- selecting and labelling


async def test_a_region_set_by_keys_is_labelled_and_exported_exactly(
    night: Project, recording: StoredRecording, store: Store
) -> None:
    journal.annotate(store, clips.all_clips(store)[0].id, "owl", annotator="before")
    async with whole(night, recording) as (_, screen, pilot):
        await until(pilot, lambda: "1 owl" in bar(screen), "the labels")
        await pilot.press("1")
        assert "select a region first" in screen.notice.text
        # In a window of a minute an arrow is three seconds; a nudge is a column.
        await pilot.press("right", "right", "i", "right", "less_than_sign", "o")
        marked = screen.selected_region
        assert marked is not None
        assert (marked.start_s, marked.end_s) == (pytest.approx(6.0), pytest.approx(9.0 - 60 / screen.columns))
        assert "0:06.000 – 0:08." in bar(screen)
        await pilot.press("f", "up", "up", "f", "down", "f")
        assert screen.selection.edge is None and "Hz" in bar(screen)
        banded = screen.selected_region
        assert banded is not None and banded.low_hz is not None and banded.high_hz is not None
        await pilot.press("1")
        await until(pilot, lambda: "owl" in text_of(screen.query_one(SpanLanes)), "the label on its lane")
        assert "labeltool export --audacity" in screen.notice.text
        (first, owl) = present_regions(store)
        assert first == ("owl", 0.0, 60.0, None, None)
        assert owl == ("owl", 6.0, round(banded.end_s, 6), banded.low_hz, banded.high_hz)
        # Another label on a span of its own.
        await pilot.press("end", "i", "home", "end", "left", "i", "end", "o", "slash", *"wind", "enter")
        await until(pilot, lambda: len(present_regions(store)) == 3, "the second label")
    track = Path(export(night, "audacity").written[0]) / "night.txt"
    rows = {(row.label, row.start_s, row.end_s, row.low_hz, row.high_hz) for row in rows_of(audacity.parse(track))}
    assert rows == set(present_regions(store))
    assert ("wind", 597.0, 600.0, None, None) in rows


async def test_a_region_and_the_recording_are_marked_as_checked_and_undone(
    night: Project, recording: StoredRecording, store: Store
) -> None:
    async with whole(night, recording) as (_, screen, pilot):
        await pilot.press("i", "right", "o", "K")
        await until(pilot, lambda: "1 part checked" in bar(screen), "the part")
        await pilot.press("escape", "K")
        await until(pilot, lambda: "☑ checked" in bar(screen), "the recording")
        assert "background" in screen.notice.text
        found = [(one.clip.start_s, one.clip.end_s) for one in checked.checked_parts(store)]
        assert found == [(0.0, pytest.approx(3.0)), (0.0, LONG_S)]
        await pilot.press("u")
        await until(pilot, lambda: "1 part checked" in bar(screen), "only the part again")
        assert len(checked.checked_parts(store)) == 1
        await pilot.press("U")
        await until(pilot, lambda: "☑ checked" in bar(screen), "the recording again")


async def test_undo_selects_the_region_again_and_redo_labels_it(
    night: Project, recording: StoredRecording, store: Store
) -> None:
    async with whole(night, recording) as (_, screen, pilot):
        spans.annotate_region(store, recording, Region(301.5, 303.25, 500.0, 900.0), "owl", annotator="ann")
        before = clips.counts(store).clips
        await pilot.press("u")
        await until(pilot, lambda: screen.selected_region is not None, "the mark")
        assert screen.selected_region == Region(301.5, 303.25, 500.0, 900.0)
        assert screen.opened is not None and screen.opened.viewport.start_s < 301.5 < screen.opened.viewport.end_s
        assert present_regions(store) == [] and clips.counts(store).clips == before - 1
        await pilot.press("U")
        await until(pilot, lambda: "owl" in text_of(screen.query_one(SpanLanes)), "the label again")
        assert present_regions(store) == [("owl", 301.5, 303.25, 500.0, 900.0)]
        # The mark moved by a nudge of its end is another region; the first stays as it was.
        await pilot.press("O", "greater_than_sign", "1")
        await until(pilot, lambda: len(present_regions(store)) == 2, "the second")
        assert present_regions(store)[1][1] == 301.5 and present_regions(store)[1][2] > 303.25


async def test_labelling_a_region_again_replaces_its_label_and_m_adds_one(
    night: Project, recording: StoredRecording, store: Store
) -> None:
    for number, label in enumerate(("owl", "fox", "rain")):
        spans.annotate_region(store, recording, Region(10.0 + number, 11.0 + number), label, annotator="before")
    async with whole(night, recording) as (_, screen, pilot):
        await until(pilot, lambda: "3 rain" in bar(screen), "the labels")
        await pilot.press("tab")
        assert screen.selected_region == Region(10.0, 11.0)
        await pilot.press("2")
        await until(pilot, lambda: ("fox", 10.0, 11.0, None, None) in present_regions(store), "the answer")
        assert ("owl", 10.0, 11.0, None, None) not in present_regions(store)
        await until(
            pilot, lambda: screen.present_on(screen.current) == ["fox"] if screen.current else False, "what stands"
        )
        await pilot.press("m", "3")
        await until(pilot, lambda: ("rain", 10.0, 11.0, None, None) in present_regions(store), "the second label")
        assert ("fox", 10.0, 11.0, None, None) in present_regions(store)
        await pilot.press("x")
        assert "reject:" in bar(screen)
        await pilot.press("3")
        await until(
            pilot, lambda: ("rain", 10.0, 11.0, None, None) not in present_regions(store), "the word that it is not"
        )
        await pilot.press("N", *"two?", "enter")
        await until(pilot, lambda: "✎ two?" in text_of(screen.query_one(SpanLanes)), "the note")


async def test_a_region_between_two_microseconds_is_relabelled_too(
    night: Project, recording: StoredRecording, store: Store
) -> None:
    for number, label in enumerate(("owl", "fox")):
        spans.annotate_region(store, recording, Region(10.0 + number, 11.0 + number), label, annotator="before")
    async with whole(night, recording) as (_, screen, pilot):
        await until(pilot, lambda: "2 fox" in bar(screen), "the labels")
        screen.selection.set_start(300.0)
        screen.selection.set_end(308.3877551020408)
        screen._selection_changed()
        await pilot.press("1", "2")
        await until(
            pilot, lambda: any(row[:2] == ("fox", 300.0) for row in present_regions(store)), "the second answer"
        )
        assert not any(row[:2] == ("owl", 300.0) for row in present_regions(store))


async def test_tab_selects_what_starts_at_the_playhead_before_what_comes_after_it(
    night: Project, recording: StoredRecording, store: Store
) -> None:
    for start_s, end_s in ((0.0, 5.0), (0.0, 3.0), (60.0, 65.0)):
        spans.annotate_region(store, recording, Region(start_s, end_s), "rain", annotator="before")
    async with whole(night, recording) as (_, screen, pilot):
        await pilot.press("p")
        chosen = []
        for _ in range(3):
            await pilot.press("tab")
            assert screen.selected_region is not None
            chosen.append((screen.selected_region.start_s, screen.selected_region.end_s))
        assert sorted(chosen[:2]) == [(0.0, 3.0), (0.0, 5.0)] and chosen[2] == (60.0, 65.0)


async def test_tab_goes_through_labels_and_suggestions_and_enter_accepts_one(
    night: Project, recording: StoredRecording, store: Store
) -> None:
    model = models.NewModel("none", "{}", 2, 0.9, 0.9)
    model_id = models.add(store, model, parent_id=None, journal_mark="", publish=lambda _: None)
    open_clips = clips.unlabelled(store)
    replace_suggestions(store, [Suggestion(open_clips[3].id, model_id, {"a[/]b": 0.8, "rain": 0.2})])
    spans.annotate_region(store, recording, Region(400.0, 402.0), "rain", annotator="before")
    spans.annotate_region(store, recording, Region(500.0, 502.0), "rain", Value.ABSENT, annotator="before")
    async with whole(night, recording) as (_, screen, pilot):
        await until(pilot, lambda: "rain" in bar(screen), "the labels")
        await pilot.press("p", "tab")
        assert screen.selected_region == Region(180.0, 240.0)
        await until(pilot, lambda: "⏎2 + a[/]b 80%" in bar(screen), "the suggestion")
        assert "a[/]b 80% ?" in text_of(screen.query_one(SpanLanes))
        await pilot.press("tab")
        assert screen.selected_region == Region(400.0, 402.0)
        await pilot.press("tab")
        assert "no label or suggestion after this" in screen.notice.text
        await pilot.press("shift+tab", "enter")
        await until(pilot, lambda: ("a[/]b", 180.0, 240.0, None, None) in present_regions(store), "the answer")
        row = next(journal.rows(store))
        assert row.origin == "suggestion" and row.clip_id == open_clips[3].id
        await until(pilot, lambda: "80% ?" not in text_of(screen.query_one(SpanLanes)), "the suggestion gone")


# -- view and playback


async def test_the_call_is_visible_in_overview_and_window_and_zoom_keeps_the_playhead(
    night: Project, recording: StoredRecording
) -> None:
    async with whole(night, recording) as (_, screen, pilot):
        assert screen.opened is not None
        viewport = screen.opened.viewport
        assert (viewport.start_s, viewport.span_s) == (0.0, 60.0)
        for _ in range(3):
            await pilot.press("pagedown")
        assert 180.0 <= viewport.start_s <= CALL_S < viewport.end_s
        await pilot.press("home", "pagedown", "pagedown", "pagedown", *["right"] * 7, "up", "up")
        position_s = screen.services.player.position_s
        assert position_s == pytest.approx(201.0)
        assert viewport.span_s == 15.0 and viewport.share(position_s) == pytest.approx(0.35, abs=0.01)
        spectrogram = screen.query_one("#spectrogram", Spectrogram)
        await until(pilot, lambda: loudest_column(spectrogram) is not None, "the call in the picture")
        shown = viewport.start_s + ((loudest_column(spectrogram) or 0) + 0.5) / screen.columns * viewport.span_s
        assert CALL_S - 0.2 <= shown <= CALL_S + 2.2
        assert any(0x2800 < ord(letter) < 0x2900 for letter in text_of(screen.query_one(Waveform)))
        await until(pilot, lambda: "┣" in text_of(screen.query_one(Overview)), "the window in the strip")


def loudest_column(spectrogram: Spectrogram) -> int | None:
    levels = spectrogram._painting.levels
    if not levels.size or levels.max() < 6:
        return None
    return int(levels.max(axis=0).argmax())


async def test_the_region_is_played_and_looped_and_then_playback_goes_on(
    night: Project, recording: StoredRecording, store: Store
) -> None:
    spans.annotate_region(store, recording, Region(100.0, 100.2), "owl", annotator="before")
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


async def test_w_opens_the_recording_at_the_clip_and_goes_back(night: Project) -> None:
    async with app_opened(night) as (app, label_view, pilot):
        first_clip = label_view.current
        assert first_clip is not None
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, RegionsScreen), "the recording")
        screen = app.screen
        assert isinstance(screen, RegionsScreen) and screen.opened is not None
        assert screen.services.player.position_s == pytest.approx(first_clip.clip.start_s)
        assert screen.opened.viewport.start_s <= first_clip.clip.start_s < screen.opened.viewport.end_s
        await pilot.press("i", "right")
        await pilot.press("escape")
        assert app.screen is screen and not screen.selection.started
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is label_view, "the way back")
        await until(pilot, lambda: label_view.current is not None, "a clip")
        assert label_view.current is not None and label_view.current.clip.id == first_clip.clip.id
        await pilot.press("space")
        assert screen.services.player.position_s < 60.0


@pytest.mark.parametrize("no_color", ["", "1"])
async def test_every_size_keeps_the_region_and_shows_it(
    night: Project, recording: StoredRecording, monkeypatch: pytest.MonkeyPatch, no_color: str
) -> None:
    if no_color:
        monkeypatch.setenv("NO_COLOR", no_color)
    async with whole(night, recording, size=(80, 24)) as (_, screen, pilot):
        assert screen.opened is not None
        await pilot.press("right", "i", "right", "right", "o", "f", "home")
        viewport, mark = screen.opened.viewport.view(75), screen.selected_region
        for size in ((140, 45), (40, 12), (80, 24)):
            await pilot.resize_terminal(*size)
            await until(pilot, lambda size=size: screen.size.width == size[0], "the size")
            assert screen.selected_region == mark and screen.opened.viewport.view(75) == viewport
        await until(pilot, lambda: "▏" in text_of(screen.query_one("#spectrogram", Spectrogram)), "the mark's edge")
        assert "▕" in text_of(screen.query_one("#spectrogram", Spectrogram))
        assert text_of(screen.query_one("#spectrogram", Spectrogram)).count("▔") > 3
        assert "0:03.000 – 0:09.000" in bar(screen)


@pytest.mark.parametrize("replaced", [False, True])
async def test_a_recording_that_disappears_is_reported_and_the_app_goes_on(
    night: Project, recording: StoredRecording, replaced: bool
) -> None:
    Path(recording.path).rename(Path(recording.path).with_suffix(".gone"))
    if replaced:
        soundfile.write(recording.path, np.zeros(RATE), RATE)
    async with whole(night, recording) as (app, screen, pilot):
        await until(pilot, lambda: "relocate" in screen.notice.text, "what is wrong")
        assert ("it was replaced" in screen.notice.text) is replaced
        if not replaced:
            await pilot.press("space")
            await until(pilot, lambda: not screen.services.player.playing, "the player stops")
        assert app.is_running


async def test_quitting_ends_the_threads_of_the_recording(
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
    assert not only._tile_reader._thread.is_alive() and not only.stream._thread.is_alive()


def test_only_a_recording_of_the_project_can_be_opened(night: Project, store: Store, tmp_path: Path) -> None:
    with TerminalApp(night, "--recording", str(tmp_path / "day.flac")) as app:
        app.until("day.flac: is no recording of this project")
        assert app.process.wait(20) == 1
    other = tmp_path / "other" / "night.flac"
    other.parent.mkdir()
    soundfile.write(other, np.zeros(RATE), RATE)
    import_records(store, audio_files.read([other], None, None), kind="audio", source="test")
    with pytest.raises(LabeltoolError, match="more than one recording"):
        recordings.find_recording(store, "night.flac")
    assert recordings.find_recording(store, str(other)).frames == RATE


# -- a real terminal


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_a_region_is_labelled_in_a_real_terminal_and_kill_9_loses_nothing(
    night: Project, store: Store, tmp_path: Path
) -> None:
    journal.annotate(store, clips.all_clips(store)[0].id, "owl", annotator="before")
    terminal = Terminal(tmp_path / "tmux", night)
    program = f"{sys.executable} -m labeltool --project {night.directory} label --recording night.flac"
    terminal.tmux(
        *("new-session", "-d", "-s", "app", "-x", "80", "-y", "24"),
        *("-e", "LABELTOOL_AUDIO=null", "-e", "LABELTOOL_ANNOTATOR=ann"),
        f"exec {program}",
    )
    try:
        terminal.tmux("set-option", "-t", "app", "remain-on-exit", "on")
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
    assert present_regions(store)[1:] == [("owl", 183.0, 186.0, None, None)]
