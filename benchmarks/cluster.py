"""Dask's workers on this machine: equal results, what two of them gain, what one costs, and a lost worker.

    python benchmarks/cluster.py ESC10 YAMNET.tflite [--minutes 60] [--rounds 2] [--only features ...]

The clips of folds 1 to 4 are joined to recordings of a minute. Each round runs, one after the other so that the load of
the machine is the same for all, by the plain engine in one process, by one Dask worker and by two, the next round the
other way round:

- features: log-mels of every five seconds, 64 clips a shard;
- detect: YAMNet on one recording of all minutes;
- cross-validation: a head on YAMNet's first layers, one fold a task.

Printed for each: processor seconds; the speed-up of two workers as the machine let it be (wall clock) and by processor
time, which other load leaves alone: what one worker and this process took, over what the busier of two workers and this
process took; the cost of one worker over the plain engine, by processor time, with the least and the most of the
rounds: single rounds differ by as much as it is, so take ten; whether results are equal to the bit; and
whether they are when a worker is killed by its id in the middle. Workers are started before the clock is, and have
done the job once on four minutes: what they import and load, they have. `two plain`, for
comparison: how many times as fast two processes of the plain engine, each with a project of its own, do twice the work
at once. It varies as much as the others.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import os
import shutil
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing.managers import BarrierProxy
from pathlib import Path

import psutil
from detect import read_sounds, write_recording

from labeltool import project as projects
from labeltool.audio.files import describe
from labeltool.inference.clip_features import feature_cache_of
from labeltool.inference.detect import detect as detect_events
from labeltool.inference.detection_records import DetectOptions
from labeltool.networks.architectures import sound_frontend
from labeltool.parallel import engine
from labeltool.parallel.engine import LOCAL, Engine
from labeltool.pretrained import registry
from labeltool.project import Project
from labeltool.records import Clip, Imported, Recording, Verdict
from labeltool.store import clips
from labeltool.store.importing import import_records
from labeltool.tasks import evaluate
from labeltool.util.files.atomic_write import remove_tree

CLIP_S = 5.0
WARM_UP_MINUTES = 4
FOLDS = (1, 2, 3, 4)  # the fifth is kept for the end

Job = Callable[[Project], Callable[[], str]]
"""Does the work, and returns what hashes its results, outside of the time that is taken."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run: wall clock and processor seconds of this process and of each worker, and a hash of the results."""

    wall_s: float
    here_s: float
    workers_s: tuple[float, ...]
    result: str

    @property
    def total_s(self) -> float:
        """Processor seconds of all processes."""
        return self.here_s + sum(self.workers_s)

    @property
    def busiest_s(self) -> float:
        """Processor seconds one after the other, if this process waited while the busiest worker works."""
        return self.here_s + max(self.workers_s, default=0.0)


def silent(*_: object) -> None:
    """Report nothing."""


def features(project: Project) -> Callable[[], str]:
    """Compute the log-mels of all clips."""
    frontend = sound_frontend(project.settings.learning)
    cache = feature_cache_of(project, frontend)
    with project.open_store() as store:
        wanted = clips.all_clips(store)
    failed = cache.compute(wanted)
    assert not failed, failed

    def hashed() -> str:
        digest = hashlib.sha256()
        for clip in wanted:
            digest.update(cache.log_mel(clip).tobytes())
        return digest.hexdigest()

    return hashed


def detect(project: Project) -> Callable[[], str]:
    """Detect in the long recording; hashed are the events and the scores of every window."""
    result = detect_events(
        project, report=silent, files=[str(project.directory / "long.flac")], model="yamnet", options=DetectOptions()
    )

    def hashed() -> str:
        digest = hashlib.sha256(repr([one.spans for one in result.files]).encode())
        for block in sorted((project.cache / "detect").rglob("*.npy")):
            digest.update(block.read_bytes())
        return digest.hexdigest()

    return hashed


def cross_validation(project: Project) -> Callable[[], str]:
    """Cross-validate; hashed is all that is measured."""
    result = evaluate.evaluate(project, report=silent, cross_validate=True)
    return lambda: hashlib.sha256(repr(replace(result, report="", pictures=())).encode()).hexdigest()


JOBS: dict[str, Job] = {"features": features, "detect": detect, "cross-validation": cross_validation}


def make_project(at: Path, data: Path, yamnet: Path, minutes: int) -> Project:
    """Make a project of recordings of a minute, each of one fold, every clip labelled by the pitch of its recording."""
    project = projects.create(at)
    (at / "labeltool.toml").write_text('[learning]\narchitecture = "yamnet256"\n')
    project.reread_settings()
    registry.add(project, report=silent, file=str(yamnet), name="yamnet")
    records: list[Imported] = []
    for number in range(minutes):
        fold = FOLDS[number % len(FOLDS)]
        path = at / f"minute-{number}.flac"
        truth = write_recording(path, read_sounds(data, fold), 60.0, seed=number)
        found = describe(path)
        records.append(
            Recording(found.path, found.sha256, found.sample_rate_hz, found.channels, found.frames, path.name)
        )
        for first in range(12):
            clip = Clip(found.sha256, first * CLIP_S, (first + 1) * CLIP_S, fold)
            middle_s = (first + 0.5) * CLIP_S
            nearest = min(truth, key=lambda event: abs(event["onset"] + event["offset"] - 2 * middle_s))
            records += [clip, Verdict(clip, nearest["event_label"])]
    write_recording(at / "long.flac", read_sounds(data, FOLDS[0]), 60.0 * minutes)
    with project.open_store(to_write=True) as store:
        import_records(store, records, kind="benchmark", source=str(data))
    return project


