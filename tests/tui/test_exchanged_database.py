"""The app ends with one line when its database is not the one any more that it opened."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from helpers import waits
from helpers.app import opened, until, verdicts
from helpers.terminal import TerminalApp
from helpers.waits import DEADLINE_S
from labeltool.project import Project
from labeltool.store import Store, backup
from labeltool.tui import app as label_app


@pytest.fixture
def saved(app_project: Project, tmp_path: Path) -> Path:
    path = tmp_path / "saved.db"
    with app_project.open_store() as store:
        backup.back_up(store, path)
    return path


@pytest.mark.parametrize("key", ["1", "", "u"])
async def test_the_app_ends_and_writes_nothing_when_its_database_was_exchanged(
    app_project: Project, saved: Path, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without a key, the app finds out by itself.
    monkeypatch.setattr(label_app, "_CHECK_DATABASE_S", DEADLINE_S if key else 0.05)
    async with opened(app_project) as (app, _, pilot):
        kept = backup.restore(app_project.database, saved)
        assert kept is not None
        if key:
            await pilot.press(key)
        await until(pilot, lambda: app.failure is not None and app.return_code, "the end of the app")
        assert app.return_code == 1 and "was exchanged or removed" in str(app.failure)
    for database in (app_project.database, kept):
        with Store.open(database) as store:
            assert verdicts(store) == []


def test_the_command_ends_with_the_line_and_exit_code_1(app_project: Project) -> None:
    with TerminalApp(app_project) as app:
        app.until("2 ▌  high")
        shutil.move(app_project.directory, app_project.directory.with_name("moved"))
        app.press("2")
        assert app.process.wait(DEADLINE_S) == 1
        found = app.until(r"labeltool: \S*labels\.db: was exchanged or removed while it was open")
        assert app.painted().count(found[0]) == 1
    with Store.open(app_project.directory.with_name("moved") / "labels.db") as store:
        assert verdicts(store) == []


def test_a_backup_of_the_day_is_written_in_the_background_and_a_failure_is_shown(app_project: Project) -> None:
    folder = app_project.directory / "backups"
    shutil.rmtree(folder, ignore_errors=True)
    folder.write_text("no folder")
    with TerminalApp(app_project) as app:
        app.until("no backup was written today")
        assert app.leave() == 0
    folder.unlink()
    with TerminalApp(app_project) as app:
        waits.until(lambda: list(folder.glob("daily-*.db")), "the backup")
        assert app.leave() == 0
    (made,) = folder.iterdir()
    with Store.open(made) as store:
        assert len(store.connection.execute("SELECT 1 FROM journal").fetchall()) == 2
