"""Files and folders are written whole or not at all, and what a killed process left is removed."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from labeltool.errors import LabeltoolError
from labeltool.util.files import atomic_write
from labeltool.util.files.atomic_write import new_folder, open_atomic, open_empty, remove_tree, write_bytes, write_text

WRITE_SLOWLY = """
import sys, time
from pathlib import Path
from labeltool.util.files.atomic_write import new_folder, open_atomic
with new_folder(Path(sys.argv[1])) as new, open_atomic(Path(sys.argv[1], "file")) as file:
    (new.path / "half.bin").write_bytes(b"half")
    file.write(b"half")
    file.flush()
    print("started", flush=True)
    time.sleep(600)
"""


@contextmanager
def another_process_writing(folder: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", WRITE_SLOWLY, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "started\n"
        try:
            yield process
        finally:
            process.kill()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_takes_the_place_of_another_and_its_folder_is_made(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "new" / "folder" / "a.txt"
    write_bytes(path, b"old", durable=durable)
    write_text(path, "new ä\r\n", durable=durable)
    assert path.read_bytes() == "new ä\r\n".encode() and [*path.parent.iterdir()] == [path]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(KeyboardInterrupt), open_atomic(path) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and [*tmp_path.iterdir()] == [path]


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """Let writing fail as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_leaves_the_old_file_and_the_old_folder(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "old")
    with new_folder(tmp_path) as new:
        (new.path / "one").write_bytes(b"old")
        new.publish("folder")
    before = files(tmp_path)
    with no_file_longer_than(1000):
        with pytest.raises(OSError) as of_file:
            write_bytes(tmp_path / "file", bytes(2000))
        with pytest.raises(OSError), new_folder(tmp_path) as new:
            (new.path / "one").write_bytes(bytes(2000))
            new.publish("folder")
    assert of_file.value.filename == str(tmp_path / "file")
    assert files(tmp_path) == before and names(tmp_path) == ["file", "folder"]


@pytest.mark.parametrize("durable", [False, True])
def test_bytes_are_on_the_disk_before_a_file_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durable: bool
) -> None:
    calls = record_order(monkeypatch)
    write_text(tmp_path / "a.txt", "text", durable=durable)
    assert calls == (["sync file of 4", "name a.txt", "sync folder"] if durable else ["name a.txt"])


def test_all_of_a_folder_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = record_order(monkeypatch)
    with new_folder(tmp_path) as new:
        (new.path / "inner").mkdir()
        (new.path / "inner" / "file").write_bytes(b"1234")
        new.publish("folder")
    assert sorted(calls[:3]) == ["sync file of 4", "sync folder", "sync folder"]
    assert calls[3:] == ["name folder", "sync folder"]


