"""What an import of a million rows takes, beside what pandas and SQLite take for the same rows, in one run.

    python benchmarks/imports.py [--rows 1000000] [--folder F] [--only table audacity store]

Of a table (file,start,end,label over ten recordings) and of a label track of one recording, each in processes of their
own: `pandas.read_csv`; `executemany` of its rows into a plain table, and into one with the journal's columns and
indexes, without its triggers and CHECKs, which an import leaves out too; the import; the import again, which is to
change nothing. `store` stores the rows as `VerdictTable`s without a reader: the store's part. It prints wall and CPU
seconds, the most memory of each process, and the ratios of the issue: import to `read_csv` and plain `executemany`. CPU
seconds are what compares on a busy machine.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd

from labeltool import project as projects
from labeltool.audio.files import describe
from labeltool.importers.base import recording_of
from labeltool.importers.registry import FORMATS
from labeltool.records import MAX_TABLE_ROWS, Imported, VerdictTable
from labeltool.store.importing import import_records

RATE_HZ = 8000
RECORDINGS = 10
LABELS = ("wren", "robin", "blackbird", "song thrush", "rain", "aeroplane", "dog", "voice", "wind", "tawny owl")
SOURCES = {"table": "table.csv", "audacity": "long.txt", "store": "table.csv"}


def write_sources(folder: Path, rows: int) -> None:
    """Write the recordings, a table of all of them, and a label track of one."""
    per_recording = -(-rows // RECORDINGS)
    for number in range(RECORDINGS):
        write_near_silence(folder / f"site{number}.wav", per_recording / 1000 + 2, number)
    write_near_silence(folder / "long.wav", rows / 1000 + 2, RECORDINGS)
    place = np.arange(rows)
    names = np.array([f"site{number}.wav" for number in range(RECORDINGS)])
    label = np.array(LABELS)[place * 7919 % len(LABELS)]
    start_s = place % per_recording / 1000
    frame = pd.DataFrame({"file": names[place // per_recording], "start": start_s, "end": start_s + 1.5})
    frame["label"] = label
    frame.to_csv(folder / "table.csv", index=False, float_format="%.6f")
    track = pd.DataFrame({"start": place / 1000, "end": place / 1000 + 1.5, "label": label})
    track.to_csv(folder / "long.txt", sep="\t", index=False, header=False, float_format="%.6f")


def write_near_silence(path: Path, duration_s: float, level: int) -> None:
    """Write a recording of one level: those of two levels are two recordings."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(level.to_bytes(2, "little") * round(duration_s * RATE_HZ))


def frame_of(kind: str, folder: Path) -> pd.DataFrame:
    """Read a source with pandas."""
    if kind == "audacity":
        return pd.read_csv(folder / SOURCES[kind], sep="\t", header=None, names=["start", "end", "label"])
    return pd.read_csv(folder / SOURCES[kind])


def step_read_csv(kind: str, folder: Path) -> Callable[[], object]:
    """Return what reads the source with pandas."""
    return lambda: frame_of(kind, folder)


def step_executemany(kind: str, folder: Path) -> Callable[[], object]:
    """Return what stores the source's rows in a plain table."""
    rows = list(frame_of(kind, folder).itertuples(index=False, name=None))
    marks = ", ".join("?" * len(rows[0]))

    def run() -> None:
        with closing(sqlite3.connect(folder / f"{kind}.plain.db")) as connection, connection:
            connection.execute(f"CREATE TABLE plain ({', '.join('abcd'[: len(rows[0])])})")
            connection.executemany(f"INSERT INTO plain VALUES ({marks})", rows)

    return run


def step_journal(kind: str, folder: Path) -> Callable[[], object]:
    """Return what stores rows of the journal in a table with its columns and indexes."""
    frame = frame_of(kind, folder)
    columns = "id, kind, clip_id, label, value, annotator, origin, import_key, start_s, end_s, created_at"
    rows = [
        (
            *(f"019aa000-0000-7000-8000-{place:012x}", "verdict", place, label, "present", kind, "import"),
            *(hashlib.sha256(str(place).encode()).hexdigest(), start_s, end_s, "2026-01-01T00:00:00.000Z"),
        )
        for place, (start_s, end_s, label) in enumerate(zip(frame["start"], frame["end"], frame["label"], strict=True))
    ]
    with projects.create(folder / f"{kind}.schema").open_store() as store:
        statements = store.connection.execute(
            "SELECT sql FROM sqlite_schema WHERE tbl_name = 'journal' AND type IN ('table', 'index') AND sql NOT NULL"
        ).fetchall()

    def run() -> None:
        with closing(sqlite3.connect(folder / f"{kind}.journal.db")) as connection, connection:
            for (statement,) in statements:
                connection.execute(statement)
            connection.execute("PRAGMA ignore_check_constraints = ON")
            connection.executemany(f"INSERT INTO journal ({columns}) VALUES ({', '.join('?' * 11)})", rows)

    return run