def workers() -> list[psutil.Process]:
    """Return the worker processes of this one."""
    return [one for one in psutil.Process().children(recursive=True) if "--multiprocessing-fork" in one.cmdline()]


def seconds(process: psutil.Process) -> float:
    """Return the processor seconds of a process until now; 0 where it is gone."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def own_seconds() -> float:
    """Return the processor seconds of this process, and of those that it started for a while."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def run(job: Job, project: Project, small: Project, chosen: Engine, *, kill_after_s: float | None = None) -> Run:
    """Run a job once, all caches empty, after the job on a small project by the same workers."""
    for one in (project, small):
        remove_tree(one.cache)
        one.cache.mkdir()
    with engine.using(chosen, project.cache):
        job(small)
        there = workers() if engine.uses_dask() else []
        before = {one: seconds(one) for one in there}
        here_s, began_s = own_seconds(), time.perf_counter()
        killed = threading.Event()
        if kill_after_s is not None:
            threading.Timer(kill_after_s, lambda: (os.kill(there[0].pid, signal.SIGKILL), killed.set())).start()
        hashed = job(project)
        wall_s = time.perf_counter() - began_s
        if kill_after_s is not None and not killed.is_set():
            print("  the job was done before a worker was killed", file=sys.stderr)
        spent = tuple(seconds(one) - before[one] for one in there)
        return Run(wall_s, own_seconds() - here_s, spent, hashed())


def plain_wall_s(name: str, directory: Path, small: Path, barrier: BarrierProxy) -> float:
    """Return the wall-clock seconds of a job by the plain engine, which begins when all others are ready."""
    engine._cores = lambda: 1
    project = projects.load(directory)
    remove_tree(project.cache)
    project.cache.mkdir()
    JOBS[name](projects.load(small))
    barrier.wait(timeout=600)  # where the other process failed, this one fails too
    began_s = time.perf_counter()
    JOBS[name](project)
    return time.perf_counter() - began_s


def gain_of_two_processes(name: str, project: Project, small: Project) -> float:
    """Return how many times as fast two processes do two jobs as one process does them, one after the other."""
    spawn = multiprocessing.get_context("spawn")
    pairs = [(project.directory, small.directory)]
    pairs.append((project.directory.with_name("project-2"), small.directory.with_name("small-2")))
    for here, there in zip(*pairs, strict=True):
        if not there.exists():
            shutil.copytree(here, there, ignore=shutil.ignore_patterns("cache"))
    with spawn.Manager() as manager, ProcessPoolExecutor(2, spawn) as pool:
        alone = pool.submit(plain_wall_s, name, *pairs[0], manager.Barrier(1)).result()
        barrier = manager.Barrier(2)
        both = [pool.submit(plain_wall_s, name, *pair, barrier) for pair in pairs]
        return 2 * alone / max(one.result() for one in both)


def measure(name: str, project: Project, small: Project, rounds: int) -> None:
    job = JOBS[name]
    machine = statistics.median(gain_of_two_processes(name, project, small) for _ in range(rounds))
    engines = {"plain": LOCAL, "one": Engine(workers=1), "two": Engine(workers=2)}
    runs: dict[str, list[Run]] = {name: [] for name in engines}
    for number in range(rounds):
        # In turn the other way round: the clock of the processor changes in the course of a round.
        for kind in list(engines)[:: -1 if number % 2 else 1]:
            runs[kind].append(run(job, project, small, engines[kind]))
    plain, one, two = runs.values()
    lost = run(job, project, small, Engine(workers=2), kill_after_s=0.4 * min(each.wall_s for each in two))
    equal = len({each.result for each in (*plain, *one, *two)}) == 1
    wall = statistics.median(a.wall_s / b.wall_s for a, b in zip(one, two, strict=True))
    processor = statistics.median(a.busiest_s / b.busiest_s for a, b in zip(one, two, strict=True))
    costs = [a.total_s / b.total_s - 1 for a, b in zip(one, plain, strict=True)]
    equal_cells = ["yes" if same else "NO" for same in (equal, lost.result == plain[0].result)]
    print(
        f"| {name} | {plain[0].total_s:.1f} | {one[0].total_s:.1f} | {wall:.2f} | {processor:.2f} "
        f"| {machine:.2f} | {statistics.median(costs):+.1%} ({min(costs):+.1%} to {max(costs):+.1%}) "
        f"| {' | '.join(equal_cells)} |",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("esc10", type=Path)
    parser.add_argument("yamnet", type=Path)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", nargs="*", choices=JOBS, default=list(JOBS))
    options = parser.parse_args()
    engine._cores = lambda: 1  # the plain engine in one process
    folder = Path(tempfile.mkdtemp())
    try:
        project = make_project(folder / "project", options.esc10, options.yamnet, options.minutes)
        small = make_project(folder / "small", options.esc10, options.yamnet, WARM_UP_MINUTES)
        print(f"{options.minutes} minutes, {options.rounds} rounds, load {os.getloadavg()[0]:.1f}")
        print(
            "| job | plain, s | one worker, s | two: wall | two: processor | two plain | cost of one | equal "
            "| one killed: equal |"
        )
        print("| --- |" + " --- |" * 8)
        for name in options.only:
            measure(name, project, small, options.rounds)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
