"""No acknowledged label is lost by a backup that is taken while two people label, nor by going back to it.

    python benchmarks/backup_restore.py [--times 50] [--folder F] [--seed 0]

Each time, two processes label one project and print every row of the journal once it is acknowledged. `labeltool
backup` is run meanwhile, at a random moment; then both are killed, with their `-wal` in place, and `labeltool
restore` puts the backup over the project. Two new processes label what was restored, and the database that was kept
is restored under them: they are to stop by themselves. Counted after every step are the acknowledged rows that are
missing, in the backup those of before it, in what was kept all; `PRAGMA integrity_check` and `foreign_key_check` are
run on every file. It prints a table, and ends with exit code 1 where anything was lost or damaged.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from commands import labeltool

from labeltool import project as projects
from labeltool.project import Project
from labeltool.records import Clip, Recording
from labeltool.store.importing import import_records

CLIPS = 300
_WAIT_S = 120.0

_WRITER = """
import sys
from pathlib import Path
from labeltool import project as projects
from labeltool.errors import LabeltoolError
from labeltool.store import journal

project, name = projects.load(Path(sys.argv[1])), sys.argv[2]
try:
    with project.open_store() as store:
        number = 0
        while True:
            number += 1
            row = journal.annotate(store, 1 + number % int(sys.argv[3]), f"{name} {number % 7}", annotator=name)
            print(row, flush=True)
except LabeltoolError as error:
    sys.exit(f"labeltool: {error}")
"""


@dataclass(frozen=True, slots=True)
class Round:
    """What one time showed; `lost` and `damaged` are to be 0.

    Attributes
    ----------
    before
        Rows that were acknowledged when the backup began.
    in_backup
        Rows in the backup.
    killed_wal_bytes
        The size of the -wal that the killed processes left.
    acknowledged
        Rows that were acknowledged in all, until the processes were killed.
    live
        Rows that were acknowledged after that, until the database was exchanged under the new processes.
    lost
        Acknowledged rows that are missing where they are to be, after any step.
    damaged
        Files that a check of SQLite found something in.
    not_stopped
        Processes that did not end by themselves, with exit code 1 and one line, when the database was exchanged.
    """

    before: int
    in_backup: int
    killed_wal_bytes: int
    acknowledged: int
    live: int
    lost: int
    damaged: int
    not_stopped: int


class Writer:
    """A process that labels until it is killed or stops, and the rows that it has acknowledged."""

    def __init__(self, project: Project, name: str) -> None:
        self.rows: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(project.directory), name, str(CLIPS)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                if line.endswith("\n"):  # a line without its end was cut off by the kill: nobody was shown it
                    self.rows.append(line.strip())

    def until(self, rows: int) -> None:
        """Wait until some rows are acknowledged."""
        deadline = time.monotonic() + _WAIT_S
        while len(self.rows) < rows:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"a writer ended or hangs: {self.end()}")
            time.sleep(0.002)

    def kill(self) -> None:
        """Kill it, and read what it had acknowledged."""
        self.process.send_signal(signal.SIGKILL)
        self.end()

    def end(self) -> str:
        """Wait for its end; return what it wrote on stderr."""
        assert self.process.stderr is not None
        with self.process.stderr as stream:
            error = stream.read()
        self.process.wait(_WAIT_S)
        self._reader.join(_WAIT_S)
        return error


@contextmanager
def writers(project: Project) -> Iterator[tuple[Writer, Writer]]:
    """Run two processes that label, and kill what is left of them at the end."""
    both = Writer(project, "ann"), Writer(project, "bob")
    try:
        yield both
    finally:
        for writer in both:
            if writer.process.poll() is None:
                writer.kill()


def rows_and_damage(database: Path) -> tuple[set[str], int]:
    """Return the ids in a database's journal, and 1 where SQLite finds something wrong, else 0."""
    with closing(sqlite3.connect(database)) as connection:
        is_sound = connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        is_sound = is_sound and not connection.execute("PRAGMA foreign_key_check").fetchall()
        return {row for (row,) in connection.execute("SELECT id FROM journal")}, int(not is_sound)


def one_round(folder: Path, moments: random.Random) -> Round:
    """Back up under two writers, kill them, restore, and exchange the database under two others."""
    project = projects.create(folder)
    sounds = [Recording(f"/{n}.wav", f"{n:064x}", 16_000, 1, 16_000, f"g{n}") for n in range(CLIPS)]
    with project.open_store() as store:
        records = [record for sound in sounds for record in (sound, Clip(sound.sha256, 0.0, 1.0))]
        import_records(store, records, kind="benchmark", source="benchmark")
    backup = folder.with_name(f"{folder.name}.db")
    with writers(project) as both:
        for writer in both:
            writer.until(5)
        time.sleep(moments.uniform(0, 0.4))
        before = {row for writer in both for row in list(writer.rows)}
        labeltool("backup", backup, project=folder)
        time.sleep(moments.uniform(0, 0.2))
        for writer in both:
            writer.kill()
        acknowledged = {row for writer in both for row in writer.rows}
    wal = folder / "labels.db-wal"
    wal_bytes = wal.stat().st_size if wal.exists() else 0
    kept = Path(labeltool("restore", backup, "--json", project=folder).json()["kept"])
    in_backup, backup_damage = rows_and_damage(backup)
    restored, restored_damage = rows_and_damage(project.database)
    killed, killed_damage = rows_and_damage(kept)
    lost = len(before - in_backup) + len(in_backup ^ restored) + len(acknowledged - killed)
    with writers(project) as both:
        for writer in both:
            writer.until(5)
        time.sleep(moments.uniform(0, 0.2))
        second = Path(labeltool("restore", kept, "--json", project=folder).json()["kept"])
        endings = [(writer.end(), writer.process.returncode) for writer in both]
        live = {row for writer in both for row in writer.rows}
    stopped = [code == 1 and "was exchanged" in text and text.count("\n") == 1 for text, code in endings]
    back, back_damage = rows_and_damage(project.database)
    exchanged, exchanged_damage = rows_and_damage(second)
    lost += len(killed ^ back) + len((restored | live) - exchanged)
    damaged = backup_damage + restored_damage + killed_damage + back_damage + exchanged_damage
    return Round(
        len(before), len(in_backup), wal_bytes, len(acknowledged), len(live), lost, damaged, stopped.count(False)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--folder", type=Path, help="where the projects are made; default: a temporary one")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    os.environ["LABELTOOL_ANNOTATOR"] = "benchmark"
    moments = random.Random(options.seed)
    rounds = []
    names = [field.name for field in fields(Round)]
    print("| time | " + " | ".join(names) + " |\n|" + " ---: |" * (len(names) + 1))
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for number in range(1, options.times + 1):
            rounds.append(one_round(Path(folder, str(number)), moments))
            print(f"| {number} | " + " | ".join(map(str, astuple(rounds[-1]))) + " |", flush=True)
    sums = [sum(values) for values in zip(*map(astuple, rounds), strict=True)]
    print("| all | " + " | ".join(map(str, sums)) + " |")
    if any(one.lost or one.damaged or one.not_stopped for one in rounds):
        sys.exit(1)


if __name__ == "__main__":
    main()