def record_order(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that gets a line for each sync and for each final name that something is given."""
    calls: list[str] = []
    fsync, rename, replace = os.fsync, os.rename, os.replace

    def record_sync(descriptor: int) -> None:
        status = os.fstat(descriptor)
        calls.append("sync folder" if stat.S_ISDIR(status.st_mode) else f"sync file of {status.st_size}")
        fsync(descriptor)

    def record_rename(old: str, new: str, **folders: int) -> None:
        rename(old, new, **folders)
        if not new.startswith("."):
            calls.append(f"name {new}")

    def record_replace(old: str, new: str, **folders: int) -> None:
        replace(old, new, **folders)
        calls.append(f"name {new}")

    monkeypatch.setattr(os, "fsync", record_sync)
    monkeypatch.setattr(os, "rename", record_rename)
    monkeypatch.setattr(os, "replace", record_replace)
    return calls


def test_a_folder_replaces_another_and_nobody_else_enters_it_before(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    for content in (b"old", b"new"):
        with new_folder(tmp_path) as new:
            assert stat.S_IMODE(new.path.stat().st_mode) & 0o077 == 0
            (new.path / content.decode()).write_bytes(content)
            assert new.publish("folder") == tmp_path / "folder"
    assert files(tmp_path) == {"folder/new": b"new"} and names(tmp_path) == ["folder", "plain"]
    assert (tmp_path / "folder").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_folder_that_is_not_published_or_withdrawn_is_removed(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), new_folder(tmp_path / "parent") as new:
        (new.path / "file").write_bytes(b"half")
        raise KeyboardInterrupt
    with new_folder(tmp_path / "parent") as new:
        new.publish("folder")
        new.withdraw("folder")
    assert names(tmp_path / "parent") == []


@pytest.mark.parametrize("step", ["rename", "fsync"])
def test_what_cannot_take_a_name_leaves_what_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    with new_folder(tmp_path) as new:
        (new.path / "old").touch()
        new.publish("folder")
    of_step = getattr(os, step)

    def fail(one: str | int, *more: str, **folders: int) -> None:
        if str(one).endswith(".partial") or (step == "fsync" and (tmp_path / "folder" / "new").exists()):
            raise OSError(5, "Input/output error")
        of_step(one, *more, **folders)

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="Input/output error"), new_folder(tmp_path) as new:
        (new.path / "new").touch()
        new.publish("folder")
    assert names(tmp_path) == ["folder"] and names(tmp_path / "folder") == ["old"]


def test_what_is_being_written_stays_and_what_a_killed_process_left_goes(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    with another_process_writing(folder) as process:
        started = names(folder)
        with new_folder(folder):
            pass
        assert names(folder) == started and len(started) == 2
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert names(folder) == started
    (folder / "partial").mkdir()
    (folder / ".partial").mkdir()
    with new_folder(folder):
        pass
    assert names(folder) == [".partial", "partial"]


def test_the_first_file_of_a_process_in_a_folder_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    with another_process_writing(folder):
        pass
    write_text(folder / "a.txt", "text")
    assert names(folder) == ["a.txt"]


@pytest.mark.parametrize("is_taken", [False, True])
def test_a_process_killed_between_two_renames_leaves_the_old_folder_or_the_new_one(
    tmp_path: Path, is_taken: bool
) -> None:
    aside = tmp_path / f".splits.{'0f' * 16}.replaced"
    aside.mkdir()
    (aside / "old").touch()
    if is_taken:
        (tmp_path / "splits").mkdir()
        (tmp_path / "splits" / "new").touch()
    with new_folder(tmp_path):
        pass
    assert names(tmp_path) == ["splits"] and names(tmp_path / "splits") == (["new"] if is_taken else ["old"])


def test_links_in_place_of_a_file_a_log_or_a_folder_are_replaced(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    (outside / "folder").mkdir(parents=True)
    inside.mkdir()
    for name in ("file", "log"):
        (outside / name).write_text("untouched")
        (inside / name).symlink_to(outside / name)
    (inside / "folder").symlink_to(outside / "folder")
    before = files(outside)
    write_text(inside / "file", "inside")
    open_empty(inside / "log").close()
    with new_folder(inside) as new:
        (new.path / "new").write_text("inside")
        new.publish("folder")
    assert files(outside) == before and not any(path.is_symlink() for path in inside.iterdir())
    assert files(inside) == {"file": b"inside", "log": b"", "folder/new": b"inside"}


def test_pipes_and_hard_links_in_place_of_a_log_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("untouched")
    os.link(tmp_path / "outside", tmp_path / "hard")
    os.mkfifo(tmp_path / "pipe")
    for name in ("hard", "pipe"):
        with open_empty(tmp_path / name) as log:
            log.write(b"line\n")
        assert (tmp_path / name).read_text() == "line\n"
    assert (tmp_path / "outside").read_text() == "untouched"


def test_a_link_on_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outside" / "inner").mkdir(parents=True)
    (tmp_path / "cache").symlink_to(tmp_path / "outside")
    for folder in (tmp_path / "cache", tmp_path / "cache" / "inner", tmp_path / "cache" / "new"):
        with pytest.raises(LabeltoolError, match=f"^{tmp_path}/cache: is a link"):
            write_text(folder / "a.txt", "text")
        with pytest.raises(LabeltoolError, match=f"^{tmp_path}/cache: is a link"):
            open_empty(folder / "a.log")
        with pytest.raises(LabeltoolError, match=f"^{tmp_path}/cache: is a link"), new_folder(folder):
            pass
        with pytest.raises(LabeltoolError, match=f"^{tmp_path}/cache: is a link"):
            remove_tree(folder / "inner")
    assert names(tmp_path / "outside") == ["inner"] and names(tmp_path / "outside" / "inner") == []


def test_a_tree_is_removed_without_following_its_links(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").touch()
    tree = tmp_path / "tree"
    (tree / "inner").mkdir(parents=True)
    (tree / "inner" / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "link").symlink_to(tmp_path / "outside")
    for path in (tree, tmp_path / "link", tmp_path / "missing"):
        remove_tree(path)
    assert names(tmp_path) == ["outside"] and names(tmp_path / "outside") == ["file"]


def test_a_folder_in_one_that_was_removed_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parent = tmp_path / "parent"
    parent.mkdir()
    monkeypatch.setattr(atomic_write, "_clean", lambda folder: parent.rmdir())
    with pytest.raises(FileNotFoundError), new_folder(parent):
        pass


def test_macos_brings_it_from_the_drives_own_cache_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", lambda descriptor, call: calls.append(call))
    with open_atomic(tmp_path / "file", durable=True) as file:
        file.write(b"1234")
    assert calls == [51, 51]  # the file, and its folder
