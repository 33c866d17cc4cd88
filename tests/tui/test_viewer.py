"""The app over a project that cannot be written: everything can be looked at, and keys that label say why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.app import fill, opened, text_of, until, verdicts
from helpers.read_only import fill_disk, listing, read_only, small_disk
from helpers.terminal import TerminalApp
from helpers.waits import DEADLINE_S
from labeltool import project as projects
from labeltool.project import Project
from labeltool.store import Store, clips, journal
from labeltool.tui.screens.browse import BrowseScreen
from labeltool.tui.screens.regions import RegionsScreen
from labeltool.tui.screens.review import ReviewScreen


async def test_keys_that_label_say_why_not_and_the_clip_stays(app_project: Project) -> None:
    before = listing(app_project.directory)
    with read_only(app_project.directory):
        async with opened(app_project) as (app, screen, pilot):
            await until(pilot, lambda: "nothing can be labelled here" in screen.notice.text, "the notice")
            assert "read-only" in text_of(screen.header)
            await until(pilot, lambda: screen.choices, "labels")
            first = screen.current
            for key in ("1", "n", "u", "d"):
                screen.notice.clear()
                await pilot.press(key)
                await until(
                    pilot, lambda: "cannot be written (read-only" in screen.notice.text, f"the reason for {key}"
                )
                assert screen.current is first
            await pilot.press("t")
            await until(pilot, lambda: "nothing can be trained" in screen.notice.text, "the reason")
            assert not app.services.trainer.busy and app.services.state.training is None
        assert listing(app_project.directory) == before


@pytest.mark.parametrize(("key", "view"), [("B", BrowseScreen), ("R", ReviewScreen), ("w", RegionsScreen)])
async def test_every_view_opens(app_project: Project, key: str, view: type) -> None:
    with read_only(app_project.directory):
        async with opened(app_project) as (app, _, pilot):
            await pilot.press(key)
            await until(pilot, lambda: isinstance(app.screen, view), "the view")
            await until(pilot, lambda: "read-only" in text_of(app.screen.header), "the header")  # type: ignore[attr-defined]
            assert app.failure is None and app.return_code is None
        with app_project.open_store() as store:
            assert verdicts(store) == []


def test_the_command_opens_the_viewer_and_quits(app_project: Project) -> None:
    with read_only(app_project.directory), TerminalApp(app_project) as app:
        app.until("nothing can be labelled here")
        app.press("q")
        assert app.process.wait(DEADLINE_S) == 0


async def test_a_disk_that_fills_up_while_the_app_is_open(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    with small_disk(disk, "4m"):
        project = fill(projects.create(disk / "p"), tmp_path / "sounds", 3)
        with project.open_store() as store:
            journal.annotate(store, clips.all_clips(store)[0].id, "low", annotator="before")
        async with opened(project) as (_, screen, pilot):
            await until(pilot, lambda: screen.choices, "labels")
            fill_disk(disk)
            first = screen.current
            await pilot.press("1")
            await until(pilot, lambda: "the disk is full" in screen.notice.text, "the reason")
            assert first is not None and screen.current is first
        with Store.open(project.database) as store:
            assert verdicts(store) == []
