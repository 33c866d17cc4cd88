"""Batch review: pages of the most confident predictions, accepted at once except for the rejected clips."""

from __future__ import annotations

import os
import re
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from helpers.app import STRANGE_LABELS, answer, fill, opened, shows, text_of, until, verdicts
from helpers.batch_review import hold, lines, reviewing, turned
from helpers.tmux import Terminal
from labeltool.annotation import speed
from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.records import label_name
from labeltool.store import Store, journal, labels, models
from labeltool.tui import session
from labeltool.tui.dialogs.palette import Palette
from labeltool.tui.screens.label import LabelScreen
from labeltool.tui.screens.pages.batch_review import BatchReviewScreen


@pytest.fixture
def app_project(project: Project, tmp_path: Path) -> Project:
    """Nine tones; a model takes six for `high` and three for `low`, the later the surer."""
    fill(project, tmp_path / "sounds", 9)
    hold(project, "high", "low", high=6)
    return project


async def test_a_page_is_accepted_with_one_key_without_the_rejected_clips(app_project: Project, reading: Store) -> None:
    uid = models.model(reading).uid
    async with reviewing(app_project) as (app, screen, pilot):
        page = list(screen.clips.ids)
        assert page == [6, 5, 4, 3, 2, 1]
        await until(pilot, lambda: len(lines(screen)) == 6 and "…" not in lines(screen)[0], "the lines")
        assert "tone" in lines(screen)[0] and "75%" in lines(screen)[0]
        assert "high" in text_of(screen._title)
        await pilot.press("x", "down", "x", "down", "x", "x", "down")
        await until(pilot, lambda: "2 rejected" in text_of(screen._title), "the count")
        assert [line[2] for line in lines(screen)] == ["✗", "✗", "✓", "✓", "✓", "✓"]
        labelled = app.services.state.labelled
        await turned(screen, pilot, "enter")
        assert app.services.state.labelled == labelled + 6
        assert "4 accepted, 2 rejected" in screen.notice.text
        assert sorted(screen.clips.ids) == [7, 8, 9]
        assert "low" in text_of(screen._title)
    assert verdicts(reading) == [
        *((clip_id, "high", "absent", "verdict") for clip_id in (6, 5)),
        *((clip_id, "high", "present", "verdict") for clip_id in (4, 3, 2, 1)),
    ]
    rows = reading.connection.execute("SELECT origin, model_uid, suggested_label, batch_id FROM journal ORDER BY id")
    written = [tuple(row) for row in rows]
    assert [row[:3] for row in written] == [("human", None, "high")] * 2 + [("suggestion", uid, "high")] * 4
    assert len({row[3] for row in written}) == 1
    found = speed.annotation_statistics(reading)
    assert (found.answers, found.suggested) == (6, 6)
    assert found.first_right == pytest.approx(4 / 6)


async def test_undo_shows_the_page_again_and_the_page_it_left_follows(app_project: Project, reading: Store) -> None:
    async with reviewing(app_project) as (app, screen, pilot):
        page = list(screen.clips.ids)
        await pilot.press("down", "x")
        await turned(screen, pilot, "enter")
        following = list(screen.clips.ids)
        await pilot.press("x")
        await turned(screen, pilot, "u")
        assert list(screen.clips.ids) == page
        assert screen._rejected == {page[1]}
        assert verdicts(reading) == []
        assert app.services.state.labelled == 0
        assert "undone: " in screen.notice.text
        # What was rejected on the page that undo left is still so when it comes again.
        await turned(screen, pilot, "enter")
        assert list(screen.clips.ids) == following
        assert screen._rejected == {following[0]}
        await turned(screen, pilot, "u")
        await turned(screen, pilot, "U")
        assert len(verdicts(reading)) == 6
        assert list(screen.clips.ids) == following
    async with reviewing(app_project) as (_, screen, pilot):
        await turned(screen, pilot, "u")
        assert list(screen.clips.ids) == page
        assert screen._rejected == {page[1]}
    assert verdicts(reading) == []