def step_import(kind: str, folder: Path) -> Callable[[], object]:
    """Return what imports the source, as `labeltool import` does."""
    at = folder / f"{kind}.project"
    project = projects.load(at) if at.exists() else projects.create(at)
    source = folder / SOURCES[kind]

    def run() -> dict[str, object]:
        records = tables(source) if kind == "store" else FORMATS[kind].read([source])
        with project.open_store(to_write=True) as store:
            result = import_records(store, records, kind=kind, source=str(source))
        return {"verdicts": result.verdicts, "changes": result.changes, "skipped": len(result.skipped)}

    return run


def tables(source: Path) -> Iterator[Imported]:
    """Yield the rows of the table without a reader."""
    frame = pd.read_csv(source)
    recordings = {name: recording_of(describe(source.with_name(name))) for name in frame["file"].unique()}
    yield from recordings.values()
    rows = pd.DataFrame({"recording_sha256": frame["file"].map({n: one.sha256 for n, one in recordings.items()})})
    for name in ("start", "end"):
        rows[f"{name}_us"] = (frame[name] * 1_000_000).round().astype("int64")
        rows[f"{name}_s"] = frame[name]
    rows["fold"] = pd.array([None] * len(rows), "Int64")
    rows["label"], rows["value"], rows["file"] = frame["label"].astype(object), "present", str(source)
    rows["low_hz"] = rows["high_hz"] = rows["confidence"] = np.nan
    rows["track"] = pd.Series([None] * len(rows), dtype=object)
    rows["line"] = pd.array(range(2, len(rows) + 2), "Int64")
    for first in range(0, len(rows), MAX_TABLE_ROWS):
        yield VerdictTable(rows[first : first + MAX_TABLE_ROWS])


STEPS = {
    "pandas.read_csv": step_read_csv,
    "executemany, plain table": step_executemany,
    "executemany, journal's indexes": step_journal,
    "import": step_import,
    "import again": step_import,
}


def measured(kind: str, step: str, folder: Path) -> dict[str, float]:
    """Run a step in a process of its own and return its seconds, its memory and what it counted."""
    command = [sys.executable, __file__, "--child", kind, step, "--folder", str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    values: dict[str, float] = json.loads(done.stdout)
    return values


def run_child(kind: str, step: str, folder: Path) -> None:
    """Run a step and print what it took as JSON."""
    run = STEPS[step](kind, folder)
    wall, cpu = time.perf_counter(), time.process_time()
    counts = run()
    values = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    values["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(json.dumps({**values, **(counts if isinstance(counts, dict) else {})}))


def main() -> None:
    """Print the table, and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where the files are made; default: a temporary one")
    parser.add_argument("--only", nargs="+", choices=sorted(SOURCES), default=list(SOURCES))
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        run_child(*options.child, options.folder)
        return
    print(f"{options.rows} rows; SQLite {sqlite3.sqlite_version}, load {os.getloadavg()[0]:.1f}")
    print("| source | step | wall s | CPU s | CPU us a row | peak MB |\n| --- | --- | ---: | ---: | ---: | ---: |")
    ratios = []
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        write_sources(folder, options.rows)
        for kind in options.only:
            took = {step: measured(kind, step, folder) for step in STEPS}
            for step, one in took.items():
                times = f"{one['wall_s']:.2f} | {one['cpu_s']:.2f} | {one['cpu_s'] / options.rows * 1e6:.2f}"
                print(f"| {kind} | {step} | {times} | {one['peak_mb']:.0f} |", flush=True)
            if took["import"]["verdicts"] != options.rows or took["import again"]["changes"]:
                sys.exit(f"{kind}: not all rows were imported, or again changed something: {took}")
            for clock in ("wall_s", "cpu_s"):
                read, plain, journal, first, again = (one[clock] for one in took.values())
                ratios.append(
                    f"{kind}, {clock}: import {first / (read + plain):.1f} x read_csv and plain executemany, "
                    f"{first / (read + journal):.1f} x read_csv and executemany with the journal's indexes; "
                    f"again {again / (read + plain):.1f} x"
                )
    print("\n".join(ratios))


if __name__ == "__main__":
    main()
