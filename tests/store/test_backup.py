"""Backups are whole or absent, a database that is replaced is kept, and who has it open notices."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from helpers import old_schemas
from helpers.command_line import labeltool_here
from helpers.store import add_model_row, current, fill, replace_suggestions
from helpers.waits import DEADLINE_S
from labeltool import project as projects
from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.store import Store, backup, database_files, journal, models, schema
from labeltool.store.database import DatabaseExchanged
from labeltool.store.opening import Opened


def labelled(database: Path) -> set[str]:
    with Store.open(database) as store:
        return {str(label) for _, label in current(store)}


@pytest.fixture
def filled(project: Project) -> Project:
    """A project with a clip that is labelled `dog`."""
    with Store.open(project.database) as store:
        fill(store, "a")
        journal.annotate(store, 1, "dog", annotator="ann")
    return project


@pytest.fixture
def saved(filled: Project, tmp_path: Path) -> Path:
    """A backup of it."""
    path = tmp_path / "saved.db"
    with filled.open_store() as store:
        backup.back_up(store, path)
    return path


def killed_with_a_label(project: Project, label: str) -> None:
    """Label the clip in a process that ends without closing the database: the row is in the -wal alone."""
    program = f"""
import os
from pathlib import Path
from labeltool.store import Store, journal
store = Store.open(Path({str(project.database)!r}))
store.connection.execute("PRAGMA wal_autocheckpoint = 0")
journal.annotate(store, 1, {label!r}, annotator="ann")
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=DEADLINE_S)
    assert project.database.with_name("labels.db-wal").stat().st_size


def test_a_backup_is_one_whole_file_with_what_is_in_the_wal(filled: Project, tmp_path: Path) -> None:
    killed_with_a_label(filled, "cat")
    filled.database.chmod(0o640)
    with filled.open_store() as store:
        model = add_model_row(store)
        made = backup.back_up(store, tmp_path / "copy.db")
    assert made.journal_rows == 2 and made.size_bytes == made.path.stat().st_size
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o640
    with closing(sqlite3.connect(f"{made.path.as_uri()}?mode=ro&immutable=1", uri=True)) as copy:
        assert copy.execute("PRAGMA journal_mode").fetchone()[0] == "delete"
        assert copy.execute("SELECT label FROM journal ORDER BY id").fetchall() == [("dog",), ("cat",)]
    assert not list(tmp_path.glob("*copy.db-*")) and not list(tmp_path.glob(".*"))
    with Store.open(made.path) as opened:
        assert models.model(opened).id == model


def test_a_backup_replaces_a_file_only_when_it_is_to(filled: Project, saved: Path) -> None:
    before = saved.read_bytes()
    with filled.open_store() as store:
        with pytest.raises(LabeltoolError, match="--overwrite"):
            backup.back_up(store, saved)
        assert saved.read_bytes() == before
        journal.annotate(store, 1, "cat", annotator="ann")
        assert backup.back_up(store, saved, overwrite=True).journal_rows == 2
        for name in ("labels.db", "labels.db-wal"):
            with pytest.raises(LabeltoolError, match="the database itself"):
                backup.back_up(store, filled.directory / "models" / ".." / name, overwrite=True)
        with pytest.raises(LabeltoolError, match="is a folder"):
            backup.back_up(store, filled.models, overwrite=True)
    assert labelled(filled.database) == {"dog", "cat"}


def test_a_link_in_the_place_of_a_backup_is_replaced_and_not_followed(filled: Project, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "copy.db").symlink_to(tmp_path / "mine")
    with filled.open_store() as store:
        backup.back_up(store, tmp_path / "copy.db", overwrite=True)
    assert (tmp_path / "mine").read_text() == "mine" and not (tmp_path / "copy.db").is_symlink()


def test_a_damaged_database_makes_no_backup(filled: Project, tmp_path: Path) -> None:
    with filled.open_store() as store:
        fill(store, *"bcdefghijklmnopqrstuvwxyz")
        page = store.connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'journal_by_clip'").fetchone()[
            0
        ]
    with filled.database.open("r+b") as file:
        file.seek(4096 * (page - 1))
        file.write(b"\0" * 4096)
    with filled.open_store() as store, pytest.raises(LabeltoolError, match=r"labels\.db: is damaged"):
        backup.back_up(store, tmp_path / "copy.db")
    assert not [path for path in tmp_path.iterdir() if "copy" in path.name or path.name.startswith(".")]


