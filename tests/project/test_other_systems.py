"""The core on a system without what only POSIX has: simulated here by taking those modules and names away.

Neither Windows nor macOS is at hand: what is shown is that nothing of POSIX is needed, not how those systems behave.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.absent import environment_without
from helpers.command_line import labeltool
from helpers.processes import alive
from helpers.tones import tone_writer
from helpers.waits import DEADLINE_S, until
from labeltool.errors import ExitCode

MODULES = ("fcntl", "resource", "termios", "tty", "pty", "pwd", "grp", "readline")
# psutil and platformdirs are imported before: their parts for Linux need what those for Windows do not. Windows has
# `msvcrt` in place of `fcntl`; `subprocess` would take a module of that name for Windows itself.
REMOVED = """
import os, select, shutil, signal, subprocess, sys, types

def _locking(descriptor, mode, count, _lockf=_fcntl.lockf, _flags=_fcntl.LOCK_EX | _fcntl.LOCK_NB):
    try:
        _lockf(descriptor, _flags, count, 0, os.SEEK_CUR)
    except OSError as error:
        raise PermissionError(13, "Permission denied") from error

sys.modules["msvcrt"] = types.ModuleType("msvcrt")
sys.modules["msvcrt"].LK_NBLCK = 2
sys.modules["msvcrt"].locking = _locking
os.supports_dir_fd.clear()
shutil._use_fd_functions = False
for _module, _names in {
    os: "fork forkpty getuid geteuid getgid getegid getpgid getpgrp setpgid setsid killpg nice fchmod fchown chown "
        "pread pwrite ttyname mkfifo O_NOFOLLOW O_DIRECTORY O_PATH O_NONBLOCK O_NOCTTY O_CLOEXEC",
    signal: "SIGHUP SIGQUIT SIGUSR1 SIGUSR2 SIGALRM SIGPIPE alarm setitimer",
    select: "poll",
}.items():
    for _name in _names.split():
        delattr(_module, _name)
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of processes without what only POSIX has."""
    folder = tmp_path_factory.mktemp("site")
    return environment_without(
        folder, *MODULES, first="import platformdirs.unix, psutil\nimport fcntl as _fcntl", more=REMOVED
    )


def run(environment: dict[str, str], program: str, *arguments: str | Path) -> str:
    command = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def project(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that was made there, with four sounds, three of them labelled."""
    folder = tmp_path_factory.mktemp("project")
    write = tone_writer(folder / "sounds")
    for number in range(4):
        write(f"{number}.wav", frequency_hz=300.0 * (number + 1), seconds=1.0)
    labeltool("init", folder / "p", **environment)
    at = ("--project", folder / "p")
    labeltool(*at, "import", "audio", folder / "sounds", **environment)
    for number, label in enumerate(("low", "con", "high"), 1):
        labeltool(*at, "mark", str(number), label, **environment)
    return folder / "p"


def test_the_names_are_missing_there(environment: dict[str, str]) -> None:
    program = """
import os, signal
from importlib.util import find_spec
from labeltool.util import lifetime
from labeltool.util.files import file_locks, folders
print(hasattr(os, "fork"), hasattr(signal, "SIGHUP"), file_locks.ON_FOLDERS, folders.BY_DESCRIPTOR, lifetime.HAS_GROUPS)
"""
    assert run(environment, program).split() == ["False"] * 5


def test_labels_are_stored_shown_revoked_and_exported(environment: dict[str, str], project: Path) -> None:
    at = ("--project", project)
    labeltool(*at, "undo", **environment)
    labeltool(*at, "redo", **environment)
    status = json.loads(labeltool(*at, "status", "--json", **environment).stdout)
    assert status["labelled"] == 3
    products = ("--table", "--audacity", "--clips", "--audiofolder", "--raven")
    for force in ((), ("--force",)):
        labeltool(*at, "export", *products, *force, **environment)
    names = {path.name for path in (project / "exports" / "clips").iterdir()}
    assert "_con" in names and {path.name for path in (project / "exports").iterdir()} >= {"table", "audiofolder"}
    assert not [path for path in project.rglob("*") if path.name.endswith((".partial", "-lock"))]
    # Here, with everything there again, it is the same project.
    assert json.loads(labeltool(*at, "status", "--json").stdout)["labelled"] == 3


def test_a_task_runs_in_a_process_of_its_own_and_reports_why_it_failed(
    environment: dict[str, str], project: Path
) -> None:
    done = labeltool("--project", project, "suggest", "--model", "7", check=1, **environment)
    assert "no model 7" in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_model_is_trained(environment: dict[str, str], project: Path, tmp_path: Path) -> None:
    at = ("--project", shutil.copytree(project, tmp_path / "p"))
    trained = labeltool(*at, "retrain", "--budget", "2", "--json", **environment)
    assert json.loads(trained.stdout)["labels_seen"] == 3


def test_the_app_opens_and_a_label_is_stored(environment: dict[str, str], project: Path) -> None:
    program = """
import asyncio, sys
from pathlib import Path
from labeltool import project
from labeltool.tui.app import LabelApp

async def main():
    app = LabelApp(project.load(Path(sys.argv[1])), annotator="ann")
    async with app.run_test(size=(100, 30)) as pilot:
        while app.screen.current is None:
            await pilot.pause(0.05)
        await pilot.press("1")
        while app.services.session.clips_done == 0:
            await pilot.pause(0.05)
    app.close()

asyncio.run(main())
"""
    headless = {**environment, "TEXTUAL_DRIVER": "textual.drivers.headless_driver:HeadlessDriver"}
    run(headless, program, project)
    log = labeltool("--project", project, "log", **environment).stdout
    assert "ann" in log


