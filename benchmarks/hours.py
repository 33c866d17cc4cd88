"""Many hours of recordings through `labeltool detect`, killed and resumed, with events that are known.

    python benchmarks/hours.py ESC_DIR --yamnet yamnet.tflite --classes yamnet_class_map.csv --hours 200

Recordings of an hour (FLAC, 16 kHz, named as two recorders would) are made of clips of ESC-10's folds 1 to 4, as
`benchmarks/detect.py` joins them, in a folder that is removed at the end. YAMNet and a network trained on folds 1 to 3
each search all of them; three times the command is killed with -9 and run again. Then detections are reviewed
by the truth, in the order of `labeltool evaluate --detections`, and `labeltool density` has the expected number of true
calls.

One line of JSON for each model: how many times faster than real time it was by the wall clock and on one core
(processor time of all its processes); memory of all of them, MB, the largest while the first, the second and the last
hour was searched; MB on the disk for an hour, of scores, of what is kept and of the database; the seconds of a call
that finds all of it searched; whether the rows of the Parquet files are the detections in the database; and for each
label how many calls there are, how many detections from the threshold on, how many of those are right, and how many
by `density` with the ends of its interval.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import soxr
from commands import command_line, labeltool
from detect import RATE as CLIP_RATE
from detect import Events, read_sounds, write_recording
from pyarrow import dataset
from reviewed_detections import is_right, review

from labeltool.cli.detection.detect_parts import sound_files

RATE = 16_000
HOUR_S = 3600.0
SITES = ("pond", "wood")
LOW = 0.1
SAMPLE_S = 0.5
MB = 1 << 20
BY = ("--by", "site", "--by", "hour")

sounds: list[tuple[np.ndarray, str]] = []
"""The clips of this process, `read_all_sounds`."""


def write_hours(data: Path, folder: Path, hours: int) -> dict[str, Events]:
    """Write recordings of an hour each, on all cores, and return their events, by the file's name."""
    for site in SITES:
        (folder / site).mkdir(parents=True)
    with ProcessPoolExecutor(initializer=read_all_sounds, initargs=(data,)) as pool:
        return dict(pool.map(partial(write_hour, folder), range(hours)))


def read_all_sounds(data: Path) -> None:
    """Read the clips of which a process makes recordings."""
    sounds.extend(
        (np.asarray(soxr.resample(samples, CLIP_RATE, RATE), np.float32), label)
        for fold in (1, 2, 3, 4)
        for samples, label in read_sounds(data, fold)
    )


