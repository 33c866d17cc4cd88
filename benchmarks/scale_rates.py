"""The rates that `benchmarks/scale.py` takes: minutes of sound scanned, and what the one writer of the database does.

    python benchmarks/scale_rates.py ESC_DIR --pretrained yamnet.tflite --classes yamnet_class_map.csv [--minutes 120]

A recording joined of ESC-10's folds 1 to 4 is scanned in one process, as `labeltool detect --processes 1` does, and
each minute's wall-clock and processor time is taken: the speed of a core is from the processor time, the spread and the
tail from the wall-clock times, with the other load of the machine in them. Then the detections of recordings are
replaced in a project, one transaction a recording as `detect` does, with as many as 0 and 200 detections each and with
a database that grows: the time of a transaction and of a row.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from labeltool import project as projects
from labeltool.audio.files import describe
from labeltool.inference import window_scorers
from labeltool.inference.scan import Scan
from labeltool.pretrained import registry
from labeltool.project import Project
from labeltool.records import Event, Recording
from labeltool.store import Store, models, recordings
from labeltool.store.detections.replacing import DetectionScan, replace_detections
from labeltool.store.importing import import_records
from labeltool.type_aliases import Float64

HOUR_FRAMES = 3600 * 48_000
LABELS = ("wren", "robin", "blackbird", "song thrush", "tawny owl")
SCAN = DetectionScan(False, dict.fromkeys(LABELS, 0.2))
FEW, MANY = 0, 200
MODEL = "pretrained"


def join_clips(data: Path, at: Path, minutes: int) -> None:
    """Write a recording of 44.1 kHz, mono, of clips of the folds in turn."""
    paths = sorted(path for path in (data / "audio").iterdir() if path.name[0] in "1234")
    with soundfile.SoundFile(at, "w", 44_100, 1) as file:
        while file.frames < minutes * 60 * 44_100:
            for path in paths:
                file.write(soundfile.read(path, dtype="int16")[0])


def scan_minutes(project: Project, sound: Path) -> tuple[Float64, Float64]:
    """Scan a recording by the project's pretrained model; return wall-clock and processor seconds of each minute."""
    choice = window_scorers.choose_model(project, MODEL)
    scorer = window_scorers.window_scorer(choice)
    scan = Scan.of(choice, scorer, sound, describe(sound).sha256, project.cache / "detect")
    ticks: list[tuple[float, float, int]] = []
    scan.run(scorer, lambda done, _: ticks.append((time.perf_counter(), time.process_time(), done)), processes=1)
    steps = np.diff(np.array(ticks), axis=0)[1:]  # the first one loads the model
    seconds = steps[steps[:, 2] > 30]
    return seconds[:, 0] * 60 / seconds[:, 2], seconds[:, 1] * 60 / seconds[:, 2]


def add_recordings(store: Store, first: int, count: int) -> list[str]:
    """Import recordings of an hour that exist on paper only; return their hashes."""
    hashes = [f"{number:064x}" for number in range(first, first + count)]
    import_records(
        store,
        [Recording(f"/night/{one}.flac", one, 48_000, 1, HOUR_FRAMES, one) for one in hashes],
        kind="audio",
        source="scale",
    )
    return hashes


def detections(count: int) -> list[Event]:
    """Return detections of an hour, evenly apart."""
    starts = np.arange(count) * 3600 / max(count, 1)
    return [Event(LABELS[place % 5], float(start), float(start) + 2.0, 0.9) for place, start in enumerate(starts)]


def time_writer(project: Project, rounds: int, per_round: int) -> list[tuple[int, float, float]]:
    """Return, as the database grows: its rows, seconds of a transaction without rows, and seconds of each row."""
    found = []
    with project.open_store(to_write=True) as store:
        model_id, rows = models.detection_model_id(store, MODEL), 0
        for turn in range(rounds):
            hashes = add_recordings(store, turn * 2 * per_round, 2 * per_round)
            taken = {FEW: 0.0, MANY: 0.0}
            for place, one in enumerate(hashes):
                events = detections((FEW, MANY)[place % 2])
                begun = time.perf_counter()
                recording = recordings.by_content(store, one)
                assert recording is not None
                rows += replace_detections(store, recording, model_id, events, SCAN)
                taken[len(events)] += time.perf_counter() - begun
            fixed_s = taken[FEW] / per_round
            found.append((rows, fixed_s, (taken[MANY] / per_round - fixed_s) / MANY))
    return found


def tail_of(seconds: Float64) -> tuple[float, float]:
    """Return the share of times of more than twice the median, and the exponent of their tail (Hill 1975)."""
    limit = 2 * float(np.median(seconds))
    beyond = seconds[seconds > limit]
    return len(beyond) / len(seconds), float(1 / np.log(beyond / limit).mean()) if len(beyond) else float("inf")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--pretrained", type=Path, required=True)
    parser.add_argument("--classes", type=Path, required=True)
    parser.add_argument("--minutes", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=8)
    given = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as name:
        project = projects.create(Path(name) / "project")
        for rows, fixed_s, row_s in time_writer(project, given.rounds, 100):
            print(f"writer, {rows:>7} rows: {fixed_s * 1e3:.2f} ms a recording, {row_s * 1e6:.1f} us a row")
        size = sum(path.stat().st_size for path in project.directory.glob("labels.db*"))
        print(f"database: {size / rows:.0f} bytes a row")
        registry.add(project, report=lambda *_: None, file=str(given.pretrained), name=MODEL, labels=str(given.classes))
        join_clips(given.data, Path(name) / "night.wav", given.minutes)
        wall_s, used_s = scan_minutes(project, Path(name) / "night.wav")
    spread = np.subtract(*np.percentile(np.log(wall_s), (75, 25))) / 1.349
    share, exponent = tail_of(wall_s)
    speed, by_clock = 60 / used_s.mean(), 60 / wall_s.mean()
    print(f"scan: {len(used_s)} minutes, {speed:.0f} x real time a core (wall clock {by_clock:.0f})")
    print(f"wall clock: spread {spread:.3f}; beyond twice the median {share:.3f}, exponent {exponent:.1f}")


if __name__ == "__main__":
    main()
