"""The Label view, driven by keys through Textual's pilot over small real projects."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from helpers import odd_sounds
from helpers.app import (
    DEADLINE_S,
    answer,
    clip_on,
    opened,
    picture,
    shows,
    suggest,
    text_of,
    until,
    verdicts,
    whole,
)
from labeltool.audio.files import content_hash
from labeltool.errors import LabeltoolError
from labeltool.importers import audio_files
from labeltool.project import Project
from labeltool.records import Clip, Recording, Value
from labeltool.store import Store, clips, journal, recordings
from labeltool.store.importing import import_records
from labeltool.tui import run, session
from labeltool.tui.app import LabelApp
from labeltool.tui.background.prefetch import Delivery
from labeltool.tui.dialogs.palette import Choices, Palette
from labeltool.tui.keys import VIEWS
from labeltool.tui.screens.browse import BrowseScreen
from labeltool.tui.screens.class_mapping import ClassMappingScreen
from labeltool.tui.screens.find import FindScreen
from labeltool.tui.screens.label import LabelScreen
from labeltool.tui.screens.pages.batch_review import BatchReviewScreen
from labeltool.tui.screens.pages.clusters import ClustersScreen
from labeltool.tui.screens.regions import RegionsScreen
from labeltool.tui.screens.review import ReviewScreen
from labeltool.tui.widgets.suggestions import Suggestions
from labeltool.tui.widgets.waveform import Waveform

SCREENS = {
    **{"label": LabelScreen, "batch_review": BatchReviewScreen, "clusters": ClustersScreen, "review": ReviewScreen},
    **{"browse": BrowseScreen, "regions": RegionsScreen, "find": FindScreen, "class_mapping": ClassMappingScreen},
}

# -- labelling


async def test_a_clip_is_shown_with_frequencies_waveform_and_the_labels_used_most(
    app_project: Project,
) -> None:
    async with opened(app_project) as (_, screen, pilot):
        await until(pilot, lambda: "1k" in picture(screen), "the axis")
        assert "▀" in picture(screen)
        assert any(0x2800 < ord(letter) < 0x2900 for letter in text_of(screen.query_one(Waveform)))
        await until(pilot, lambda: "low" in text_of(screen.query_one(Suggestions)), "the labels")
        assert [offer.label for offer in screen.choices] == ["low", "high"]


async def test_each_key_writes_its_verdict(app_project: Project, reading: Store) -> None:
    async with opened(app_project) as (_, screen, pilot):
        clip_ids = []
        for key in ("2", "n", "d", "b"):
            clip_ids.append(clip_on(screen).id)
            await answer(screen, pilot, key)
    assert len(set(clip_ids)) == 4
    assert verdicts(reading) == [
        (clip_ids[0], "high", "present", "verdict"),
        (clip_ids[1], None, "absent", "verdict"),
        (clip_ids[2], None, "unsure", "verdict"),
        (clip_ids[3], None, None, "bad audio"),
    ]
    took = [row.response_ms for row in journal.rows(reading) if row.annotator == "ann"]
    assert all(milliseconds is not None and 0 <= milliseconds < 60_000 for milliseconds in took)


async def test_enter_accepts_the_first_suggestion_and_the_journal_records_its_model(
    app_project: Project, reading: Store
) -> None:
    uid = suggest(app_project)
    async with opened(app_project) as (_, screen, pilot):
        assert "model 1" in text_of(screen.query_one(Suggestions))
        assert "75%" in text_of(screen.query_one(Suggestions))
        await answer(screen, pilot, "enter")
        await pilot.press("slash")
        await answer(screen, pilot, *"low", "enter")
    rows = reading.connection.execute(
        "SELECT label, origin, model_uid FROM journal WHERE annotator = 'ann' ORDER BY id"
    ).fetchall()
    assert [tuple(row) for row in rows] == [("high", "suggestion", uid), ("low", "human", None)]


async def test_the_next_clip_is_not_drawn_before_the_label_is_on_the_disk(
    app_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk_is_done = threading.Event()
    really_say = journal.annotate

    def slow_disk(*given: Any, **named: Any) -> str:
        assert disk_is_done.wait(DEADLINE_S)
        return really_say(*given, **named)

    monkeypatch.setattr(session.journal, "annotate", slow_disk)
    async with opened(app_project) as (_, screen, pilot):
        before = screen.current
        pressing = asyncio.create_task(pilot.press("1"))
        for _ in range(20):
            await asyncio.sleep(0.01)
        assert screen.current is before
        disk_is_done.set()
        await pressing
        await until(pilot, lambda: screen.current is not before, "the next clip")


async def test_a_queue_older_than_a_label_does_not_bring_the_clip_back(app_project: Project) -> None:
    async with opened(app_project) as (_, screen, pilot):
        answered = screen.current
        assert answered is not None
        await until(pilot, lambda: len(screen._queue._ready) == 3, "the queue")
        request = screen._request
        # As if the thread were still at that request when the answer is given.
        stale = Delivery(request=request, queue=(answered,), complete=False)
        screen._queue._ready.clear()
        with patch.object(screen, "reload"):
            await pilot.press("n")
            await until(pilot, lambda: screen.current is None, "the clip to be gone")
            screen.receive(stale)
            assert screen.current is None


async def test_when_the_journal_refuses_the_clip_stays_and_the_reason_is_shown(
    app_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_: Any, **__: Any) -> str:
        raise LabeltoolError("the disk is full; nothing was stored")

    monkeypatch.setattr(session.journal, "annotate", full_disk)
    async with opened(app_project) as (_, screen, pilot):
        before = screen.current
        await pilot.press("n")
        await until(pilot, lambda: "disk is full" in screen.notice.text, "the reason")
        assert screen.current is before


async def test_undo_returns_to_the_clip_and_then_to_the_one_it_left_also_after_a_restart(
    app_project: Project, reading: Store
) -> None:
    async with opened(app_project) as (_, screen, pilot):
        first = clip_on(screen).id
        await answer(screen, pilot, "1")
        second = clip_on(screen).id
    async with opened(app_project) as (_, screen, pilot):
        assert clip_on(screen).id == second
        assert screen.services.state.labelled == 2
        await answer(screen, pilot, "u")
        assert screen.current.clip.id == first
        assert screen.services.state.labelled == 1
        assert verdicts(reading) == []
        await answer(screen, pilot, "2")
        assert clip_on(screen).id == second
    assert verdicts(reading) == [(first, "high", "present", "verdict")]


async def test_redo_repeats_what_was_undone_and_goes_on(app_project: Project, reading: Store) -> None:
    async with opened(app_project) as (_, screen, pilot):
        first = clip_on(screen).id
        await answer(screen, pilot, "1")
        await answer(screen, pilot, "u")
        await answer(screen, pilot, "U")
        assert clip_on(screen).id != first
        await pilot.press("U")
        await until(pilot, lambda: "nothing to redo" in screen.notice.text, "the notice")
    assert verdicts(reading) == [(first, "low", "present", "verdict")]


async def test_undo_with_nothing_to_undo_shows_a_notice(app_project: Project) -> None:
    async with opened(app_project) as (_, screen, pilot):
        await pilot.press("u")
        await until(pilot, lambda: "nothing to undo" in screen.notice.text, "the notice")


async def test_adding_and_rejecting_labels_stay_on_the_clip(app_project: Project, reading: Store) -> None:
    async with opened(app_project) as (_, screen, pilot):
        here = clip_on(screen).id
        await pilot.press("x")
        assert "Which label to reject?" in text_of(screen.query_one(Suggestions))
        await pilot.press("1")
        await until(pilot, lambda: "✗ low" in text_of(screen.query_one(Suggestions)), "the word against it")
        await pilot.press("m", "2")
        await until(pilot, lambda: "✓ high" in text_of(screen.query_one(Suggestions)), "the first of several")
        assert clip_on(screen).id == here
        await answer(screen, pilot, "s")
    assert verdicts(reading) == [(here, "low", "absent", "verdict"), (here, "high", "present", "verdict")]


async def test_a_skipped_clip_is_shown_again_at_the_end(app_project: Project, reading: Store) -> None:
    async with opened(app_project) as (_, screen, pilot):
        skipped = clip_on(screen).id
        await answer(screen, pilot, "s")
        for _ in range(3):
            assert clip_on(screen).id != skipped
            await answer(screen, pilot, "n")
        assert clip_on(screen).id == skipped


async def test_a_key_held_down_labels_one_clip(app_project: Project, reading: Store) -> None:
    async with opened(app_project, repeat_s=30.0) as (_, screen, pilot):
        await answer(screen, pilot, "n")
        await pilot.press("n", "n", "n")
        await until(pilot, lambda: "ignored" in screen.notice.text, "the notice")
        await answer(screen, pilot, "d")
    assert [value for _, _, value, _ in verdicts(reading)] == ["absent", "unsure"]


async def test_a_key_before_the_next_clip_is_there_labels_nothing(app_project: Project, reading: Store) -> None:
    async with opened(app_project) as (_, screen, pilot):
        screen.current = None
        await pilot.press("n")
        await until(pilot, lambda: "was not there yet" in screen.notice.text, "the notice")
    assert verdicts(reading) == []


async def test_an_empty_queue_shows_a_text_and_undo_still_works(app_project: Project) -> None:
    async with opened(app_project) as (_, screen, pilot):
        for _ in range(4):
            await answer(screen, pilot, "n")
        assert screen.current is None
        await pilot.press("1", "enter", "s", "d", "x", "slash", "m", "space", "right", "plus")
        assert "No unlabelled clips are left" in picture(screen)
        await answer(screen, pilot, "u")
        assert screen.current is not None


async def test_earlier_annotations_are_shown(app_project: Project) -> None:
    with app_project.open_store() as store:
        open_clip = clips.unlabelled(store)[0].id
        for other in clips.unlabelled(store)[1:]:
            journal.exclude(store, other.id, "bad audio", annotator="bob")
        journal.exclude(store, open_clip, "skip", annotator="bob")
    async with opened(app_project) as (_, screen, _pilot):
        beside = text_of(screen.query_one(Suggestions))
        assert "skipped" in beside
        assert "bob" in beside


async def test_a_clip_that_another_window_labelled_is_not_labelled_unseen(app_project: Project, reading: Store) -> None:
    async with opened(app_project) as (_, screen, pilot):
        clip = screen.current
        assert clip is not None
        with app_project.open_store() as store:
            journal.annotate(store, clip.clip.id, "other", annotator="ann")
        await pilot.press("1")
        await until(pilot, lambda: "another window meanwhile: other, by ann" in screen.notice.text, "the warning")
        assert [label for _, label, *_ in verdicts(reading)] == ["other"]
        given = screen.choices[0].label
        await answer(screen, pilot, "1")
        assert screen.notice.text == f"✓ {given} (was other)"
    with app_project.open_store() as store:
        present = clips.verdicts_on(store, [clip.clip.id])[clip.clip.id]
    assert [label for label, value in present.items() if value is Value.PRESENT] == [given]


@pytest.mark.parametrize(("key", "kind"), [("b", "bad audio"), ("s", "skip")])
async def test_a_clip_that_another_window_labelled_is_not_excluded_or_skipped_unseen(
    app_project: Project, reading: Store, key: str, kind: str
) -> None:
    async with opened(app_project) as (_, screen, pilot):
        clip = screen.current
        assert clip is not None
        with app_project.open_store() as store:
            journal.annotate(store, clip.clip.id, "other", annotator="bob")
        await pilot.press(key)
        await until(pilot, lambda: "another window meanwhile: other, by bob" in screen.notice.text, "the warning")
        assert clip_on(screen) == clip.clip and not verdicts(reading)
        await answer(screen, pilot, key)
    assert [row[0::3] for row in verdicts(reading)] == [(clip.clip.id, kind)]


# -- labels are data


async def test_a_new_label_is_made_and_listed_from_then_on(app_project: Project, reading: Store) -> None:
    async with opened(app_project) as (app, screen, pilot):
        await shows(pilot, Palette, "slash")
        await pilot.press(*"owl")
        assert "new label: owl" in text_of(app.screen.query_one(Choices))
        await answer(screen, pilot, "enter")
        await until(pilot, lambda: "owl" in [offer.label for offer in screen.choices], "the label among the offers")
    assert [label for _, label, _, _ in verdicts(reading)] == ["owl"]


async def test_cancelling_the_palette_writes_nothing(app_project: Project, reading: Store) -> None:
    async with opened(app_project) as (app, screen, pilot):
        before = screen.current
        await pilot.press("slash", *"owl", "escape")
        await until(pilot, lambda: app.screen is screen, "the app")
        assert screen.current is before
    assert verdicts(reading) == []


# -- what goes wrong


async def test_a_missing_file_is_reported_in_a_line_and_labelling_goes_on(app_project: Project, reading: Store) -> None:
    for lost in (app_project.directory.parent / "sounds").glob("*.wav"):
        lost.unlink()
    async with opened(app_project) as (_, screen, pilot):
        name = Path(clip_on(screen).path).name
        assert "cannot be played" in picture(screen)
        assert name in picture(screen).replace("\n", "").replace(" ", "")
        await pilot.press("space", "r", "l", "left", "c", "full_stop")
        await answer(screen, pilot, "b")
        await answer(screen, pilot, "s")
        assert screen.current is not None
    assert [kind for *_, kind in verdicts(reading)] == ["bad audio", "skip"]


async def test_a_clip_whose_length_an_older_version_believed_is_shown_and_labelling_goes_on(
    project: Project, store: Store, tmp_path: Path
) -> None:
    """Of a FLAC that says "not known", and of a broken one: the one is shown, the other named."""
    sounds = (odd_sounds.flac(tmp_path / "unknown.flac", total=0), odd_sounds.flac(tmp_path / "cut.flac", kept=0.4))
    records: list[Recording | Clip] = []
    for path, frames in zip(sounds, (2**63 - 1, odd_sounds.FRAMES), strict=True):
        sha256 = content_hash(path)
        recording = Recording(str(path), sha256, odd_sounds.RATE, 1, frames, sha256)
        records += [recording, Clip(sha256, 0.0, recording.duration_s)]
    import_records(store, records, kind="audio", source="of old")
    async with opened(project) as (_, screen, pilot):
        shown: set[str] = set()
        for _ in sounds:
            name = Path(clip_on(screen).path).name
            shown.add(name)
            assert ("cannot be played" in picture(screen)) == (name == "cut.flac")
            await answer(screen, pilot, "b")
        assert shown == {"unknown.flac", "cut.flac"}
    async with whole(project, recordings.find_recording(store, "unknown.flac")) as (_, regions, pilot):
        await until(pilot, lambda: regions.opened is not None, "the recording")
        assert "replaced" not in regions.notice.text
    imported = import_records(store, audio_files.read([sounds[0]]), kind="audio", source="again")
    assert (imported.recordings, imported.clips, imported.amended) == (0, 1, 2)  # its length, its samples' hash
    assert recordings.find_recording(store, "unknown.flac").frames == odd_sounds.FRAMES


def test_without_a_terminal_it_names_the_command_for_scripts(app_project: Project) -> None:
    with pytest.raises(LabeltoolError, match=r"needs a terminal.*labeltool mark"):
        run(app_project, annotator="ann")


def test_a_project_without_clips_is_refused_with_the_import_command(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with pytest.raises(LabeltoolError, match=r"no clips yet.*labeltool import"):
        run(project, annotator="ann")


def test_the_screens_process_loads_no_tensorflow_librosa_or_pandas(app_project: Project) -> None:
    program = f"""
import asyncio, pathlib, sys
from labeltool import project
from labeltool.tui.app import LabelApp

async def visit():
    room = LabelApp(project.find(pathlib.Path({str(app_project.directory)!r})), annotator="ann")
    async with room.run_test() as pilot:
        while room.screen.current is None or room.services.player.position_s == 0:
            await pilot.pause(0.01)
    room.close()

asyncio.run(visit())
print([name for name in ("tensorflow", "keras", "librosa", "pandas", "sqlite_utils") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        env={**os.environ},
        check=False,
    )
    assert done.stdout.strip() == "[]", done.stderr


# -- keys


def test_every_key_of_the_help_is_bound_to_an_action_that_exists() -> None:
    for view in VIEWS:
        for key in view.keys:
            target, _, action = key.action.partition("(")[0].rpartition(".")
            assert hasattr(LabelApp if target == "app" else SCREENS[view.name], f"action_{action}"), key.name
        bound = [name for key in view.keys for name in key.keys.split(",") if name]
        assert len(bound) == len(set(bound))
        assert len({key.name for key in view.keys}) == len(view.keys)
        assert all(key.hint for key in view.hint_keys())