async def test_redo_labels_the_page_again_and_leaves_nothing_of_it(app_project: Project, reading: Store) -> None:
    async with reviewing(app_project) as (_, screen, pilot):
        page = list(screen.clips.ids)
        await turned(screen, pilot, "enter")
        await turned(screen, pilot, "u")
        assert list(screen.clips.ids) == page
        await pilot.press("end")
        await until(pilot, lambda: not screen.busy, "the last clip")
        await turned(screen, pilot, "U")
        assert not set(screen.clips.ids) & set(page)
    assert len(verdicts(reading)) == len(page)


async def test_clips_labelled_elsewhere_meanwhile_are_not_accepted(app_project: Project, reading: Store) -> None:
    async with reviewing(app_project) as (_, screen, pilot):
        page = list(screen.clips.ids)
        with app_project.open_store() as store:
            journal.annotate(store, page[0], "owl", annotator="bob")
        await turned(screen, pilot, "enter")
        assert "1 labelled elsewhere meanwhile" in screen.notice.text
    assert [row[0] for row in verdicts(reading)] == page[1:]


async def test_undo_in_the_label_view_reverts_a_whole_page(app_project: Project, reading: Store) -> None:
    async with reviewing(app_project) as (app, screen, pilot):
        await turned(screen, pilot, "enter")
        label_screen = await shows(pilot, LabelScreen, "A")
        await pilot.press("u")
        await until(
            pilot,
            lambda: not label_screen.busy and label_screen.current is not None and label_screen.current.clip.id == 1,
            "the last clip",
        )
        assert "6 × ✓ high" in label_screen.notice.text
        await until(pilot, lambda: app.services.state.labelled == 0, "the count")
        assert verdicts(reading) == []


async def test_clips_of_an_accepted_page_leave_the_queue(app_project: Project, reading: Store) -> None:
    async with reviewing(app_project) as (_, screen, pilot):
        await turned(screen, pilot, "enter")
        await turned(screen, pilot, "enter")
        assert not screen.clips.ids
        assert "No clips are left for batch review" in text_of(screen._spectrogram)
        await pilot.press("x", "enter", "1", "n", "g", "tab", "space", "down")
        label_screen = await shows(pilot, LabelScreen, "A")
        # The clip that was on its screen has been swept meanwhile, too.
        await until(
            pilot,
            lambda: (
                label_screen.current is None and "No unlabelled clips are left" in text_of(label_screen._spectrogram)
            ),
            "an empty queue",
        )
    assert len(verdicts(reading)) == 9


async def test_a_clip_labelled_by_itself_leaves_the_page_and_undo_puts_it_back(
    app_project: Project, reading: Store
) -> None:
    async with reviewing(app_project) as (_, screen, pilot):
        page = list(screen.clips.ids)
        await pilot.press("down", "x")
        await until(pilot, lambda: not screen.busy, "the second clip")
        await turned(screen, pilot, next(choice.key for choice in screen.choices if choice.label == "low"))
        assert list(screen.clips.ids) == [page[0], *page[2:]]
        assert screen.clips.place == 1 and not screen._rejected
        assert verdicts(reading) == [(page[1], "low", "present", "verdict")]
        await turned(screen, pilot, "u")
        assert list(screen.clips.ids) == page
        assert screen.clips.place == 1
        await turned(screen, pilot, "d")
        await turned(screen, pilot, "enter")
    rows = verdicts(reading)
    assert rows[0] == (page[1], None, "unsure", "verdict")
    assert [clip_id for clip_id, *_ in rows[1:]] == [page[0], *page[2:]]


