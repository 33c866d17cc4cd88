"""The last import is undone in the app, after a question, and only the one that was shown."""

from __future__ import annotations

from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Static

from helpers.app import opened, shows, text_of, until
from helpers.store import current
from labeltool.importers.registry import FORMATS
from labeltool.project import Project
from labeltool.store import Store, clips
from labeltool.store.importing import import_records
from labeltool.store.importing.undo import undo_last_import
from labeltool.tui.app import LabelApp
from labeltool.tui.dialogs.palette import Palette
from labeltool.tui.dialogs.prompts import Confirm


def take(project: Project, sounds: Path, name: str, *labels: str) -> None:
    """Import a table with labels of the second and the third tone."""
    table = sounds / name
    rows = (f"tone{number},{label}\n" for number, label in enumerate(labels, start=1))
    table.write_text(f"file,label\n{''.join(rows)}", encoding="utf-8")
    with project.open_store() as store:
        import_records(store, FORMATS["table"].read([table]), kind="table", source=name)


async def ask_to_undo(app: LabelApp, pilot: Pilot[None]) -> str:
    """Choose the entry of the palette and return what the dialog says."""
    await shows(pilot, Palette, ":")
    await shows(pilot, Confirm, *"undo the last import", "enter")
    question = app.screen.query_one("#confirm Static", Static)
    await until(pilot, lambda: text_of(question).strip(), "the question")
    return text_of(question)


async def test_the_last_import_is_undone_where_that_is_wanted(
    app_project: Project, reading: Store, tmp_path: Path
) -> None:
    before, counts = current(reading), clips.counts(reading)
    take(app_project, tmp_path / "sounds", "wrong.csv", "wren", "owl")
    imported = current(reading)
    async with opened(app_project, size=(110, 34)) as (app, screen, pilot):
        assert "Undo 2 annotations of the import of wrong.csv (table," in await ask_to_undo(app, pilot)
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen, "the view")
        assert current(reading) == imported
        await ask_to_undo(app, pilot)
        await pilot.press("a")
        await until(pilot, lambda: "undone: 2 annotations of the import" in screen.notice.text, "that it is done")
        assert current(reading) == before and "no clip has now: wren, owl" in screen.notice.text
        assert (app.services.state.labelled, app.services.state.clips) == (counts.labelled, counts.clips)
        assert app.services.state.label_counts.get("wren", 0) == 0
        await pilot.press(":")
        await pilot.press(*"undo the last import", "enter")
        await until(pilot, lambda: "no import has labels" in screen.notice.text, "that there is none")


async def test_an_import_that_came_after_the_question_is_not_undone(
    app_project: Project, reading: Store, tmp_path: Path
) -> None:
    take(app_project, tmp_path / "sounds", "first.csv", "owl")
    async with opened(app_project, size=(110, 34)) as (app, screen, pilot):
        assert "first.csv" in await ask_to_undo(app, pilot)
        take(app_project, tmp_path / "sounds", "second.csv", "fox", "wren")
        imported = current(reading)
        await pilot.press("a")
        await until(pilot, lambda: "have changed since" in screen.notice.text, "why it was not done")
        assert current(reading) == imported
        screen.notice.clear()
        assert "second.csv" in await ask_to_undo(app, pilot)
        with app_project.open_store() as store:
            undo_last_import(store, annotator="bob")
        await pilot.press("a")
        await until(pilot, lambda: "have changed since" in screen.notice.text, "why it was not done")
        assert {label for _, label in current(reading)} >= {"owl"}
