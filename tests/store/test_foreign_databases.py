"""Databases that others made: nothing in them runs, no link is followed, and what is harmless stays."""

from __future__ import annotations

import os
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from helpers import old_schemas
from helpers.store import current, fill
from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.store import Store, backup, journal, schema

PLANTED = (
    "CREATE TRIGGER planted BEFORE INSERT ON journal BEGIN SELECT RAISE(IGNORE); END",
    "CREATE TRIGGER planted AFTER INSERT ON claims BEGIN DELETE FROM queue; END",
    "CREATE TRIGGER planted INSTEAD OF INSERT ON labelled_clips BEGIN SELECT 1; END",
    "CREATE VIEW other AS SELECT 1; CREATE TRIGGER planted INSTEAD OF DELETE ON other BEGIN SELECT 1; END",
    "DROP TRIGGER journal_is_never_edited",
    "DROP INDEX journal_by_clip",
    "DROP VIEW labelled_clips",
    "DROP VIEW labelled_clips; CREATE VIEW labelled_clips AS SELECT * FROM current_annotations",
    "DROP VIEW unlabelled_clips; CREATE TABLE unlabelled_clips (clip_id INTEGER)",
    "ALTER TABLE clips ADD COLUMN more TEXT",
    "ALTER TABLE clips ADD COLUMN more INTEGER AS (length(hex(zeroblob(1000000))))",
    "CREATE UNIQUE INDEX planted ON journal (clip_id)",
    "CREATE INDEX planted ON journal (hex(zeroblob(1000000)))",
    "CREATE INDEX planted ON journal (label) WHERE length(label) > 3",
    "CREATE TABLE planted (id TEXT REFERENCES journal (id) ON DELETE CASCADE)",
    "CREATE TABLE planted (x TEXT CHECK (length(hex(zeroblob(1000000)))))",
    "CREATE TABLE planted (x TEXT, y TEXT AS (upper(x)))",
    "CREATE VIRTUAL TABLE planted USING fts5 (text)",
    "CREATE VIEW json_each AS SELECT 1 AS value",
    "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = replace(sql, 'REFERENCES clips (id)', '') "
    "WHERE name = 'claims'",
    "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = replace(sql, 'annotator TEXT NOT NULL', "
    "'annotator TEXT NULL') WHERE name = 'claims'",
    "PRAGMA writable_schema = ON; UPDATE sqlite_master SET rootpage = "
    "(SELECT rootpage FROM sqlite_master WHERE name = 'journal') WHERE name = 'labels'",
)

HARMLESS = (
    "CREATE VIEW mine AS SELECT label, COUNT(*) FROM labelled_clips GROUP BY label",
    "CREATE INDEX mine ON journal (created_at, label COLLATE NOCASE DESC)",
    'CREATE TABLE "my notes" (id INTEGER PRIMARY KEY, "the text" TEXT DEFAULT \'x\')',
    "CREATE TABLE mine (id TEXT PRIMARY KEY, x); CREATE UNIQUE INDEX mine_x ON mine (x)",
    "ANALYZE",
)


def run(database: Path, sql: str) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.executescript(sql)


@pytest.fixture
def database(project: Project) -> Iterator[Path]:
    """A database with a clip and a label, not open."""
    with project.open_store() as store:
        fill(store, "a")
        journal.annotate(store, 1, "dog", annotator="ann")
    yield project.database


@pytest.mark.parametrize("sql", PLANTED)
def test_a_database_that_could_act_otherwise_is_refused_and_not_changed(database: Path, sql: str) -> None:
    run(database, sql)
    before = database.read_bytes()
    with pytest.raises(
        LabeltoolError, match=r"labels\.db: .*(not labeltool's|not as labeltool|missing|damaged)"
    ) as error:
        Store.open(database)
    assert "\n" not in str(error.value)
    assert database.read_bytes() == before


@pytest.mark.parametrize("sql", HARMLESS)
def test_what_only_shows_or_stores_stays(database: Path, sql: str) -> None:
    run(database, sql)
    with Store.open(database) as store:
        assert current(store) == {(1, "dog"): "present"}
        journal.annotate(store, 1, "cat", annotator="ann")
        assert store.connection.execute("PRAGMA trusted_schema").fetchone()[0] == 0


