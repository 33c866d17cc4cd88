"""Clusters: similar clips are labelled at once, except for the rejected ones."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from helpers.app import STRANGE_LABELS, fill, opened, shows, suggest, text_of, until, verdicts
from helpers.tones import tone_writer
from labeltool.annotation import speed
from labeltool.errors import LabeltoolError
from labeltool.importers import audio_files
from labeltool.project import Project
from labeltool.records import Value
from labeltool.store import Store, clips, journal
from labeltool.store.importing import import_records
from labeltool.tui import session
from labeltool.tui.app import LabelApp
from labeltool.tui.background.comparer import Comparison, Groups
from labeltool.tui.dialogs.palette import Palette
from labeltool.tui.screens.label import LabelScreen
from labeltool.tui.screens.pages.clusters import ClustersScreen

TWO = ((6, 5, 4, 3), (7, 8, 9))


@pytest.fixture
def app_project(project: Project, tmp_path: Path) -> Project:
    """Nine tones; somebody has used the label `low` once, and taken it back."""
    fill(project, tmp_path / "sounds", 9)
    with project.open_store() as store:
        journal.annotate(store, 1, "low", annotator="before")
        journal.annotate(store, 1, "high", Value.ABSENT, annotator="before")
        journal.annotate(store, 2, "high", annotator="before")
    return project


@asynccontextmanager
async def clustering(
    project: Project, groups: Sequence[Sequence[int]] = TWO, *, size: tuple[int, int] = (110, 34)
) -> AsyncIterator[tuple[LabelApp, ClustersScreen, Pilot[None]]]:
    """Open the app and go to Clusters with these clusters."""
    async with opened(project, size=size) as (app, _, pilot):
        app.services.comparer.group = lambda count: True  # type: ignore[method-assign]
        screen = await shows(pilot, ClustersScreen, "C")
        await until(pilot, lambda: "Clustering the unlabelled clips" in text_of(screen._spectrogram), "word of it")
        app.call_later(app.show_comparison, Comparison(groups=Groups("sound", groups)))
        await until(pilot, lambda: screen.clips.ids and not screen.busy, "the first group")
        yield app, screen, pilot


async def turned(screen: ClustersScreen, pilot: Pilot[None], *keys: str) -> None:
    """Press keys and wait for another page."""
    before = list(screen.clips.ids)
    await pilot.press(*keys)
    await until(pilot, lambda: list(screen.clips.ids) != before, f"another page after {keys}")
    await until(pilot, lambda: not screen.busy or not screen.clips.ids, "its first clip")


def digit(screen: ClustersScreen, label: str) -> str:
    return next(choice.key for choice in screen.choices if choice.label == label)


async def test_similar_clips_are_clustered_and_labelled_at_once_without_a_model(
    project: Project, tmp_path: Path
) -> None:
    write = tone_writer(tmp_path / "sounds")
    for number in range(12):
        write(f"{number:02}.wav", frequency_hz=(300.0 if number < 8 else 5000.0) * (1 + 0.01 * number), seconds=0.5)
    with project.open_store() as store:
        import_records(store, audio_files.read([tmp_path / "sounds"], None, None), kind="audio", source="made up")
        async with opened(project, size=(110, 34)) as (_, _, pilot):
            screen = await shows(pilot, ClustersScreen, "C")
            while not screen.clips.ids:  # as long as a busy machine takes
                assert not screen._failure
                await pilot.pause(0.05)
            await until(pilot, lambda: not screen.busy, "the first clip")
            kinds = {clip.id: int(Path(clip.path).stem) < 8 for clip in clips.all_clips(store)}
            page = list(screen.clips.ids)
            assert len({kinds[clip_id] for clip_id in page}) == 1
            assert f"cluster 1 of 3 · {len(page)} unlabelled in it · by sound" in text_of(screen._title)
            await shows(pilot, Palette, "x", "slash")
            await turned(screen, pilot, *"low", "enter")
            assert not set(screen.clips.ids) & set(page)
            assert f"{len(page) - 1} clips, 1 rejected" in screen.notice.text
        assert verdicts(store) == [(clip_id, "low", "present", "verdict") for clip_id in page[1:]]


async def test_one_key_labels_the_clips_not_rejected_and_one_undo_reverts_it(
    app_project: Project, reading: Store
) -> None:
    async with clustering(app_project) as (app, screen, pilot):
        assert list(screen.clips.ids) == [6, 5, 4, 3]
        assert "for the 4 clips" in text_of(screen.panel)
        await pilot.press("down", "x")
        await until(pilot, lambda: "for the 3 clips" in text_of(screen.panel), "the number of clips")
        screen._began -= 60.0
        labelled = app.services.state.labelled
        await turned(screen, pilot, digit(screen, "low"))
        assert list(screen.clips.ids) == [7, 8, 9]
        assert app.services.state.labelled == labelled + 3
        assert verdicts(reading) == [(clip_id, "low", "present", "verdict") for clip_id in (6, 4, 3)]
        rows = [row for row in journal.rows(reading) if row.annotator == "ann"]
        assert len({row.batch_id for row in rows}) == 1 and {row.origin for row in rows} == {"human"}
        assert all(20_000 <= (row.response_ms or 0) < 40_000 for row in rows)
        assert app.services.session.clips_done == 3
        await turned(screen, pilot, "u")
        assert list(screen.clips.ids) == [6, 5, 4, 3] and screen._rejected == {5}
        assert verdicts(reading) == [] and app.services.state.labelled == labelled
        # Redone, and the page that undo left comes after it.
        await turned(screen, pilot, "U")
        assert list(screen.clips.ids) == [7, 8, 9]
        await turned(screen, pilot, digit(screen, "high"))
        # What was rejected is not shown again in these groups, and is still to be asked.
        assert not screen.clips.ids and "No clusters are left" in text_of(screen._spectrogram)
        assert 5 in {clip.id for clip in clips.unlabelled(reading)}
        await pilot.press("1", "x", "n", "enter", "tab", "g", "space", "down")
        assert len(verdicts(reading)) == 6


async def test_the_next_page_of_a_cluster_suggests_the_last_label(app_project: Project, reading: Store) -> None:
    async with clustering(app_project, [(9, 8, 7, 6, 5, 4, 3)], size=(100, 14)) as (_, screen, pilot):
        assert list(screen.clips.ids) == [9, 8, 7, 6]
        last = screen.choices[-1].label
        await turned(screen, pilot, screen.choices[-1].key)
        assert list(screen.clips.ids) == [5, 4, 3] and screen.first_choice == screen.choices[-1]
        await turned(screen, pilot, "enter")
    assert [row[:2] for row in verdicts(reading)] == [(clip_id, last) for clip_id in (9, 8, 7, 6, 5, 4, 3)]


async def test_a_model_sorts_the_labels_and_its_suggestions_are_recorded(app_project: Project, reading: Store) -> None:
    suggest(app_project)
    async with clustering(app_project) as (_, screen, pilot):
        assert [(offer.label, offer.probability) for offer in screen.choices] == [("low", 0.25), ("high", 0.75)]
        await until(pilot, lambda: "high 75%" in text_of(screen.clips), "the prediction of each clip")
        await turned(screen, pilot, digit(screen, "low"))
        await turned(screen, pilot, "enter")
    measured = speed.annotation_statistics(reading, annotator="ann")
    assert (measured.answers, measured.suggested, measured.first_right) == (7, 7, pytest.approx(3 / 7))


async def test_clips_claimed_by_others_skipped_or_labelled_are_not_shown(app_project: Project) -> None:
    with app_project.open_store() as store:
        store.connection.execute("INSERT INTO claims VALUES (6, 'bob', 4e9)")
        journal.exclude(store, 5, "skip", annotator="ann")
        async with clustering(app_project, [(6, 5, 4, 3, 2), (7, 8, 9)]) as (_, screen, pilot):
            assert list(screen.clips.ids) == [4, 3]
            claimed = {clip_id for (clip_id,) in store.connection.execute("SELECT clip_id FROM claims")}
            assert {4, 3} <= claimed
            journal.annotate(store, 4, "owl", annotator="bob")
            screen.reload()
            await until(pilot, lambda: list(screen.clips.ids) == [3], "the page without it")
            journal.annotate(store, 3, "owl", annotator="bob")
            await turned(screen, pilot, "1")
            assert "1 labelled elsewhere meanwhile" in screen.notice.text
            assert list(screen.clips.ids) == [7, 8, 9] and verdicts(store)[1:] == []


async def test_tab_keeps_a_cluster_as_it_is(app_project: Project, reading: Store) -> None:
    async with clustering(app_project) as (_, screen, pilot):
        await turned(screen, pilot, "tab")
        assert list(screen.clips.ids) == [7, 8, 9] and "cluster 2 of 2" in text_of(screen._title)
        await turned(screen, pilot, "tab")
        await turned(screen, pilot, "shift+tab")
        assert list(screen.clips.ids) == [7, 8, 9]
    assert not verdicts(reading)


async def test_none_of_the_labels_is_written_for_all_and_undone_at_once(app_project: Project, reading: Store) -> None:
    async with clustering(app_project, [(6, 5), (7,)]) as (_, screen, pilot):
        await turned(screen, pilot, "n")
        await turned(screen, pilot, "n")
        assert verdicts(reading) == [(clip_id, None, "absent", "verdict") for clip_id in (6, 5, 7)]
        await turned(screen, pilot, "u")
        assert list(screen.clips.ids) == [7]
        await turned(screen, pilot, "u")
        assert list(screen.clips.ids) == [6, 5] and not verdicts(reading)


async def test_add_reject_and_unsure_apply_to_the_selected_clip_only(app_project: Project, reading: Store) -> None:
    async with clustering(app_project) as (_, screen, pilot):
        await pilot.press("m", digit(screen, "high"))
        await until(pilot, lambda: verdicts(reading), "the label")
        assert verdicts(reading) == [(6, "high", "present", "verdict")] and list(screen.clips.ids) == [6, 5, 4, 3]
        await pilot.press("down")
        await until(pilot, lambda: not screen.busy, "the next clip")
        await turned(screen, pilot, "d")
        assert verdicts(reading)[1:] == [(5, None, "unsure", "verdict")] and 5 not in screen.clips.ids


async def test_undo_shows_the_page_again_after_a_restart(app_project: Project, reading: Store) -> None:
    async with clustering(app_project) as (_, screen, pilot):
        await turned(screen, pilot, "x", digit(screen, "low"))
        await shows(pilot, LabelScreen, "A")
    async with clustering(app_project) as (_, screen, pilot):
        await turned(screen, pilot, "u")
        assert list(screen.clips.ids) == [5, 4, 3] and not verdicts(reading)


async def test_clusters_made_while_another_view_is_open_are_shown_on_return(app_project: Project) -> None:
    async with clustering(app_project) as (app, screen, pilot):
        await pilot.press("x", "f")
        await until(pilot, lambda: "clustering the unlabelled clips again" in screen.notice.text, "word of it")
        await shows(pilot, LabelScreen, "A")
        app.call_later(app.show_comparison, Comparison(groups=Groups("sound", [(9, 3)])))
        label_screen = app.screen
        assert isinstance(label_screen, LabelScreen)
        await until(pilot, lambda: "C shows them" in label_screen.notice.text, "word of them")
        await pilot.press("C")
        await until(pilot, lambda: list(screen.clips.ids) == [9, 3] and not screen.busy, "the new groups")
        assert not screen._rejected


async def test_the_reason_why_clustering_failed_is_shown(app_project: Project) -> None:
    async with clustering(app_project) as (app, screen, pilot):
        await turned(screen, pilot, "n")
        await turned(screen, pilot, "n")
        app.call_later(app.show_comparison, Comparison("waiting for another comparison", over=False))
        await until(pilot, lambda: "waiting for another comparison …" in text_of(screen._spectrogram), "what goes on")
        app.call_later(app.show_comparison, Comparison("comparing", 3, 9, over=False))
        await until(pilot, lambda: "3 of 9 compared" in text_of(screen._spectrogram), "how far it is")
        app.call_later(app.show_comparison, Comparison(failure="no [b]clip[/b] waits"))
        await until(pilot, lambda: "no [b]clip[/b] waits" in text_of(screen._spectrogram), "the reason")


async def test_when_the_journal_refuses_the_page_stays(app_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(*_: Any, **__: Any) -> list[Any]:
        raise LabeltoolError("the disk is full; nothing was stored")

    monkeypatch.setattr(session.journal, "annotate_batch", full_disk)
    async with clustering(app_project) as (_, screen, pilot):
        await pilot.press("x", "1")
        await until(pilot, lambda: "disk is full" in screen.notice.text, "the reason")
        assert list(screen.clips.ids) == [6, 5, 4, 3] and screen._rejected == {6}


@pytest.mark.parametrize("label", STRANGE_LABELS[:3])
async def test_a_strange_label_is_text_in_clusters(app_project: Project, reading: Store, label: str) -> None:
    with app_project.open_store() as store:
        journal.annotate(store, 1, label, annotator="before")
    suggest(app_project, labels=(label, "low"))
    async with clustering(app_project) as (app, screen, pilot):
        await until(pilot, lambda: label in text_of(screen.clips) and label in text_of(screen.panel), "the label")
        await turned(screen, pilot, digit(screen, label))
        assert label in screen.notice.text
        app.export_screenshot()
    assert {row[1] for row in verdicts(reading)} == {label}
