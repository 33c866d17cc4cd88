"""Databases that cannot be written: all that was committed is read, nothing is written, and the reason is given."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from helpers import old_schemas
from helpers.command_line import labeltool
from helpers.read_only import fill_disk, listing, read_only, small_disk
from helpers.store import current, fill
from labeltool.annotation import next_clips
from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.store import Store, backup, clips, journal, opening, schema
from labeltool.store.database import DatabaseExchanged
from labeltool.store.opening import CannotBeWritten
from labeltool.util.files.writable import why_not_writable


@pytest.fixture
def labelled(project: Project) -> Project:
    """A closed project with two clips and a label."""
    with project.open_store() as store:
        fill(store, "a", "b")
        journal.annotate(store, 1, "dog", annotator="ann")
    return project


def killed(project: Project, folder: Path, *parts: str) -> Path:
    """A copy of a database as a killed process leaves it, its last label in the -wal alone."""
    folder.mkdir()
    with project.open_store() as store:
        store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        journal.annotate(store, 1, "owl", annotator="ann")
        for part in ("", "-wal", *parts):
            shutil.copy(f"{project.database}{part}", folder / f"labels.db{part}")
    return folder / "labels.db"


def require_only_reading(store: Store) -> None:
    for write in (
        lambda: journal.annotate(store, 2, "cat", annotator="ann"),
        lambda: journal.undo(store, annotator="ann"),
    ):
        with pytest.raises(CannotBeWritten, match=r"labels\.db: cannot be written \(read-only.*\)$"):
            write()


def test_a_closed_project_is_read_and_stays_as_it_is(labelled: Project) -> None:
    before = listing(labelled.directory)
    with read_only(labelled.directory):
        with labelled.open_store() as store:
            assert store.read_only.startswith("read-only")
            assert current(store) == {(1, "dog"): "present"}
            require_only_reading(store)
            # Who only looks takes no clips from others.
            assert [clip.id for clip in next_clips.claim_clips(store, 5, annotator="ann")] == [2]
            assert next_clips.claim(store, [2], annotator="bob") == [2]
            next_clips.release(store, annotator="ann")
        with pytest.raises(CannotBeWritten):
            labelled.open_store(to_write=True)
        assert labelled.back_up_daily() == ""
        assert listing(labelled.directory) == before


@pytest.mark.parametrize("parts", [(), ("-shm",)])
def test_what_a_killed_process_committed_is_read_without_writing(
    labelled: Project, tmp_path: Path, parts: tuple[str, ...]
) -> None:
    database = killed(labelled, tmp_path / "disc", *parts)
    before = listing(database.parent)
    with read_only(database.parent):
        with Store.open(database) as store:
            assert current(store) == {(1, "dog"): "present", (1, "owl"): "present"}
            assert store.absolute_path("a.wav") == str(database.parent / "a.wav")
            require_only_reading(store)
            backup.back_up(store, tmp_path / "saved.db")
        assert listing(database.parent) == before
    with Store.open(tmp_path / "saved.db") as saved:
        assert len(current(saved)) == 2


def test_a_killed_project_that_is_too_large_to_copy_is_refused(
    labelled: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = killed(labelled, tmp_path / "disc")
    monkeypatch.setattr("labeltool.util.files.writable.free_bytes", lambda path: 0)
    with read_only(database.parent), pytest.raises(LabeltoolError, match=r"no space for .* temporary files"):
        Store.open(database)


def test_an_older_database_is_read_from_a_migrated_copy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], project: Project
) -> None:
    project.database.unlink()
    with closing(old_schemas.released(project.database, 7)) as connection:
        old_schemas.add_recordings(connection, 1)
        old_schemas.add_rows(connection, [old_schemas.verdict(1, "owl")])
    before = listing(project.directory)
    with read_only(project.directory):
        for _ in range(2):
            with project.open_store() as store:
                assert current(store) == {(1, "owl"): "present"}
                assert store.connection.execute("PRAGMA user_version").fetchone()[0] == schema.SCHEMA_VERSION
                require_only_reading(store)
        assert listing(project.directory) == before
    assert capsys.readouterr().err.count("of an older labeltool (read-only") == 1


_WRITER = """
import sys
from pathlib import Path
from labeltool.store import Store, journal
with Store.open(Path(sys.argv[1])) as store:
    for label in sys.stdin:
        journal.annotate(store, 2, label.strip(), annotator="bob")
        print("written", flush=True)
