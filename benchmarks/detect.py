"""Detection in recordings of hours that are made of ESC-10 clips, so that the events are known.

    labeltool init P && cd P && labeltool import esc50 ESC_DIR --subset esc10
    labeltool retrain --test-fold 4 --budget 120
    labeltool model add yamnet.tflite
    pip install --group benchmarks
    python benchmarks/detect.py ESC_DIR --project P --model 1 yamnet

The clips of one fold, each cut to where it is not digital silence, are drawn by seed and joined with two to eight
seconds between them; quiet noise lies under all of it. A clip is one event of its label. For each model and duration,
`labeltool detect` is run and one line of JSON is printed: how many times faster than real time it was, by the wall
clock (with the other load of the machine) and by processor time of all processes on each of two cores; the peak memory
of its largest process; and for the longest, F1 by sed_eval (Mesaros et al. 2016, "Metrics for polyphonic sound event
detection"): event-based with a collar of 0.2 s on the start and the larger of 0.2 s and a fifth of the event on the
end, the same with 1 s, and segment-based in segments of a second; micro-averages.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from commands import labeltool
from esc10_clips import read_clips

from labeltool import project as projects
from labeltool.type_aliases import Float32

RATE = 44_100
GAP_S = (2.0, 8.0)
NOISE = 1e-3  # -60 dB of full scale
CORES = 2

Events = list[dict[str, Any]]
"""Label and times of each event."""


def read_sounds(data: Path, fold: int) -> list[tuple[Float32, str]]:
    """Read a fold's clips, cut to where they are not digital silence, with their labels."""
    sounds = []
    for clip, label in zip(*read_clips(data), strict=True):
        if clip.fold != fold:
            continue
        samples, rate = soundfile.read(clip.path, dtype="float32")
        assert rate == RATE, clip.path
        audible = np.flatnonzero(samples)
        sounds.append((samples[audible[0] : audible[-1] + 1], label))
    return sounds


def write_recording(
    path: Path, sounds: Sequence[tuple[Float32, str]], seconds: float, seed: int = 0, rate: int = RATE
) -> Events:
    """Write a recording of a duration and return its events; a shorter one is the beginning of a longer one."""
    random = np.random.default_rng(seed)
    truth: Events = []
    at = 0
    with soundfile.SoundFile(path, "w", rate, 1, subtype="PCM_16", compression_level=0.0) as file:
        while True:
            gap = round(random.uniform(*GAP_S) * rate)
            samples, label = sounds[int(random.integers(len(sounds)))]
            block = random.normal(0.0, NOISE, gap + len(samples)).astype(np.float32)
            block[gap:] += samples
            if at + len(block) > seconds * rate:
                file.write(np.zeros(round(seconds * rate) - at, np.float32))
                return truth
            file.write(np.clip(block, -1.0, 1.0))
            truth.append({"event_label": label, "onset": (at + gap) / rate, "offset": (at + len(block)) / rate})
            at += len(block)


def detect(project: Path, model: str, path: Path, seconds: float, output: Path) -> tuple[Events, dict[str, Any]]:
    """Run `labeltool detect` from the command line; return its events and its cost."""
    shutil.rmtree(projects.find(project).cache / "detect", ignore_errors=True)
    taken = labeltool("detect", path, "--model", model, "--json", "-o", output, project=project)
    return taken.json()["files"][0]["spans"], {
        "model": model,
        "seconds": seconds,
        "wall_s": round(taken.wall_s, 1),
        "processor_s": round(taken.processor_s, 1),
        "times_real_time_by_wall": round(seconds / taken.wall_s, 1),
        "times_real_time_by_processor_on_two_cores": round(seconds / (taken.processor_s / CORES), 1),
        "load_average": round(os.getloadavg()[0], 1),
        "largest_process_mb": round(taken.peak_mb, 1),
    }


def scores(truth: Events, detected: Events) -> dict[str, Any]:
    """Return F1, precision and recall by each of the three metrics."""
    from dcase_util.containers import MetaDataContainer  # type: ignore[import-not-found]
    from sed_eval.sound_event import (  # type: ignore[import-not-found]
        EventBasedMetrics,
        SegmentBasedMetrics,
    )

    found = [{"event_label": one["label"], "onset": one["start_s"], "offset": one["end_s"]} for one in detected]
    reference, estimate = (MetaDataContainer([{**one, "filename": "a"} for one in some]) for some in (truth, found))
    labels = sorted({one["event_label"] for one in [*truth, *found]})

    def metrics() -> Iterator[tuple[str, Any]]:
        for collar_s in (0.2, 1.0):
            yield f"event_{collar_s}_s", EventBasedMetrics(labels, t_collar=collar_s, percentage_of_length=0.2)
        yield "segment_1_s", SegmentBasedMetrics(labels, time_resolution=1.0)

    results: dict[str, Any] = {"events": len(truth), "found": len(found)}
    for name, metric in metrics():
        metric.evaluate(reference, estimate)
        shares = metric.results_overall_metrics()["f_measure"]
        results[name] = {key: round(100 * float(value), 1) for key, value in shares.items()}
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="ESC_DIR")
    parser.add_argument("--project", type=Path, required=True, metavar="P")
    parser.add_argument("--model", nargs="+", required=True, metavar="ID or NAME")
    parser.add_argument("--fold", type=int, default=4)
    parser.add_argument("--seconds", type=float, nargs="+", default=[600.0, 3600.0, 10_800.0])
    options = parser.parse_args()
    sounds = read_sounds(options.data, options.fold)
    with tempfile.TemporaryDirectory() as folder:
        for seconds in sorted(options.seconds):
            path = Path(folder) / f"{seconds:g}s.flac"
            truth = write_recording(path, sounds, seconds)
            for model in options.model:
                detected, cost = detect(options.project, model, path, seconds, Path(folder) / "tracks")
                measured = scores(truth, detected) if seconds == max(options.seconds) else {}
                print(json.dumps({**cost, **measured}), flush=True)
            path.unlink()


if __name__ == "__main__":
    main()