def test_a_trigger_of_an_old_database_does_not_run_in_the_migration(tmp_path: Path) -> None:
    path = tmp_path / "labels.db"
    with closing(old_schemas.released(path, 7)) as connection:
        old_schemas.add_recordings(connection, 1)
        old_schemas.add_rows(connection, [old_schemas.verdict(1, "dog")])
    run(path, "CREATE TABLE seen (x); CREATE TRIGGER t AFTER INSERT ON journal BEGIN INSERT INTO seen VALUES (1); END")
    with pytest.raises(LabeltoolError, match="its trigger 't' is not labeltool's"):
        Store.open(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM seen").fetchone()[0] == 0
        assert connection.execute("PRAGMA user_version").fetchone()[0] == 7
    assert not list(tmp_path.glob("*.bak"))


def test_a_database_with_a_false_version_is_refused(database: Path) -> None:
    run(database, "PRAGMA user_version = 7")
    with pytest.raises(LabeltoolError, match="is not as labeltool makes it"):
        Store.open(database)
    run(database, "PRAGMA user_version = -1")
    with pytest.raises(LabeltoolError, match="is not a labeltool database"):
        Store.open(database)


def test_the_stored_fingerprint_is_that_of_the_migrations(project: Project) -> None:
    found = schema.fingerprint(schema.objects_made_by(schema.MIGRATIONS))
    assert found == schema.CURRENT_SCHEMA, f"CURRENT_SCHEMA in labeltool/store/schema.py is {found} now"


def test_most_databases_are_known_by_the_fingerprint(database: Path) -> None:
    schema.objects_made_by.cache_clear()
    Store.open(database).close()
    assert not schema.objects_made_by.cache_info().misses


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", "-journal"])
def test_a_link_is_named_before_sqlite_follows_it(database: Path, tmp_path: Path, suffix: str) -> None:
    link = database.with_name(database.name + suffix)
    target = tmp_path / "elsewhere"
    target.write_bytes(b"" if suffix else database.read_bytes())
    link.unlink(missing_ok=True)
    link.symlink_to(target)
    before = target.read_bytes()
    with pytest.raises(LabeltoolError, match="is a link") as error:
        Store.open(database)
    assert str(error.value).startswith(f"{link}: ")
    assert target.read_bytes() == before and link.is_symlink()


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
@pytest.mark.parametrize("is_in_use", [True, False])
def test_a_file_that_has_another_name_elsewhere_is_named_and_only_read(
    database: Path, tmp_path: Path, suffix: str, is_in_use: bool
) -> None:
    folder = tmp_path / "p"
    folder.mkdir()
    copy = folder / database.name
    with Store.open(database) as store:
        fill(store, "more")  # there is a -wal
        recordings = store.connection.execute("SELECT COUNT(*) FROM recordings").fetchone()[0]
        for end in ("", "-wal", "-shm"):  # the folder as a backup of a running program has it
            copy.with_name(copy.name + end).write_bytes(database.with_name(database.name + end).read_bytes())
        opened = database if is_in_use else copy
        file, elsewhere = opened.with_name(opened.name + suffix), tmp_path / "elsewhere"
        elsewhere.hardlink_to(file)
        before = elsewhere.read_bytes()
        with Store.open(opened) as linked:
            assert linked.connection.execute("SELECT COUNT(*) FROM recordings").fetchone()[0] == recordings
            assert f"{file.name} is a hard link" in linked.read_only
            with pytest.raises(LabeltoolError, match=rf"cannot be written .*`cp {file.name} copy && mv copy"):
                fill(linked, "other")
        assert suffix == "-shm" or elsewhere.read_bytes() == before  # the other's locks are noted in a -shm
        assert is_in_use or elsewhere.read_bytes() == before
        with pytest.raises(LabeltoolError, match="is a hard link"):
            Store.open(opened, to_write=True)
    elsewhere.unlink()
    with Store.open(opened, to_write=True) as store:
        assert store.connection.execute("SELECT COUNT(*) FROM recordings").fetchone()[0] == recordings


def test_a_whole_database_that_has_another_name_elsewhere_is_read(database: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").hardlink_to(database)
    with Store.open(database) as store:
        assert "hard link" in store.read_only
    assert sorted(one.name for one in database.parent.iterdir() if one.name.startswith(database.name)) == ["labels.db"]


def test_a_database_with_two_names_is_replaced_by_a_backup_and_the_other_name_keeps_its_bytes(
    database: Path, tmp_path: Path
) -> None:
    copy, elsewhere = tmp_path / "copy.db", tmp_path / "elsewhere.db"
    with Store.open(database) as store:
        backup.back_up(store, copy)
    (tmp_path / "other.db").hardlink_to(copy)  # a backup may have other names: it is only read
    elsewhere.hardlink_to(database)
    before = elsewhere.read_bytes()
    kept = backup.restore(database, copy)
    assert kept is not None and kept.samefile(elsewhere) and elsewhere.read_bytes() == before
    Store.open(database).close()


def test_a_pipe_is_no_database(database: Path) -> None:
    os.mkfifo(f"{database}-wal")
    with pytest.raises(LabeltoolError, match=r"labels\.db-wal: is no file"):
        Store.open(database)


def test_a_journal_that_names_a_file_deletes_nothing(database: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("mine\n")
    name = str(precious).encode()
    magic = bytes.fromhex("d9d505f920a163d7")
    pages = database.stat().st_size // 4096
    header = magic + struct.pack(">5I", 0, 1, pages, 512, 4096)
    checksum = sum(name) & 0xFFFFFFFF
    end = struct.pack(">I", 0x40000000 // 4096 + 1) + name + struct.pack(">2I", len(name), checksum) + magic
    database.with_name("labels.db-journal").write_bytes(header.ljust(512, b"\0") + end)
    with pytest.raises(LabeltoolError, match=r"labels\.db-journal: names another file"):
        Store.open(database)
    assert precious.exists()
    # What SQLite itself does with it:
    run(database, "SELECT COUNT(*) FROM sqlite_master")
    assert not precious.exists()


def test_the_log_of_an_empty_database_is_not_deleted(database: Path) -> None:
    with Store.open(database) as store:
        journal.annotate(store, 1, "cat", annotator="ann")
        wal = database.with_name("labels.db-wal").read_bytes()
    database.write_bytes(b"")
    database.with_name("labels.db-wal").write_bytes(wal)
    with pytest.raises(LabeltoolError, match=r"labels\.db: is empty"):
        Store.open(database)
    assert database.with_name("labels.db-wal").read_bytes() == wal