"""


@pytest.fixture
def writer(labelled: Project) -> Iterator[subprocess.Popen[str]]:
    """Another process that writes a label for each line."""
    command = [sys.executable, "-c", _WRITER, str(labelled.database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process


def write(process: subprocess.Popen[str], label: str) -> None:
    assert process.stdin is not None and process.stdout is not None
    print(label, file=process.stdin, flush=True)
    assert process.stdout.readline() == "written\n"


def test_what_another_process_writes_meanwhile_is_seen(labelled: Project, writer: subprocess.Popen[str]) -> None:
    write(writer, "bat")
    with read_only(labelled.directory), labelled.open_store() as store:  # the other has its files open already
        assert current(store) == {(1, "dog"): "present", (2, "bat"): "present"}
        with store.snapshot():
            write(writer, "cat")
            seen = len(current(store))
            write(writer, "cow")
            assert len(current(store)) == seen
        assert (2, "cow") in current(store)
        require_only_reading(store)


def test_a_change_by_one_who_began_later_is_noticed(labelled: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening, "why_not_writable", lambda *_: "read-only: no permission")
        store = labelled.open_store()
    with pytest.raises(DatabaseExchanged, match="was changed by somebody else"), store:
        assert current(store) == {(1, "dog"): "present"}
        with labelled.open_store() as other:
            journal.annotate(other, 2, "cat", annotator="bob")
    with labelled.open_store() as store:
        assert len(current(store)) == 2


@pytest.mark.parametrize("as_killed", [False, True])
def test_a_full_disk_is_read(labelled: Project, tmp_path: Path, as_killed: bool) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    source = killed(labelled, tmp_path / "killed").parent if as_killed else labelled.directory
    with small_disk(disk, "4m"):
        shutil.copytree(source, disk / "p")
        fill_disk(disk)
        with Store.open(disk / "p" / "labels.db") as store:
            assert len(current(store)) == 1 + as_killed
            with pytest.raises(CannotBeWritten, match="the disk is full; nothing was stored"):
                journal.annotate(store, 2, "cat", annotator="ann")
            assert clips.counts(store).labelled == 1


def test_a_quota_that_is_used_up_is_read(labelled: Project) -> None:
    """No file of this process may grow: it is the same wherever there is no disk to fill."""
    code = """
import resource, sys
from labeltool.__main__ import main
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
sys.argv = ["labeltool", "--project", *sys.argv[1:]]
main()
"""
    for arguments, status, expected in (
        (["status"], 0, "clips       2"),
        (["mark", "2", "cat"], 1, "cannot be written"),
    ):
        command = [sys.executable, "-c", code, str(labelled.directory), *arguments]
        done = subprocess.run(command, capture_output=True, text=True)
        assert (done.returncode, expected in done.stdout + done.stderr) == (status, True), done.stderr
        assert len(done.stderr.splitlines()) == status, done.stderr


def test_reading_goes_on_beside_one_who_writes(labelled: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(sqlite3.connect(labelled.database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        other.execute("DELETE FROM queue")
        assert "clips       2" in labeltool(labelled, "status").stdout
        with labelled.open_store() as store:
            assert current(store) == {(1, "dog"): "present"}
            monkeypatch.setattr(next_clips, "_WAIT_S", 0.05)
            assert [clip.id for clip in next_clips.claim_clips(store, 5, annotator="ann")] == [2]
            assert store.connection.execute("PRAGMA busy_timeout").fetchone()[0] == 1000 * opening.BUSY_TIMEOUT_S


def test_one_who_has_the_database_alone_is_named(labelled: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_OPEN_TIMEOUT_S", 0.05)
    with closing(sqlite3.connect(labelled.database, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("DELETE FROM queue")
        other.execute("INSERT INTO queue (rank, clip_id) VALUES (0, 2)")
        for why in ("", "read-only: no permission"):
            monkeypatch.setattr(opening, "why_not_writable", lambda *_, why=why: why)
            with pytest.raises(LabeltoolError, match=r"labels\.db: another program is writing.* \(try again"):
                labelled.open_store()
    with labelled.open_store() as store:
        assert len(current(store)) == 1


def test_a_file_that_another_process_makes_meanwhile_is_no_sign_of_a_read_only_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wal = tmp_path / "labels.db-wal"
    exists = os.path.lexists

    def made_meanwhile(path: Path) -> bool:
        wal.touch()
        return exists(path)

    monkeypatch.setattr(os.path, "lexists", made_meanwhile)
    assert why_not_writable(wal) == ""