def test_one_process_at_a_time_has_a_lock(environment: dict[str, str], tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from labeltool.util.files.folders import locked
from labeltool.util.files.locks import try_lock
with try_lock(Path(sys.argv[1], "lock"), "retraining"), locked(Path(sys.argv[1])) as acquired:
    print(acquired, flush=True)
    sys.stdin.read()
"""
    command = [sys.executable, "-c", program, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, **pipes) as process:  # type: ignore[call-overload]
        assert process.stdout.readline() == "True\n"
        there = """
import sys
from pathlib import Path
from labeltool.errors import LabeltoolError
from labeltool.util.files.folders import locked
from labeltool.util.files.locks import try_lock
try:
    with try_lock(Path(sys.argv[1], "lock"), "retraining"):
        print("locked twice")
except LabeltoolError as error:
    print(error)
with locked(Path(sys.argv[1])) as acquired:
    print(acquired)
"""
        refused, acquired = run(environment, there, tmp_path).splitlines()
        assert f"another retraining of this project is under way (process {process.pid})" in refused
        assert acquired == "False"
        process.communicate("")
    assert run(environment, program, tmp_path) == "True\n"


def test_files_and_folders_appear_whole_and_links_are_not_followed(environment: dict[str, str], tmp_path: Path) -> None:
    program = """
import os, sys
from pathlib import Path
from labeltool.errors import LabeltoolError
from labeltool.util.files import no_links
from labeltool.util.files.atomic_write import new_folder, open_empty, remove_tree, write_text
here = Path(sys.argv[1])
for content in ("old", "new"):
    write_text(here / "a" / "file", content, durable=True)
    with new_folder(here / "a") as new:
        (new.path / content).write_bytes(b"")
        new.publish("folder")
try:
    with new_folder(here / "a") as new:
        (new.path / "half").write_bytes(b"")
        raise KeyboardInterrupt
except KeyboardInterrupt:
    pass
with open_empty(here / "a" / "log") as log:
    log.write(b"line")
leftover = here / "a" / f".{'0' * 32}.partial"
leftover.write_bytes(b"half")
os.utime(leftover, (0, 0))
with new_folder(here / "a"):
    pass
print(*sorted(path.name for path in (here / "a").iterdir()), *os.listdir(here / "a" / "folder"))
(here / "outside").mkdir()
(here / "outside" / "file").write_bytes(b"untouched")
(here / "link").symlink_to(here / "outside")
(here / "a" / "log2").symlink_to(here / "outside" / "file")
refused = 0
for attempt in (
    lambda: write_text(here / "link" / "file", "text"),
    lambda: no_links.refuse_links(here / "link" / "inner"),
    lambda: no_links.make_folder(here / "link" / "inner"),
    lambda: no_links.open_to_append(here / "a" / "log2"),
):
    try:
        attempt()
    except LabeltoolError:
        refused += 1
open_empty(here / "a" / "log2").close()
remove_tree(here / "link")
print(refused, (here / "outside" / "file").read_bytes(), (here / "a" / "log2").is_symlink())
"""
    whole, followed = run(environment, program, tmp_path).splitlines()
    assert whole.split() == ["file", "folder", "log", "new"]
    assert followed == "4 b'untouched' False"


@pytest.mark.parametrize(
    ("grace_s", "cleaning", "code"),
    [
        (DEADLINE_S, "Path(sys.argv[1]).write_text('cleaned up')", ExitCode.INTERRUPTED),
        (0.1, "time.sleep(600)", -signal.SIGKILL),
    ],
    ids=["in good order", "killed"],
)
def test_a_worker_ends_with_its_parent_and_what_it_has_started_too(
    environment: dict[str, str], tmp_path: Path, grace_s: float, cleaning: str, code: int
) -> None:
    # What is printed is printed where the cleaning up is certain: the pipe may be closed a moment later.
    program = f"""
import subprocess, sys, time
from pathlib import Path
from labeltool.util import lifetime
lifetime.GRACE_S = {grace_s}
lifetime.end_with_parent()
inner = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
try:
    print(inner.pid, flush=True)
    while True:
        time.sleep(0.01)
finally:
    {cleaning}
"""
    command = [sys.executable, "-c", program, str(tmp_path / "file")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, **pipes) as process:  # type: ignore[call-overload]
        inner = int(process.stdout.readline())
        process.stdin.close()
        assert process.wait(DEADLINE_S) == code
        until(lambda: not alive(inner), "the end of what it has started")
    assert (tmp_path / "file").exists() == (code == ExitCode.INTERRUPTED)


def test_text_that_a_terminals_encoding_lacks_is_escaped(environment: dict[str, str], project: Path) -> None:
    at = ("--project", project)
    labeltool(*at, "note", "4", "an owl 🦉 – near the barn", **environment)
    shown = subprocess.run(
        [sys.executable, "-m", "labeltool", *map(str, at), "log"],
        env={**environment, "PYTHONIOENCODING": "cp1252"},
        capture_output=True,
    )
    assert shown.returncode == 0, shown.stderr
    assert b"owl \\U0001f989 \x96 near the barn" in shown.stdout
