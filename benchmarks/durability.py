"""What a kill, a full disk and many writers do to a project: labels lost, damage, processes left behind.

    python benchmarks/durability.py [--kills 1000] [--full-disks 100] [--writers 4 --minutes 5] [--task-kills 100]
        [--tasks retrain detect ...] [--clips 400]

Every part uses the command line and the app as a person does. A label counts as acknowledged when `mark` has printed
its row, or when the app's header counts it. After each part: how many acknowledged labels the database lacks (0 is
right), SQLite's integrity check, processes that still run three seconds after the last kill, and whether the same
command runs through. The moments of the kills are drawn from the time a whole run takes. The part of full disks mounts
a small file system and needs root.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import select
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import soundfile

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))  # the terminal that the tests drive

from commands import Taken, command_line, measured  # noqa: E402

from helpers.terminal import TerminalApp  # noqa: E402
from labeltool import project as projects  # noqa: E402
from labeltool.store import clips, journal  # noqa: E402
from labeltool.util.files.project_names import SETTINGS_FILE  # noqa: E402

RATE_HZ = 16_000
LABELS = ("hum", "whine", "rattle")
NEARLY_FULL_BYTES = 300_000  # about what the labels of a full disk's turn would take
LEFT_AFTER_S = 3.0
LONG_S_PER_CLIP = 0.75  # of the recording for `detect`: it grows with the project
BETWEEN_KEYS_S = 0.35  # a repeat of the same key at once is ignored
COUNT = r"(\d+) of \d+ labelled"
TASKS = {
    "retrain": ("retrain", "--budget", "5"),
    "suggest": ("suggest",),
    "evaluate": ("evaluate",),
    "similar": ("similar", "1"),
    "detect": ("detect", "long.flac"),
    "export": ("export", "--splits", "--int8", "--stm32"),
    "import": ("import", "audio", "more"),
    "backup": ("backup", "copy.db", "--overwrite"),
}


@dataclass
class Outcome:
    """One line of the table."""

    part: str
    times: int = 0
    acknowledged: int = 0
    lost: int = 0
    damaged: int = 0
    left: int = 0
    again: str = ""

    def add(self, project: Path, rows: set[str]) -> None:
        """Count what a database lacks of acknowledged rows, damage, and the processes left."""
        deadline = time.monotonic() + LEFT_AFTER_S
        while (left := processes_of(project)) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.left += len(left)
        for one in left:
            print(f"left after {LEFT_AFTER_S} s: {one}", file=sys.stderr, flush=True)
        connection = sqlite3.connect(project / projects.DATABASE_FILE)
        self.damaged += connection.execute("PRAGMA integrity_check").fetchone() != ("ok",)
        there = {row for (row,) in connection.execute("SELECT id FROM journal")}
        connection.close()
        self.acknowledged += len(rows)
        self.lost += len(rows - there)

    def row(self) -> str:
        cells = (self.part, self.times, self.acknowledged, self.lost, self.damaged, self.left, self.again)
        return f"| {' | '.join(str(cell) for cell in cells)} |"


HEAD = "| part | times | acknowledged | lost | damaged | processes left | the same again |\n|" + " --- |" * 7


def make_project(folder: Path, clip_count: int) -> Path:
    """Make a project of noisy tones, half of them labelled, and a long recording for `detect`."""
    rng = np.random.default_rng(1)
    for name, count in (("sounds", clip_count), ("more", 60)):
        (folder / name).mkdir(parents=True)
        for place in range(count):
            at = np.arange(RATE_HZ // 2) / RATE_HZ
            tone = 0.3 * np.sin(2 * np.pi * (300 + 400 * (place % 3)) * at) + rng.normal(0, 0.02, len(at))
            soundfile.write(folder / name / f"{place}-{name}.flac", tone.astype(np.float32), RATE_HZ)
    long = rng.normal(0, 0.02, round(LONG_S_PER_CLIP * clip_count * RATE_HZ)).astype(np.float32)
    soundfile.write(folder / "long.flac", long, RATE_HZ)
    run(folder, "init", ".")
    run(folder, "import", "audio", "sounds")
    # The app would train by itself; here only what is asked for may run.
    (folder / SETTINGS_FILE).write_text("[learning]\nretrain_after = 0\n")
    with projects.load(folder).open_store() as store:
        for clip in clips.all_clips(store)[: clip_count // 2]:
            label = LABELS[int(Path(clip.path).name.partition("-")[0]) % 3]
            journal.annotate(store, clip.id, label, annotator="before")
    return folder


def run(project: Path, *arguments: str) -> Taken:
    return measured(command_line(*arguments), folder=project)


def works(project: Path, *arguments: str) -> str:
    """Return whether a command runs through, else the end of what it wrote."""
    done = run(project, *arguments)
    return "works" if done.code == 0 else f"FAILS: {done.errors.strip()[-200:]}"


def start(project: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start a command in a session of its own."""
    return subprocess.Popen(
        command_line(*arguments),
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def kill(process: subprocess.Popen[str]) -> str:
    """Kill a command alone (its children are to end by themselves) and return what it had printed."""
    process.kill()
    assert process.stdout is not None
    with process.stdout as stdout:
        process.wait()
        # Not to the end of the pipe: a child that lives on would hold it open.
        os.set_blocking(stdout.fileno(), False)
        return os.read(stdout.fileno(), 1 << 16).decode() if select.select([stdout], [], [], 0)[0] else ""


def row_of(printed: str) -> set[str]:
    """Return the row that `mark --json` had printed when it was killed."""
    try:
        return {json.loads(printed)["row"]}
    except ValueError:
        return set()


def processes_of(project: Path) -> list[str]:
    """Return the Python processes that work in a project or name it: command, state, processor time, load."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words = " ".join(process.cmdline())
            named = str(project) in words or Path(process.cwd()).is_relative_to(project)
            if named and "python" in words and process.pid != os.getpid():
                spent_s = sum(process.cpu_times()[:2])
                load = os.getloadavg()[0]
                found.append(f"{words[:200]} ({process.status()}, {spent_s:.2f} s, load {load:.1f})")
    return found


def kill_marks(scratch: Path, times: int, rng: random.Random) -> Outcome:
    """Kill `mark` at any moment."""
    project, rows = copied(scratch), set()
    whole_s = run(project, "mark", "1", LABELS[0]).wall_s
    for turn in range(times):
        process = start(project, "mark", *nth_label(project, turn), "--json")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(rng.random() * 1.5 * whole_s)
        rows |= row_of(kill(process))
    outcome = Outcome("kill -9 of `mark`", times)
    outcome.add(project, rows)
    outcome.again = works(project, "mark", "1", LABELS[0])
    return outcome


def kill_apps(scratch: Path, times: int, rng: random.Random) -> Outcome:
    """Kill the app while keys are pressed: what its header has counted must be there."""
    outcome = Outcome("kill -9 of the app", times)
    project = copied(scratch)
    for _ in range(times):
        before = labelled(project)
        if before > clip_count(project) - 40:
            project = copied(scratch)
            before = labelled(project)
        shown = before
        with TerminalApp(projects.load(project), "--annotator", "app") as app:
            if rng.random() < 0.2:  # while it starts
                time.sleep(rng.random() * 2)
            else:
                app.until(COUNT)
                for turn in range(rng.randrange(1, 8)):
                    time.sleep(BETWEEN_KEYS_S)
                    app.press("123"[turn % 3])
                time.sleep(BETWEEN_KEYS_S)
                app.press("1")
                time.sleep(0.2 * rng.random())
            app.process.kill()
            app.process.wait()
            shown = max([before, *(int(found[1]) for found in re.finditer(COUNT, app.painted()))])
        outcome.acknowledged += shown - before
        outcome.lost += max(0, shown - labelled(project))
        outcome.add(project, set())
    outcome.again = works(project, "status")
    return outcome


def labelled(project: Path) -> int:
    return int(run(project, "status", "--json").json()["labelled"])


def fill_disks(scratch: Path, times: int, rng: random.Random) -> Outcome:
    """Fill the disk to any size while labels are written; free it and look."""
    outcome = Outcome("full disk", times)
    disk = scratch / "disk"
    disk.mkdir()
    original = scratch / "original" / projects.DATABASE_FILE
    for _ in range(times):
        size = original.stat().st_size + (3 << 20)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)], check=True)
        try:
            shutil.copy(original, disk)
            rows, failures = set(), 0
            free = shutil.disk_usage(disk).free
            (disk / "filler").write_bytes(bytes(free - rng.randrange(NEARLY_FULL_BYTES)))
            for turn in range(12):
                done = run(disk, "mark", str(turn + 1), LABELS[turn % 3], "--json")
                rows |= row_of(done.printed)
                failures += done.code != 0 and "full" not in done.errors
            (disk / "filler").unlink()
            outcome.add(disk, rows)
            outcome.again = "works" if not failures else f"{failures} other errors: {done.errors.strip()[-200:]}"
            if run(disk, "mark", "1", LABELS[0]).code:
                outcome.again = "FAILS"
        finally:
            subprocess.run(["umount", str(disk)], check=True)
    return outcome


def write_at_once(scratch: Path, writers: int, minutes: float) -> Outcome:
    """Label with several processes, one command after the other."""
    project = copied(scratch)
    end_s = time.monotonic() + 60 * minutes
    rows: list[str] = []
    failed: list[str] = []

    def write(number: int) -> None:
        turn = number
        while time.monotonic() < end_s:
            done = run(project, "mark", *nth_label(project, turn), "--json", "--annotator", f"w{number}")
            rows.extend(row_of(done.printed))
            if done.code:
                failed.append(done.errors)
            turn += 1

    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outcome = Outcome(f"{writers} writers, {minutes:g} minutes", len(rows))
    outcome.add(project, set(rows))
    outcome.again = f"{len(failed)} refused{failed[0] if failed else ''}"
    return outcome


def kill_tasks(scratch: Path, names: Sequence[str], times: int, rng: random.Random) -> None:
    """Kill long commands at any moment of their run, and print a line for each."""
    for name in names:
        arguments = TASKS[name]
        project = copied(scratch)
        outcome = Outcome(f"kill -9 of `{' '.join(arguments)}`", times)
        began = time.monotonic()
        outcome.again = works(project, *arguments)
        whole_s = time.monotonic() - began
        for turn in range(times if outcome.again == "works" else 0):
            if name in {"import", "detect"}:  # each time anew, not what the last one left
                project = copied(scratch)
            marked = run(project, "mark", *nth_label(project, turn), "--json")
            process = start(project, *arguments)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(rng.random() * 1.1 * whole_s)
            kill(process)
            outcome.add(project, row_of(marked.printed))
        outcome.again = works(project, *arguments)
        print(outcome.row(), flush=True)


def clip_count(project: Path) -> int:
    """Return the number of clips of a project, one a sound."""
    return len(list((project / "sounds").iterdir()))


def nth_label(project: Path, turn: int) -> tuple[str, str]:
    """Return a clip's id and a label for `mark`, others each turn."""
    return str(turn % clip_count(project) + 1), LABELS[turn % 3]


def copied(scratch: Path) -> Path:
    shutil.rmtree(scratch / "project", ignore_errors=True)
    shutil.copytree(scratch / "original", scratch / "project")
    return scratch / "project"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000, help="of `mark` and of the app, half each")
    parser.add_argument("--full-disks", type=int, default=100)
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--task-kills", type=int, default=100, help="of each long command")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS), help="of the long commands, these")
    parser.add_argument("--clips", type=int, default=400, help="of the project, and with them a long recording")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="labeltool-durability-") as folder:
        scratch = Path(folder)
        original = make_project(scratch / "original", options.clips)
        run(original, "retrain", "--budget", "60")
        print(HEAD, flush=True)
        if options.kills:
            print(kill_marks(scratch, options.kills // 2, rng).row(), flush=True)
            print(kill_apps(scratch, options.kills - options.kills // 2, rng).row(), flush=True)
        if options.full_disks:
            print(fill_disks(scratch, options.full_disks, rng).row(), flush=True)
        if options.minutes:
            print(write_at_once(scratch, options.writers, options.minutes).row(), flush=True)
        if options.task_kills:
            kill_tasks(scratch, options.tasks, options.task_kills, rng)


if __name__ == "__main__":
    main()
