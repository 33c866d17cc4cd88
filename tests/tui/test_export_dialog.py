"""Exports from the app: products are chosen from a list and written in the background."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from textual.pilot import Pilot

from helpers.app import opened, shows, text_of, until
from labeltool.project import Project
from labeltool.tui.app import LabelApp
from labeltool.tui.dialogs.export import ExportDialog


async def dialog_of(app: LabelApp, pilot: Pilot[None]) -> ExportDialog:
    """Open the dialog."""
    dialog = await shows(pilot, ExportDialog, "ctrl+e")
    await until(pilot, lambda: "splits" in text_of(dialog._list), "its products")
    return dialog


async def test_chosen_products_are_exported_in_the_background(app_project: Project) -> None:
    async with opened(app_project) as (app, screen, pilot):
        dialog = await dialog_of(app, pilot)
        assert "needs no model" in text_of(dialog._facts)
        names = [one.name for one in dialog._list._products]
        await pilot.press(*["down"] * names.index("table"), "space")
        assert "✓ table" in text_of(dialog._list)
        await pilot.press(*["down"] * (names.index("raven") - names.index("table")), "space", "enter")
        assert app.screen is screen
        await until(pilot, lambda: "exported to exports/table, exports/raven" in screen.notice.text, "the end")
    assert (Path(app_project.exports) / "table" / "annotations.csv").is_file()


async def test_nothing_of_the_dialog_and_of_the_result_is_cut(app_project: Project) -> None:
    async with opened(app_project, size=(100, 30)) as (app, screen, pilot):
        dialog = await dialog_of(app, pilot)
        assert "…" not in text_of(dialog._list)
        names = [one.name for one in dialog._list._products]
        await pilot.press(*["down"] * names.index("raven"))
        await until(pilot, lambda: "frequency" in text_of(dialog._facts), "what it carries")
        await pilot.press("escape")
        app.show_exported(
            SimpleNamespace(
                written=("exports/table", "exports/raven"),
                **{"lost": {"raven": 3}, "skipped": (), "notes": ("the end of a long note",), "better_model": ""},
            )
        )
        await until(pilot, lambda: text_of(screen.notice).rstrip().endswith("long note"), "all of it")


async def test_what_cannot_be_exported_is_one_line(app_project: Project) -> None:
    async with opened(app_project) as (app, screen, pilot):
        dialog = await dialog_of(app, pilot)
        await pilot.press("down")
        assert "needs a trained model" in text_of(dialog._facts)
        await pilot.press("enter")
        await until(pilot, lambda: "int8: the project has no model yet" in screen.notice.warning, "the reason")
    assert not app_project.exports.exists() or not list(app_project.exports.iterdir())
