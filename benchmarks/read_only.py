"""What each command does in a project that cannot be written: its exit code and its first line.

    python benchmarks/read_only.py [--only killed full ...] [--commands status mark ...]

A project with a model is made, then tried on a read-only mount (as it was closed, and as a killed process left it), in
another user's folder, on a full disk (both ways), beside a process that writes, and beside one that has the database
for itself. Needs root, for the mounts. The seconds are those of the whole command.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # the disks of the tests

from commands import command_line, labeltool

from helpers.read_only import fill_disk, listing, read_only, small_disk
from labeltool.cli.demo.sounds import make_world

# {out} is a folder elsewhere, {sound} a recording of the project, {other} one that is not.
READING = (
    "status",
    "clips --limit 3",
    "log --limit 3",
    "stats",
    "review",
    "transcripts",
    "model list",
    "classify {other}",
    "detect {sound} -o {out}",
    "evaluate",
    "similar 1 --limit 3",
    "similar --clusters 3",
    "backup {out}/backup.db",
    "export --splits -o {out}",
    "export --audacity -o {out}",
    "export --int8 -o {out}",
    "export --stm32 -o {out}",
    "label",
)
WRITING = (
    "mark 1 dog",
    "undo",
    "redo",
    "note 1 text",
    "rename dog hound",
    "import audio {other}",
    "relocate {out}",
    "retrain",
    "suggest",
    "export --splits",
    "backup",
    "init {project}/inner",
)
_WRITER = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute(sys.argv[2])
connection.execute("DELETE FROM queue")
connection.execute("BEGIN EXCLUSIVE")
connection.execute("INSERT INTO queue (rank, clip_id) VALUES (-1, 1)")
print("ready", flush=True)
time.sleep(3600)
"""
_KILLED = """
import os, sys
from pathlib import Path
from labeltool.project import find
from labeltool.store import journal
store = find(Path(sys.argv[1])).open_store()
journal.annotate(store, 1, "in the -wal", annotator="ann")
os.kill(os.getpid(), 9)
"""


def run(project: Path, command: str, places: dict[str, Path], as_user: bool) -> tuple[int, float, str]:
    """Run a command and return its exit code, its seconds and its first line."""
    words = [word.format(**places) for word in command.split()]
    program = command_line(*words, project=project)
    if as_user:
        # Without the rights of root over other people's files.
        program = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override", *program]
    if command == "label":
        # In a terminal of its own, which is hung up after a while: the app must come up, and leave as ever.
        program = ["script", "-qec", f"timeout -s TERM 8 {' '.join(program)}", "/dev/null"]
    began = time.monotonic()
    done = subprocess.run(
        program,
        capture_output=True,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        env={**os.environ, "LABELTOOL_AUDIO": "null", "LABELTOOL_ANNOTATOR": "ann", "HOME": str(places["home"])},
        timeout=300,
    )
    lines = (done.stdout + done.stderr).splitlines() or [""]
    first = lines[0]
    if command == "label":
        shown = "read-only" if "read-only" in done.stdout else "labelling"
        first = f"opened: {shown}" if "labeltool" in done.stdout else first
    for name, path in places.items():
        first = first.replace(str(path), name.upper())
    return done.returncode, time.monotonic() - began, first


@contextlib.contextmanager
def read_only_mount(project: Path, at: Path) -> Iterator[None]:
    """Copy a project to a folder that is mounted to be read only."""
    shutil.copytree(project, at, dirs_exist_ok=True)
    with read_only(at):
        yield


@contextlib.contextmanager
def of_another(project: Path, at: Path) -> Iterator[None]:
    """Copy a project and give it to another user."""
    shutil.copytree(project, at, dirs_exist_ok=True)
    for path in (at, *at.rglob("*")):
        os.chown(path, 65534, 65534)
    yield


@contextlib.contextmanager
def full_disk(project: Path, at: Path) -> Iterator[None]:
    """Copy a project to a small disk and fill it to the last byte."""
    with small_disk(at, "64m"):
        shutil.copytree(project, at, dirs_exist_ok=True)
        fill_disk(at)
        yield


@contextlib.contextmanager
def beside(project: Path, at: Path, pragma: str) -> Iterator[None]:
    """Let another process hold the database while it writes."""
    shutil.copytree(project, at, dirs_exist_ok=True)
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(at / "labels.db"), pragma], stdout=subprocess.PIPE, text=True
    )
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        yield
    finally:
        writer.send_signal(signal.SIGKILL)
        writer.wait()


def make_project(project: Path, sounds: Path) -> Path:
    """Make a project with labels and a model; return a recording that is not part of it."""
    world = make_world(sounds)
    labeltool("init", project)
    labeltool("import", "esc50", world.esc_style, project=project)
    labeltool("import", "audio", world.recording, "--clip-seconds", 5, project=project)
    labeltool("retrain", "--budget", 5, project=project)
    shutil.rmtree(project / "cache")
    return next(world.pool.iterdir())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="PLACE")
    parser.add_argument("--commands", nargs="+", metavar="WORD", help="only commands that begin with one of these")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "home").mkdir()
        project, killed = root / "made", root / "killed"
        other = make_project(project, root / "sounds")
        shutil.copytree(project, killed)
        subprocess.run([sys.executable, "-c", _KILLED, str(killed)], check=False)
        (killed / "labels.db-shm").unlink(missing_ok=True)
        places: dict[str, Callable[[Path], contextlib.AbstractContextManager[None]]] = {
            "read-only": lambda at: read_only_mount(project, at),
            "killed": lambda at: read_only_mount(killed, at),
            "no-permission": lambda at: of_another(project, at),
            "full": lambda at: full_disk(project, at),
            "full-killed": lambda at: full_disk(killed, at),
            "writer": lambda at: beside(project, at, "SELECT 1"),
            "exclusive": lambda at: beside(project, at, "PRAGMA locking_mode = EXCLUSIVE"),
        }
        for name, place in places.items():
            if options.only and name not in options.only:
                continue
            at, out = root / f"at-{name}", root / f"out-{name}"
            at.mkdir()
            out.mkdir()
            words = {"out": out, "sound": root / "sounds" / "yard.wav", "other": other, "project": at}
            try:
                with place(at):
                    try_commands(name, at, {**words, "home": root / "home"}, options.commands)
            except pytest.skip.Exception as refused:  # of the tests' disks
                print(f"{name:<14} skipped: {refused}", flush=True)


def try_commands(place: str, project: Path, words: dict[str, Path], only: Sequence[str] | None) -> None:
    before = sizes(project)
    for command in (*READING, *WRITING):
        if only and command.split()[0] not in only:
            continue
        code, seconds, first = run(project, command, words, place == "no-permission")
        print(f"{place:<14} {command:<26} {code:>3} {seconds:5.1f} s  {first[:150]}", flush=True)
    changed = sorted({path for path, _ in sizes(project) ^ before})
    print(f"{place:<14} changed in the project: {changed or 'nothing'}", flush=True)


def sizes(project: Path) -> set[tuple[str, int]]:
    """Path and size of each file; reading a database may touch its -shm."""
    return {(path, size) for path, (size, _) in listing(project).items()}


if __name__ == "__main__":
    main()
