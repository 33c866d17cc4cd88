"""Commands in a project that cannot be written: those that read work, the others say why in one line."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.command_line import labeltool, labeltool_here, labeltool_json
from helpers.read_only import fill_disk, listing, read_only, small_disk
from helpers.tones import tone_writer
from labeltool.project import Project
from labeltool.util.files import writable

READING = ("status", "clips", "log", "stats", "review", "transcripts")
WRITING = (
    "mark 1 dog",
    "undo",
    "note 1 text",
    "rename dog hound",
    "import audio {sound}",
    "relocate {sound}",
    "backup",
)


@pytest.fixture(autouse=True)
def _no_temporary_folders_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writable, "_instead", {})


@pytest.fixture
def labelled(project: Project, tmp_path: Path) -> Project:
    """A project with three sounds outside it, one of them labelled."""
    write = tone_writer(tmp_path / "sounds")
    for number in range(3):
        write(f"{number}.wav", frequency_hz=300.0 * (number + 1))
    labeltool_here(project, "import", "audio", tmp_path / "sounds")
    labeltool_here(project, "mark", "1", "dog")
    return project


def test_a_read_only_project(labelled: Project, tmp_path: Path, write_tone: Callable[..., Path]) -> None:
    sound = write_tone("new.wav")
    before = listing(labelled.directory)
    with read_only(labelled.directory):
        for command in READING:
            labeltool_here(labelled, command)
        assert labeltool_json(labelled, "status")["read_only"].startswith("read-only")
        for command in WRITING:
            done = labeltool_here(labelled, *(word.format(sound=sound) for word in command.split()), check=1)
            assert (done.stdout, len(done.stderr.splitlines())) == ("", 1), command
            assert "cannot be written (read-only" in done.stderr or command == "backup"
        for product in ("--splits", "--audacity"):
            labeltool_here(labelled, "export", product, "-o", tmp_path / "out")
            assert "nothing was exported" in labeltool_here(labelled, "export", product, check=1).stderr
        labeltool_here(labelled, "backup", tmp_path / "saved.db")
        # What is computed for it is computed in a temporary folder, which goes with the command.
        temporary = tmp_path / "temporary"
        temporary.mkdir()
        assert len(labeltool(labelled, "similar", "1", TMPDIR=str(temporary)).stdout.splitlines()) == 2
        assert list(temporary.iterdir()) == []
        assert listing(labelled.directory) == before
    assert (tmp_path / "out" / "splits").is_dir() and (tmp_path / "saved.db").is_file()


@pytest.mark.parametrize("exported_before", [False, True])
def test_a_refused_export_ends_with_one_note_that_nothing_was_exported(
    labelled: Project, exported_before: bool
) -> None:
    if exported_before:
        labeltool_here(labelled, "export", "--audacity")
    with read_only(labelled.directory):
        refusal = labeltool_here(labelled, "export", "--audacity", "--splits", check=1).stderr
    assert refusal.count("Read-only file system" if os.geteuid() == 0 else "Permission denied") == 1
    assert refusal.count("nothing was exported") == 1


def test_work_that_could_not_be_kept_is_not_begun(labelled: Project) -> None:
    with read_only(labelled.directory):
        for command in ("retrain", "suggest"):
            done = labeltool_here(labelled, command, check=1)
            assert "labels.db: cannot be written (read-only" in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_full_disk(labelled: Project, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    with small_disk(disk, "4m"):
        shutil.copytree(labelled.directory, disk / "p")
        fill_disk(disk)
        at = ("--project", disk / "p")
        for command in READING:
            labeltool_here(*at, command)
        labeltool_here(*at, "export", "--splits", "-o", tmp_path / "out")
        done = labeltool_here(*at, "mark", "1", "cat", check=1)
        assert "the disk is full; nothing was stored" in done.stderr and len(done.stderr.splitlines()) == 1


def test_what_the_project_has_computed_before_is_used(labelled: Project) -> None:
    assert labelled.cache == labelled.own_cache
    (labelled.own_cache / "similar" / "by-sound").mkdir(parents=True)
    (labelled.own_cache / "similar" / "by-sound" / "rows").write_text("old")
    with read_only(labelled.directory):
        other = labelled.cache
        assert other != labelled.own_cache and labelled.cache == other
        path = other / "similar" / "by-sound"
        assert writable.kept(path / "rows") == labelled.own_cache / "similar" / "by-sound" / "rows"
        assert writable.fetch(path) == path
        (path / "rows").write_text("new")
        assert writable.kept(path / "rows").read_text() == "new"
        assert (labelled.own_cache / "similar" / "by-sound" / "rows").read_text() == "old"
        assert writable.fetch(path) == path and (path / "rows").read_text() == "new"
