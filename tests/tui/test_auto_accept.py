"""Batch review with judgement: ranges, counts of the labels, and a sample before the rest is accepted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from helpers.app import fill, shows, text_of, until, verdicts
from helpers.batch_review import hold, lines, reviewing, turned
from helpers.store import replace_suggestions
from labeltool.project import Project, load
from labeltool.records import Suggestion
from labeltool.store import Store, clips, journal, models
from labeltool.tui.app import LabelApp
from labeltool.tui.dialogs.palette import Palette
from labeltool.tui.dialogs.prompts import Confirm
from labeltool.tui.screens.pages.batch_review import BatchReviewScreen


@pytest.fixture
def app_project(project: Project, tmp_path: Path) -> Project:
    """Twelve tones; a model predicts `high` for ten of them, from 0.6 up, and `low` for two."""
    fill(project, tmp_path / "sounds", 12)
    hold(project, "high", "low", high=10)
    return project


@pytest.fixture
def confident_project(app_project: Project) -> Project:
    """A model predicts `high` with 0.97 for all; the error to exclude is 30 %."""
    (app_project.directory / "labeltool.toml").write_text("[labelling]\nmax_error = 0.3\n")
    with app_project.open_store() as store:
        model_id = models.model(store).id
        replace_suggestions(
            store, [Suggestion(clip.id, model_id, {"high": 0.97, "low": 0.03}) for clip in clips.all_clips(store)]
        )
    return load(app_project.directory)


async def sampled(app: LabelApp, screen: BatchReviewScreen, pilot: Pilot[None]) -> list[int]:
    """Draw the sample of the first choice, let all of it be played, and return its clips."""
    await shows(pilot, Palette, "ctrl+a")
    await pilot.press("enter")
    await until(pilot, lambda: "random sample" in text_of(screen._title) and not screen.busy, "the sample")
    return list(screen.clips.ids)


async def test_a_range_is_rejected_and_accepted(app_project: Project, reading: Store) -> None:
    async with reviewing(app_project, size=(110, 60)) as (_, screen, pilot):
        page = list(screen.clips.ids)
        await pilot.press("v", "down", "down", "x")
        assert screen._rejected == set(page[:3])
        await pilot.press("v", "down", "x")
        assert screen._rejected == set(page[:4])  # one of the two was accepted: both are rejected now
        await until(pilot, lambda: [line[2] for line in lines(screen)][:5] == ["✗", "✗", "✗", "✗", "✓"], "the marks")
        await pilot.press("asterisk", "x", "asterisk", "x")
        assert not screen._rejected
        await pilot.press("home", "v", "down", "x")
        # Enter accepts only what is marked; the rest of the page stays.
        await turned(screen, pilot, "v", "down", "enter")
        assert list(screen.clips.ids) == [page[0], *page[3:]]
    assert verdicts(reading) == [(page[1], "high", "absent", "verdict"), (page[2], "high", "present", "verdict")]


async def test_labels_with_counts_stand_at_the_left_and_a_click_chooses_one(app_project: Project) -> None:
    async with reviewing(app_project) as (_, screen, pilot):
        column = screen._label_counts
        await until(pilot, lambda: "▸ high" in text_of(column) and "10" in text_of(column), "the counts")
        await pilot.click(column, offset=(3, 1))
        await until(pilot, lambda: "▸ low" in text_of(column), "the other label")
        assert sorted(screen.clips.ids) == [11, 12]
        await pilot.resize_terminal(90, 30)
        await until(pilot, lambda: not column.display, "a screen too narrow for it")


async def test_the_rest_is_accepted_after_a_sample_that_was_right_and_undone_at_once(
    confident_project: Project, reading: Store
) -> None:
    async with reviewing(confident_project) as (app, screen, pilot):
        sample = await sampled(app, screen, pilot)
        assert 0 < len(sample) < 12
        await pilot.press("enter")
        assert "more of the sample first" in screen.notice.text and not verdicts(reading)
        screen._played.update(sample)
        screen.services.player.silent = "no sound card"
        await shows(pilot, Confirm, "enter")
        assert "There was no sound with the sample: no sound card." in str(
            app.screen.query_one("#confirm Static").render()
        )
        rest = 12 - len(sample)
        assert "0.0% to 25.0% of the 12 are wrong" in str(app.screen.query_one("#confirm Static").render())
        await pilot.press("enter")  # held down, say: no answer to the question
        assert len(verdicts(reading)) == len(sample)
        await pilot.press("a")
        await until(pilot, lambda: f"{rest} clips accepted automatically" in screen.notice.text, "its end")
        assert len(verdicts(reading)) == 12
        assert app.services.state.labelled == 12
        automatic = [row for row in journal.rows(reading) if row.auto_accepted]
        assert {row.clip_id for row in automatic} == set(range(1, 13)) - set(sample)
        assert {row.batch_size for row in automatic} == {rest}
        assert app.services.session.clips_done == len(sample)
        await until(pilot, lambda: not screen.clips.ids and not screen._turning, "an empty page")
        await pilot.press("u")
        await until(pilot, lambda: len(verdicts(reading)) == len(sample), "all undone")
        await until(pilot, lambda: set(screen.clips.ids) == set(range(1, 13)) - set(sample), "the clips again")
        assert app.services.state.labelled == len(sample)


async def test_after_a_sample_with_an_error_nothing_else_is_accepted(
    confident_project: Project, reading: Store
) -> None:
    async with reviewing(confident_project) as (app, screen, pilot):
        sample = await sampled(app, screen, pilot)
        screen._played.update(sample)
        await turned(screen, pilot, "x", "enter")
        assert f"{len(sample) - 1} of {len(sample)} clips of the sample were right" in screen.notice.warning
        assert app.screen is screen
        assert len(verdicts(reading)) == len(sample)


async def test_the_notice_that_asks_to_listen_goes_when_all_is_played(confident_project: Project) -> None:
    async with reviewing(confident_project) as (app, screen, pilot):
        sample = await sampled(app, screen, pilot)
        screen._played.clear()
        screen._played.update(sample[:-1])
        await pilot.press("enter")
        await until(pilot, lambda: "the sample is played: Enter accepts" in screen.notice.text, "what comes next")


async def test_the_notice_names_what_is_accepted_where_the_sample_was_all(confident_project: Project) -> None:
    async with reviewing(confident_project) as (app, screen, pilot):
        await shows(pilot, Palette, "ctrl+a")
        assert app.screen.query_one(Input).placeholder == "a probability, or ↑ ↓ and Enter"
        await pilot.press("enter")
        await until(pilot, lambda: screen._sampled is not None and not screen.busy, "the sample")
        assert screen._sampled is not None
        screen._sampled = replace(screen._sampled, sample_size=len(screen._sampled.model_uids))
        screen._played.update(screen.clips.ids)
        count = len(screen.clips.ids)
        await pilot.press("enter")
        await until(pilot, lambda: f"{count} clips accepted as high" in screen.notice.text, "what was accepted")


async def test_escape_ends_a_sample(confident_project: Project, reading: Store) -> None:
    async with reviewing(confident_project) as (app, screen, pilot):
        await sampled(app, screen, pilot)
        await pilot.press("escape")
        await until(pilot, lambda: "predicted as it" in text_of(screen._title) and not screen.busy, "an ordinary page")
        await turned(screen, pilot, "enter")
        assert app.screen is screen
