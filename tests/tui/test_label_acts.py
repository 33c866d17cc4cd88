"""Labels are defined and deleted in the app; what they mean is shown and played while labelling."""

from __future__ import annotations

from textual.widgets import Input, Static

from helpers.app import opened, shows, text_of, until
from helpers.store import current
from labeltool.project import Project
from labeltool.store import Store, clips, labels
from labeltool.store.label_acts import changes
from labeltool.tui.dialogs.definitions import DefinitionsScreen
from labeltool.tui.dialogs.labels import LabelRows, LabelsScreen
from labeltool.tui.dialogs.prompts import Confirm, TextPrompt


async def test_a_label_is_defined_and_deleted_and_both_are_undone(app_project: Project, reading: Store) -> None:
    before = current(reading)
    async with opened(app_project, size=(110, 34)) as (app, screen, pilot):
        await shows(pilot, LabelsScreen, "f3")
        dialog, rows = app.screen, app.screen.query_one(LabelRows)
        await until(pilot, lambda: rows.count and rows.selected.name == "low", "the label")
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, TextPrompt) and app.screen.query(Input), "the question")
        await pilot.press(*"deep", "enter")
        await until(pilot, lambda: labels.project_labels(reading)[0].definition == "deep", "the definition")
        await until(pilot, lambda: app.screen is dialog, "the labels")
        await pilot.press("delete")
        await until(pilot, lambda: isinstance(app.screen, Confirm) and app.screen.query(Static), "the question")
        question = "Delete low? 1 annotation by before no longer count."
        await until(pilot, lambda: question in text_of(app.screen.query_one(Static)), "what it concerns")
        await pilot.press("a")
        await until(pilot, lambda: clips.label_names(reading) == ["high"], "no such label")
        assert set(current(reading)) == {key for key in before if key[1] != "low"}
        await until(pilot, lambda: app.screen is dialog and len(rows._labels) == 1, "the labels")
        await pilot.press("u")
        await until(pilot, lambda: current(reading) == before, "its annotations")
        await until(pilot, lambda: len(rows._labels) == 2, "the label")
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen, "the view")
        # What it means is on the screen while labelling.
        await until(pilot, lambda: "deep" in text_of(screen.panel), "the definition")


async def test_the_key_of_a_label_plays_its_example(app_project: Project, reading: Store) -> None:
    example = clips.all_clips(reading)[3]
    with app_project.open_store() as store:
        changes.define(store, "low", "deep", [example.id], annotator="ann")
    async with opened(app_project, size=(110, 34)) as (app, screen, pilot):
        await until(pilot, lambda: "deep" in text_of(screen.panel), "the labels")
        await shows(pilot, DefinitionsScreen, "f9")
        status = app.screen.query_one("#labels-status", Static)
        await until(pilot, lambda: "deep" in text_of(app.screen.query(Static).first()), "the text")
        played = []
        app.services.player.put = lambda sound, *, play: played.append((len(sound), play))  # type: ignore[method-assign]
        key = next(label.key for label in labels.project_labels(reading) if label.name == "low")
        await pilot.press(key)
        await until(pilot, lambda: f"low: {example.path.rpartition('/')[2]}" in text_of(status), "which clip it is")
        assert len(played) == 1 and played[0][0] > 0 and played[0][1]
        # Again: another clip that has the label.
        await pilot.press(key)
        await until(pilot, lambda: len(played) == 2, "the next")
        assert example.path.rpartition("/")[2] not in text_of(status)
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen and len(played) == 3, "the view has the player again")
        assert not played[2][1]