def test_what_a_killed_backup_left_is_removed_by_the_next_one(filled: Project, tmp_path: Path) -> None:
    program = f"""
import os
from pathlib import Path
from labeltool.store.database_files import written_whole
with written_whole(Path({str(tmp_path / "copy.db")!r})) as partial:
    partial.write_bytes(b"half")
    os._exit(0)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=DEADLINE_S)
    assert list(tmp_path.glob(".*/copy.db"))
    with filled.open_store() as store:
        backup.back_up(store, tmp_path / "copy.db")
    assert not list(tmp_path.glob(".*"))


def test_a_backup_in_the_projects_folder_is_written_there_and_through_no_link(
    filled: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(filled.directory)
    with filled.open_store() as store:
        backup.back_up(store, Path("backups/mine.db"))
        assert labelled(filled.directory / "backups" / "mine.db") == {"dog"}
        shutil.rmtree("backups")
        (tmp_path / "elsewhere").mkdir()
        Path("backups").symlink_to(tmp_path / "elsewhere")
        for name in ("backups/mine.db", "models/../backups/mine.db", filled.directory / "backups" / "mine.db"):
            with pytest.raises(LabeltoolError, match="is a link"):
                backup.back_up(store, Path(name))
        assert not list((tmp_path / "elsewhere").iterdir())
        # A link of the person's own may be used, a missing folder is not made: a disk may be missing there.
        (tmp_path / "stick").symlink_to(tmp_path / "elsewhere")
        backup.back_up(store, tmp_path / "stick" / "mine.db")
        with pytest.raises(LabeltoolError, match=r"mine\.db: No such file or directory"):
            backup.back_up(store, tmp_path / "missing" / "mine.db")
    assert labelled(tmp_path / "elsewhere" / "mine.db") == {"dog"}


@pytest.mark.parametrize("leave", [KeyboardInterrupt, LabeltoolError])
def test_a_backup_that_is_stopped_in_its_check_ends_as_one_that_was_stopped(
    filled: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leave: type[BaseException]
) -> None:
    monkeypatch.setattr("labeltool.store.opening._INSTRUCTIONS_A_STEP", 1)
    calls: list[bool] = []

    def is_stopped() -> bool:
        calls.append(True)
        if len(calls) == 2 and leave is KeyboardInterrupt:  # the first time is that of copying
            raise KeyboardInterrupt
        return len(calls) > 1 and leave is LabeltoolError

    with filled.open_store() as store, pytest.raises(leave, match=r": stopped$" if leave is LabeltoolError else None):
        backup.back_up(store, tmp_path / "copy.db", is_stopped=is_stopped)
    assert len(calls) > 1 and not [path for path in tmp_path.iterdir() if path != filled.directory]


def test_a_stopped_backup_leaves_nothing(filled: Project, tmp_path: Path) -> None:
    with filled.open_store() as store, pytest.raises(LabeltoolError, match="stopped"):
        backup.back_up(store, tmp_path / "copy.db", is_stopped=lambda: True)
    assert not [path for path in tmp_path.iterdir() if path != filled.directory]


def test_a_restored_database_takes_no_wal_of_the_one_before_and_that_is_kept(filled: Project, saved: Path) -> None:
    killed_with_a_label(filled, "cat")
    kept = backup.restore(filled.database, saved)
    assert kept is not None and kept.parent == filled.directory
    assert labelled(filled.database) == {"dog"}
    assert labelled(kept) == {"dog", "cat"}
    assert labelled(saved) == {"dog"}
    # Back again.
    backup.restore(filled.database, kept)
    assert labelled(filled.database) == {"dog", "cat"}
    with closing(sqlite3.connect(filled.database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), KeyboardInterrupt()])
@pytest.mark.parametrize("step", ["labels.db", "labels.db-wal", "sync", "replace"])
def test_a_restore_that_fails_when_the_database_is_moved_gives_it_its_names_back(
    filled: Project, saved: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException
) -> None:
    killed_with_a_label(filled, "cat")
    rename = Path.rename

    def fail(path: Path, *_: object) -> Path:
        if step in ("replace", path.name) or (step == "sync" and path == filled.directory):
            raise error
        return rename(path, *_) if _ else path  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        target: tuple[object, str] = (Path, "replace") if step == "replace" else (Path, "rename")
        patch.setattr(*((database_files, "sync") if step == "sync" else target), fail)
        with pytest.raises((LabeltoolError, KeyboardInterrupt)):
            backup.restore(filled.database, saved)
    assert not list(filled.directory.glob("*replaced*")) and not list(filled.directory.glob(".*"))
    assert labelled(filled.database) == {"dog", "cat"}


def test_a_new_database_that_cannot_be_made_leaves_the_wal_of_a_lost_one(
    filled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_with_a_label(filled, "cat")
    wal = filled.database.with_name("labels.db-wal")
    content = wal.read_bytes()
    lose(filled)

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(LabeltoolError, match="Input/output error"):
        projects.create(filled.directory, empty_database=True)
    assert wal.read_bytes() == content and not filled.database.exists()


def test_the_newest_copy_is_the_one_that_was_written_last_its_wal_included(filled: Project) -> None:
    with filled.open_store() as store:
        made = backup.back_up(store, backup.default_path(filled.database)).path
    killed_with_a_label(filled, "cat")
    os.utime(filled.database, (1000, 1000))
    os.utime(made, (2000, 2000))
    with database_files.moved_away(filled.database) as kept:  # what a restore leaves that is killed here
        assert backup.copies(filled.database) == [kept, made]


def test_a_database_that_cannot_be_read_is_closed(filled: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    connections: list[sqlite3.Connection] = []

    def fail(_: Store, opened: Opened, path: Path) -> None:
        connections.append(opened.connection)
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(Store, "__init__", fail)
    with pytest.raises(LabeltoolError, match=r"labels\.db: "):
        filled.open_store()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connections[0].execute("SELECT 1")


def test_backups_of_other_programs_are_no_sign_of_a_project(tmp_path: Path) -> None:
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / "photos.db").write_bytes(b"of another program")
    with pytest.raises(LabeltoolError, match="is no labeltool project"):
        projects.find(tmp_path)
    lost = projects.create(tmp_path)
    lost.database.rename(tmp_path / "labels.db.replaced.1.bak")
    (tmp_path / "labeltool.toml").unlink()
    with pytest.raises(LabeltoolError, match=r"database is missing.*copies of it: 1, the newest labels\.db\.replaced"):
        projects.find(tmp_path)


def empty(project: Project) -> None:
    project.database.write_bytes(b"")


def cut(project: Project) -> None:
    os.truncate(project.database, 4096 * 3 + 17)


def overwrite(project: Project) -> None:
    project.database.write_bytes(b"noise" * 10_000)


def lose(project: Project) -> None:
    project.database.unlink()


def lose_everything(project: Project) -> None:
    for path in project.directory.glob("labels.db*"):
        path.unlink()


def plant(project: Project) -> None:
    with closing(sqlite3.connect(project.database)) as connection:
        connection.execute("CREATE TRIGGER t BEFORE INSERT ON journal BEGIN SELECT RAISE(IGNORE); END")


@pytest.mark.parametrize("damage", [empty, cut, overwrite, lose, lose_everything, plant])
def test_a_damaged_or_lost_database_is_replaced_and_its_files_are_kept(
    filled: Project, saved: Path, damage: Callable[[Project], None]
) -> None:
    killed_with_a_label(filled, "cat")
    wal = filled.database.with_name("labels.db-wal").read_bytes()
    damage(filled)
    kept = backup.restore(filled.database, saved)
    assert labelled(filled.database) == {"dog"}
    if damage is lose_everything:
        assert kept is None
    elif damage in (empty, lose):
        # What the -wal has is not thrown away.
        assert kept is not None and kept.with_name(f"{kept.name}-wal").read_bytes() == wal
    else:
        assert kept is not None and kept.exists()


def test_what_is_no_backup_is_refused_and_nothing_changes(filled: Project, saved: Path, tmp_path: Path) -> None:
    shutil.copy(saved, tmp_path / "newer.db")
    shutil.copy(saved, tmp_path / "trigger.db")
    shutil.copy(saved, tmp_path / "damaged.db")
    with closing(sqlite3.connect(tmp_path / "newer.db")) as connection:
        connection.execute(f"PRAGMA user_version = {schema.SCHEMA_VERSION + 1}")
    with closing(sqlite3.connect(tmp_path / "trigger.db")) as connection:
        connection.execute("CREATE TRIGGER t BEFORE INSERT ON journal BEGIN SELECT RAISE(IGNORE); END")
    with (tmp_path / "damaged.db").open("r+b") as file:
        file.seek(4096 * 4)
        file.write(b"\xff" * 4096 * 20)
    (tmp_path / "text.db").write_text("a text\n" * 1000)
    before = sorted(filled.directory.rglob("*"))
    for name, reason in (
        ("newer.db", "newer labeltool"),
        ("trigger.db", "its trigger 't' is not labeltool's"),
        ("damaged.db", "damaged"),
        ("text.db", "is not a labeltool database"),
        ("missing.db", "no such file"),
        ("project", "is no file"),
        ("project/labels.db", "is the database itself"),
    ):
        with pytest.raises(LabeltoolError, match=f"{name}: .*{reason}"):
            backup.restore(filled.database, tmp_path / name)
    assert [path for path in sorted(filled.directory.rglob("*")) if path.name[-4:] not in ("-shm", "-wal")] == before
    assert labelled(filled.database) == {"dog"}


def test_a_link_in_a_project_is_no_backup_but_a_link_of_the_user_is(
    filled: Project, saved: Path, tmp_path: Path
) -> None:
    inside, outside = filled.directory / "labels.db.schema-7.bak", tmp_path / "latest.db"
    inside.symlink_to(saved)
    outside.symlink_to(saved)
    with pytest.raises(LabeltoolError, match=r"schema-7\.bak: is a link"):
        backup.restore(filled.database, inside)
    assert backup.copies(filled.database) == []
    backup.restore(filled.database, outside)
    assert labelled(filled.database) == {"dog"}


def test_a_backup_of_an_older_schema_is_migrated_when_it_is_opened(filled: Project, tmp_path: Path) -> None:
    old = tmp_path / "old.db"
    with closing(old_schemas.released(old, 7)) as connection:
        old_schemas.add_recordings(connection, 1)
        old_schemas.add_rows(connection, [old_schemas.verdict(1, "owl")])
    backup.restore(filled.database, old)
    assert labelled(filled.database) == {"owl"}


def test_who_has_the_database_open_writes_nothing_more_and_leaves_the_new_one_alone(
    filled: Project, saved: Path
) -> None:
    store = filled.open_store()
    journal.annotate(store, 1, "cat", annotator="ann")
    kept = backup.restore(filled.database, saved)
    for attempt in (
        lambda: journal.annotate(store, 1, "owl", annotator="ann"),
        lambda: store.snapshot().__enter__(),
    ):
        with pytest.raises(DatabaseExchanged, match="was exchanged or removed while it was open"):
            attempt()
    with filled.open_store() as other:
        journal.annotate(other, 1, "bat", annotator="ann")
        store.close()  # SQLite removes the -wal of whoever closes last: not that of the new database
        journal.annotate(other, 1, "rat", annotator="ann")
    assert labelled(filled.database) == {"dog", "bat", "rat"}
    assert kept is not None and labelled(kept) == {"dog", "cat"}


def test_a_writer_finishes_before_the_database_is_exchanged(
    filled: Project, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labeltool.store.opening.BUSY_TIMEOUT_S", 0.05)
    refused = pytest.raises(LabeltoolError, match="another program is writing")
    with filled.open_store() as store, store.transaction(), refused:
        backup.restore(filled.database, saved)
    assert labelled(filled.database) == {"dog"}
    assert not list(filled.directory.glob("*replaced*")) and not list(filled.directory.glob(".*"))


@pytest.mark.parametrize("name", ["labels.db", "labels.db-wal", "labels.db-shm"])
def test_a_removed_file_is_noticed_before_anything_is_written(filled: Project, name: str) -> None:
    with filled.open_store() as store:
        journal.annotate(store, 1, "cat", annotator="ann")
        (filled.directory / name).unlink()
        with pytest.raises(DatabaseExchanged):
            journal.annotate(store, 1, "owl", annotator="ann")


def test_a_project_that_is_moved_while_it_is_open_is_noticed(filled: Project, tmp_path: Path) -> None:
    with filled.open_store() as store:
        filled.directory.rename(tmp_path / "elsewhere")
        with pytest.raises(DatabaseExchanged):
            journal.annotate(store, 1, "owl", annotator="ann")
        projects.create(filled.directory)
        with pytest.raises(DatabaseExchanged):
            journal.annotate(store, 1, "owl", annotator="ann")


def test_a_backup_is_written_before_the_first_change_of_a_day(filled: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def on(day: int) -> list[str]:
        """Open the project on a day, label, and return the names of the backups."""

        class Day(date):
            @classmethod
            def today(cls) -> date:
                return date(2026, 5, day)

        monkeypatch.setattr(backup, "date", Day)
        projects._backup_tried.clear()  # as in a process of this day
        with filled.open_store() as store:
            store.connection.execute("SELECT COUNT(*) FROM clips")
            assert not list(folder.glob(f"*{day:02}.db")), "reading writes none"
            for label in (f"label {day}", f"late {day}"):
                if day != 3:
                    journal.annotate(store, 1, label, annotator="ann")
                else:
                    replace_suggestions(store, [])
        return sorted(path.name for path in folder.iterdir())

    folder = filled.directory / "backups"
    settings = filled.directory / "labeltool.toml"
    settings.write_text("[backup]\ndaily = 2\n")
    filled = projects.load(filled.directory)
    assert on(1) == ["daily-2026-05-01.db"]
    assert labelled(folder / "daily-2026-05-01.db") == {"dog"}
    assert on(2) == ["daily-2026-05-01.db", "daily-2026-05-02.db"]
    on(3)
    shutil.copy(folder / "daily-2026-05-02.db", folder / "labels-mine.db")
    # On the third nothing was labelled; a backup by hand stays.
    assert on(4) == ["daily-2026-05-02.db", "daily-2026-05-03.db", "labels-mine.db"]
    on(5)
    settings.write_text("[backup]\ndaily = 0\n")
    filled = projects.load(filled.directory)
    assert "daily-2026-05-06.db" not in on(6)


def test_a_backup_that_fails_is_one_line_and_the_label_is_stored(filled: Project, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (filled.directory / "backups").symlink_to(tmp_path / "elsewhere")
    done = labeltool_here(filled, "mark", "1", "cat")
    warning, _ = done.stderr.splitlines()
    assert warning.startswith("labeltool: no backup was written today") and "is a link" in warning
    assert labelled(filled.database) == {"dog", "cat"} and not list((tmp_path / "elsewhere").iterdir())


def test_what_is_no_backup_is_not_overwritten(filled: Project) -> None:
    settings = filled.directory / "labeltool.toml"
    before = settings.read_bytes()
    with filled.open_store() as store, pytest.raises(LabeltoolError, match="is no backup, and is not overwritten"):
        backup.back_up(store, settings, overwrite=True)
    assert settings.read_bytes() == before


def test_backups_of_days_to_come_keep_none_of_today_out(filled: Project) -> None:
    folder = filled.directory / "backups"
    folder.mkdir(exist_ok=True)
    later = [folder / f"daily-2999-01-0{day}.db" for day in range(1, 9)]
    for file in later:
        file.write_bytes(b"no database")
    made = backup.back_up_daily(filled.database, 7, lambda: False)
    assert made is not None and labelled(made) == {"dog"} and all(file.exists() for file in later)