async def test_the_time_of_a_page_is_shared_over_its_clips(
    app_project: Project, reading: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with reviewing(app_project) as (app, screen, pilot):
        screen._began -= 60.0
        await turned(screen, pilot, "enter")
        assert app.services.session.clips_done == 6
        took = [row.response_ms or 0 for row in journal.rows(reading)]
        assert max(took) - min(took) <= 1
        assert 10_000 <= took[0] < 20_000


async def test_played_clips_are_marked_and_the_others_counted(app_project: Project) -> None:
    async with reviewing(app_project) as (_room, screen, pilot):
        await until(pilot, lambda: "♪" in lines(screen)[0], "the first played")
        assert "♪" not in "".join(lines(screen)[1:])
        await pilot.press("p", "down", "down")
        await until(pilot, lambda: not screen.busy, "the third clip")
        await pilot.press("space")
        await until(pilot, lambda: "♪" in lines(screen)[2], "the third played")
        assert "♪" not in lines(screen)[1]
        assert "4 not played" in text_of(screen._title)
        await turned(screen, pilot, "enter")
        assert "4 not played" in screen.notice.text


async def test_play_all_plays_every_clip_of_the_page(app_project: Project) -> None:
    async with reviewing(app_project) as (_room, screen, pilot):
        await pilot.press("g")
        await until(pilot, lambda: "the page is played" in screen.notice.text, "the end of the page")
        assert screen.clips.place == 5
        assert "all played" in text_of(screen._title)


async def test_tab_and_the_palette_go_to_another_label(app_project: Project) -> None:
    async with reviewing(app_project) as (_, screen, pilot):
        await turned(screen, pilot, "tab")
        assert sorted(screen.clips.ids) == [7, 8, 9]
        await turned(screen, pilot, "tab")
        assert screen.clips.ids[0] == 6
        await turned(screen, pilot, "shift+tab")
        assert sorted(screen.clips.ids) == [7, 8, 9]
        await shows(pilot, Palette, "F")
        await turned(screen, pilot, *"high", "enter")
        assert screen.clips.ids[0] == 6


async def test_a_new_model_keeps_the_page_and_makes_the_next(app_project: Project, reading: Store) -> None:
    async with reviewing(app_project) as (_room, screen, pilot):
        page = list(screen.clips.ids)
        first = models.model(reading).uid
        await pilot.press("x")
        hold(app_project, "low", "high", high=9)
        screen.reload()
        await until(pilot, lambda: "…" not in lines(screen)[0], "the lines read anew")
        assert list(screen.clips.ids) == page
        assert screen._rejected == {page[0]}
        assert "75%" in lines(screen)[0]
        await turned(screen, pilot, "enter")
        assert list(screen.clips.ids) == [9, 8, 7]
        accepted = reading.connection.execute("SELECT DISTINCT model_uid FROM journal WHERE origin = 'suggestion'")
        assert [uid for (uid,) in accepted] == [first]


async def test_clips_claimed_or_labelled_by_others_are_not_on_the_page(app_project: Project) -> None:
    with app_project.open_store() as store:
        for clip_id in (6, 5):
            store.connection.execute("INSERT INTO claims VALUES (?, 'bob', 4e9)", (clip_id,))
        async with reviewing(app_project) as (_, screen, pilot):
            assert list(screen.clips.ids) == [4, 3, 2, 1]
            claimed = store.connection.execute("SELECT clip_id FROM claims WHERE annotator = 'ann'").fetchall()
            assert {1, 2, 3, 4} <= {clip_id for (clip_id,) in claimed}
            journal.annotate(store, 3, "low", annotator="bob")
            screen.reload()
            await until(pilot, lambda: list(screen.clips.ids) == [4, 2, 1], "the page without it")


async def test_enter_held_down_accepts_one_page(app_project: Project, reading: Store) -> None:
    async with reviewing(app_project, repeat_s=30.0) as (_, screen, pilot):
        await turned(screen, pilot, "enter")
        await pilot.press("enter", "enter")
        assert len(screen.clips.ids) == 3
    assert len(verdicts(reading)) == 6


async def test_when_the_journal_refuses_the_page_stays_and_the_reason_is_shown(
    app_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_: Any, **__: Any) -> list[Any]:
        raise LabeltoolError("the disk is full; nothing was stored")

    monkeypatch.setattr(session.journal, "annotate_batch", full_disk)
    async with reviewing(app_project) as (_, screen, pilot):
        page = list(screen.clips.ids)
        await pilot.press("x", "enter")
        await until(pilot, lambda: "disk is full" in screen.notice.text, "the reason")
        assert list(screen.clips.ids) == page
        assert screen._rejected == {page[0]}


@pytest.mark.parametrize("label", [STRANGE_LABELS[0], STRANGE_LABELS[5], STRANGE_LABELS[7]])
async def test_a_strange_label_is_text_in_batch_review(project: Project, tmp_path: Path, label: str) -> None:
    fill(project, tmp_path / "sounds", 2)
    hold(project, label, "other", high=2)
    async with reviewing(project, size=(80, 24)) as (app, screen, pilot):
        await until(pilot, lambda: "1 of 2" in text_of(screen._title), "the title")
        title = text_of(screen._title)
        assert "\x1b" not in title
        assert "played" in title
        assert label in title or label != STRANGE_LABELS[0]
        await pilot.press("x")
        await turned(screen, pilot, "enter")
        await turned(screen, pilot, "u")
        await turned(screen, pilot, "U")
        app.export_screenshot()
    with project.open_store() as store:
        name = label_name(label)
        assert [(label, value) for _, label, value, _ in verdicts(store)] == [(name, "absent"), (name, "present")]


async def test_a_renamed_label_is_reviewed_under_its_current_name(app_project: Project, reading: Store) -> None:
    with app_project.open_store() as store:
        journal.annotate(store, 9, "high", annotator="before")
        labels.rename(store, "high", "shrill", annotator="before")
    async with reviewing(app_project) as (_, screen, pilot):
        assert "shrill" in text_of(screen._title)
        await until(pilot, lambda: lines(screen) and "75%" in lines(screen)[0], "the shares")
        await turned(screen, pilot, "enter")
        await turned(screen, pilot, "u")
        assert screen._page.label == "shrill"


async def test_without_a_model_the_view_explains_itself(project: Project, tmp_path: Path) -> None:
    fill(project, tmp_path / "sounds", 2)
    async with opened(project) as (app, label_screen, pilot):
        screen = await shows(pilot, BatchReviewScreen, "S")
        await until(pilot, lambda: "No model has predicted labels yet" in text_of(screen._spectrogram), "the words")
        hold(project, "high", "low", high=2)
        screen.reload()
        await until(pilot, lambda: len(screen.clips.ids) == 2, "the first page")
        await pilot.press("A")
        await until(pilot, lambda: app.screen is label_screen, "label_view")
        await answer(label_screen, pilot, "n")


# -- the real program


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_batch_review_in_a_real_terminal_and_kill_9_after_enter(terminal: Terminal) -> None:
    terminal.open()
    terminal.tmux("resize-window", "-t", "app", "-x", "80", "-y", "24")
    terminal.press("S")
    terminal.until(lambda: "1 of 5" in terminal.screen() and terminal.screen().count("✓ ") == 5, "the page")
    page = [re.findall(r"tone\w+\.wav", line)[0] for line in terminal.screen().splitlines() if "✓ " in line]
    terminal.press("x", "Down", "Down", "x")
    terminal.until(lambda: "2 rejected" in terminal.screen(), "two rejected")
    terminal.press("Enter")
    terminal.until(lambda: "1 of 1" in terminal.screen(), "the next page")
    # The next page is on the screen: the one before it must be on the disk.
    os.kill(terminal.pid(), signal.SIGKILL)
    terminal.until(terminal.closed, "its death")
    assert len(page) == 5
    rows = [(file, "high", "absent" if place in (0, 2) else "present") for place, file in enumerate(page)]
    assert terminal.annotations() == rows
    terminal.tmux("kill-session", "-t", "app")
    terminal.open()
    terminal.press("S")
    terminal.until(lambda: "1 of 3" in terminal.screen(), "a page of the label with most clips")
    terminal.press("u")
    terminal.until(lambda: "1 of 5" in terminal.screen() and terminal.screen().count("✗ ") == 2, "the page again")
    assert terminal.annotations() == []
    terminal.press("U")
    terminal.until(lambda: "1 of 3" in terminal.screen(), "the page that undo left")
    assert terminal.annotations() == rows
