"""`backup`, `restore`, and a project whose database is lost, as a user meets them."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest

from helpers.command_line import labeltool_here
from helpers.store import fill
from labeltool.project import Project
from labeltool.store import journal


@pytest.fixture
def filled(project: Project) -> Project:
    """A project with two clips, one of them labelled."""
    with project.open_store() as store:
        fill(store, "a", "b")
        journal.annotate(store, 1, "dog", annotator="ann")
    return project


def run(project: Project, *arguments: str | Path, check: int = 0) -> str:
    """Run a command on the project; return what is on stdout, or the one line of an error."""
    done = labeltool_here(project, *arguments, check=check)
    if check:
        assert done.stdout == "" and len(done.stderr.splitlines()) == 1, done.stderr
        return done.stderr
    return done.stdout


def test_a_backup_is_restored_and_going_back_too(filled: Project, tmp_path: Path) -> None:
    made = json.loads(run(filled, "backup", "--json"))
    assert Path(made["written"]).parent == filled.directory / "backups"
    assert made["journal_rows"] == 1 and made["bytes"] == Path(made["written"]).stat().st_size
    run(filled, "mark", "2", "cat")
    restored = json.loads(run(filled, "restore", made["written"], "--json"))
    assert json.loads(run(filled, "status", "--json"))["labels"] == {"dog": 1}
    run(filled, "restore", restored["kept"])
    assert json.loads(run(filled, "status", "--json"))["labels"] == {"cat": 1, "dog": 1}
    run(filled, "backup", tmp_path / "b.db")
    assert "--overwrite" in run(filled, "backup", tmp_path / "b.db", check=1)
    run(filled, "backup", tmp_path / "b.db", "--overwrite")


@pytest.mark.parametrize("with_settings", [True, False])
def test_a_lost_database_gets_the_truth_and_a_way_back(filled: Project, with_settings: bool) -> None:
    backup = Path(json.loads(run(filled, "backup", "--json"))["written"])
    filled.database.unlink()
    filled.database.with_name("labels.db-wal").write_bytes(b"of the lost one")
    if not with_settings:
        (filled.directory / "labeltool.toml").unlink()
    lines = [
        run(filled, *command, check=1) for command in (["status"], ["mark", "1", "cat"], ["init", filled.directory])
    ]
    for line in lines:
        assert f"{filled.database}: the project's database is missing" in line
        assert "labels.db-wal" in line and ("labeltool.toml" in line) == with_settings and "0 models" in line
        assert f"the newest backups/{backup.name}" in line and "init --empty-database" in line
    command = lines[0].split("`")[1]
    assert command == f"labeltool restore {shlex.quote(str(backup))}"
    kept = Path(json.loads(run(filled, *shlex.split(command)[1:], "--json"))["kept"])
    assert kept.name.endswith(".bak-wal") and kept.read_bytes() == b"of the lost one"
    assert json.loads(run(filled, "status", "--json"))["labels"] == {"dog": 1}


def test_an_empty_database_is_made_beside_what_remains_of_a_project(filled: Project) -> None:
    settings = filled.directory / "labeltool.toml"
    settings.write_text("annotator = 'me'\n")
    (filled.models / "7").mkdir()
    filled.database.rename(filled.directory / "lost")
    shutil.copy(filled.directory / "lost", filled.directory / "labels.db-wal")
    assert "copies of it: none" in run(filled, "status", check=1)
    run(filled, "init", filled.directory, "--empty-database")
    assert json.loads(run(filled, "status", "--json"))["clips"] == 0
    assert settings.read_text() == "annotator = 'me'\n" and (filled.models / "7").is_dir()
    # The -wal of the lost one is no part of the new one, and is kept.
    (kept,) = filled.directory.glob("labels.db.replaced.*.bak-wal")
    assert kept.read_bytes() == (filled.directory / "lost").read_bytes()
    assert "is a labeltool project already" in run(filled, "init", filled.directory, "--empty-database", check=1)


def test_a_project_with_strange_triggers_is_refused_by_every_kind_of_command(
    filled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEXTUAL_DRIVER", "of a browser")  # the app is refused before that without a terminal
    with filled.open_store() as store:
        store.connection.execute("CREATE TRIGGER t BEFORE INSERT ON journal BEGIN SELECT RAISE(IGNORE); END")
    for command in (["status", "--json"], ["mark", "2", "cat"], ["log"], ["backup"], ["label"]):
        assert "labels.db: its trigger 't' is not labeltool's" in run(filled, *command, check=1)