def write_hour(folder: Path, hour: int) -> tuple[str, Events]:
    """Write one recording and return its name and its events."""
    site, start = SITES[hour % len(SITES)], datetime(2024, 5, 31, 18) + timedelta(hours=hour // len(SITES))
    path = folder / site / f"{site.upper()}_{start:%Y%m%d_%H%M%S}.flac"
    return path.name, write_recording(path, sounds, HOUR_S, seed=hour, rate=RATE)


class Tree:
    """Memory and processor time of a process and of those that it started, now and before."""

    def __init__(self) -> None:
        self._seconds: dict[int, float] = {}

    @property
    def processor_s(self) -> float:
        """Of all that were seen, seconds."""
        return sum(self._seconds.values())

    def sample(self, root: int) -> float:
        """Return the memory of a process and of those below it, MB: each page once (PSS)."""
        memory = 0
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(root)
            for one in (process, *process.children(recursive=True)):
                with suppress(psutil.NoSuchProcess):
                    times = one.cpu_times()
                    self._seconds[one.pid] = times.user + times.system
                    memory += one.memory_full_info().pss
        return memory / MB


def threshold_for(model: str) -> list[str]:
    """Return the options of a low threshold for YAMNet: of a softmax's scores 0.1 is no detection."""
    return ["--threshold", str(LOW)] if model == "yamnet" else []


def detect(project: Path, folder: Path, model: str, hours: int, kills: int) -> dict[str, Any]:
    """Run `labeltool detect` on all recordings, killed some times; return what it cost."""
    command = command_line("detect", folder, "--model", model, project=project)
    kept = project / "exports" / "detect"
    tree, began, memory_mb = Tree(), time.monotonic(), dict[int, float]()

    def finished() -> int:
        return len(list(kept.glob(f"*.{model}.*.parquet")))

    for part in range(1, kills + 2):
        process = subprocess.Popen(
            [*command, *threshold_for(model)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        while process.poll() is None:
            time.sleep(SAMPLE_S)
            done = finished()
            memory_mb[done] = max(memory_mb.get(done, 0.0), tree.sample(process.pid))
            if part <= kills and done >= hours * part / (kills + 1):
                process.send_signal(signal.SIGKILL)
        _, errors = process.communicate()
        if process.returncode not in (0, -signal.SIGKILL):
            sys.exit(f"`{' '.join(command)}` failed: {errors}")
    wall_s = time.monotonic() - began
    return {
        "wall_s": round(wall_s),
        "times_real_time_by_wall": round(hours * HOUR_S / wall_s, 1),
        "processor_s": round(tree.processor_s),
        "times_real_time_on_a_core": round(hours * HOUR_S / tree.processor_s, 1),
        "memory_mb_first_hour": round(memory_mb.get(0, 0.0)),
        "memory_mb_second_hour": round(memory_mb.get(1, 0.0)),  # since then pyarrow is loaded
        "memory_mb_last_hour": round(memory_mb.get(hours - 1, 0.0)),
        "load_average": round(os.getloadavg()[0], 1),
    }


def size_mb(folder: Path) -> float:
    """Return the size of all files below a folder, or of a file, MB."""
    return sum(one.stat().st_size for one in (folder, *folder.rglob("*")) if one.is_file()) / MB


def compare(project: Path, model: str, truths: dict[str, Events]) -> dict[str, Any]:
    """Return the catalogue's counts beside the true ones, by label."""
    density = labeltool("density", "--model", model, *BY, "--json", project=project).json()
    kept = sorted((project / "exports" / "detect").glob(f"*.{model}.*.parquet"))
    rows = (
        dataset.dataset([str(one) for one in kept]).to_table(["path", "label", "start_s", "end_s", "score"]).to_pylist()
    )
    right = [is_right(truths[Path(row["path"]).name], row["label"], row["start_s"], row["end_s"]) for row in rows]
    true = Counter(one["event_label"] for events in truths.values() for one in events)
    labels: dict[str, Any] = {}
    for row in density["rows"]:
        one = labels.setdefault(row["label"], {"threshold": row["threshold"], "detected": 0, "calls": [0.0, 0.0, 0.0]})
        one["detected"] += row["events"]
        if row["calls"] is None:
            one["calls"] = None
        else:
            values = (row["calls"]["value"], row["calls"]["low"], row["calls"]["high"])
            one["calls"] = [so_far + more for so_far, more in zip(one["calls"], values, strict=True)]
    is_equal = True
    for label, one in labels.items():
        there = [
            is_so
            for row, is_so in zip(rows, right, strict=True)
            if row["label"] == label and row["score"] >= one["threshold"]
        ]
        is_equal &= len(there) == one["detected"]
        found = [
            any(
                row["label"] == label
                and row["score"] >= one["threshold"]
                and row["start_s"] < event["offset"]
                and event["onset"] < row["end_s"]
                for row in by_name
            )
            for name, by_name in _by_name(rows).items()
            for event in truths[name]
            if event["event_label"] == label
        ]
        one |= {"true": true[label], "found": sum(found), "right": sum(there)}
        if one["calls"] is not None:
            one["calls"] = [round(value, 1) for value in one["calls"]]
            one["is_within"] = one["calls"][1] <= one["right"] <= one["calls"][2]
    return {"parquet_is_the_database": is_equal, "labels": labels}


def _by_name(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(Path(row["path"]).name, []).append(row)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="ESC_DIR")
    parser.add_argument("--yamnet", type=Path, required=True)
    parser.add_argument("--classes", type=Path, required=True)
    parser.add_argument("--hours", type=int, default=200)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--budget", type=float, default=120.0, help="seconds of training")
    parser.add_argument("--precision", type=float, default=0.9)
    parser.add_argument("--most", type=int, default=300, help="reviewed detections")
    parser.add_argument("--models", nargs="+", default=["yamnet", "1"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        project, folder = Path(name) / "project", Path(name) / "recorders"
        labeltool("init", project)
        labeltool("import", "esc50", options.data, "--subset", "esc10", project=project)
        labeltool("retrain", "--test-fold", 4, "--budget", options.budget, project=project)
        labeltool("model", "add", options.yamnet, "--name", "yamnet", "--labels", options.classes, project=project)
        truths = write_hours(options.data, folder, options.hours)
        recordings_mb = size_mb(folder) / options.hours
        labeltool("import", "audio", *sound_files([folder]), project=project)
        for model in options.models:
            before_mb, scores_mb = size_mb(project / "labels.db"), size_mb(project / "cache" / "detect")
            kept_mb = size_mb(project / "exports")
            cost = detect(project, folder, model, options.hours, options.kills)
            again_s = labeltool("detect", folder, "--model", model, *threshold_for(model), project=project).wall_s
            disk = {
                "recordings": recordings_mb,
                "scores": (size_mb(project / "cache" / "detect") - scores_mb) / options.hours,
                "exports": (size_mb(project / "exports") - kept_mb) / options.hours,
                "database": (size_mb(project / "labels.db") - before_mb) / options.hours,
            }
            review(project, truths, options.precision, 0.2, options.most)
            labeltool("evaluate", "--detections", "--precision", options.precision, "--save", project=project)
            about = {
                "model": model,
                "hours": options.hours,
                "kills": options.kills,
                **cost,
                "again_s": round(again_s, 1),
            }
            about["mb_an_hour"] = {key: round(value, 2) for key, value in disk.items()}
            print(json.dumps({**about, **compare(project, model, truths)}), flush=True)


if __name__ == "__main__":
    main()
