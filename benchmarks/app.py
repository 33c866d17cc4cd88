"""Speed of the labelling app: start to first picture, key to the next clip painted, memory.

    python benchmarks/app.py --clips 1000 100000 1000000 --labels 100 [--labelled 0.5] [--busy | --retrain]

It makes projects of spans of a few synthetic recordings, opens the real program in a pseudo-terminal, presses keys as a
person would and reads what is painted. The time of a key ends when the terminal has received the whole next picture.
`--labels` is the number of clips that are labelled by key; `--labelled` is the share of the clips, first in the queue,
that are labelled before. `--busy` runs two processes beside it that only compute; `--retrain` repeats `labeltool
retrain` on a project of its own, with the niceness that the app gives it.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import multiprocessing
import os
import pty
import re
import select
import signal
import statistics
import struct
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile

from labeltool import project as projects
from labeltool.importers.audio_files import read
from labeltool.project import Project
from labeltool.records import Recording
from labeltool.store import Store, labels, models, queue
from labeltool.store import clips as store_clips
from labeltool.store.importing import import_records
from labeltool.store.journal_rows import append
from labeltool.tasks.executor import Job, JobStopped, default_executor
from labeltool.tasks.registry import RETRAIN
from labeltool.tasks.retrain import RetrainResult
from labeltool.util.files.project_names import SETTINGS_FILE

RECORDINGS = 20
SECONDS = 60.0
CLIP_S = 5.0
RATE_HZ = 44_100
COLUMNS, ROWS = 120, 36
QUIET_S = 0.004
MAX_TEXT_BYTES = 64  # of what `read_until` looks for
BETWEEN_KEYS_S = 0.35
SETTLE_S = 3.0  # the clips are counted meanwhile
DEADLINE_S = 300.0
LABELLED = 60  # enough to train on
LABELS = tuple(f"sound {letter}" for letter in "abcdefghij")


def make_project(folder: Path, clips: int, *, suggestions: bool, labelled: float) -> Project:
    """Make a project of a number of clips, which are overlapping spans of twenty recordings of a minute each."""
    sounds = folder / "sounds"
    sounds.mkdir(parents=True)
    _write_recordings(sounds)
    project = projects.create(folder / "project")
    # The app would train by itself after some labels; only the load that is asked for may run beside it.
    (project.directory / SETTINGS_FILE).write_text("[learning]\nretrain_after = 0\n")
    order = (np.random.default_rng(1).permutation(clips) + 1).tolist()
    with project.open_store() as store:
        recordings = [record for record in read([sounds], None, None) if isinstance(record, Recording)]
        import_records(store, recordings, kind="audio", source="benchmark")
        _add_clips(store, clips)
        _add_labels(store, order[: max(LABELLED, int(labelled * clips))])
        if suggestions:
            suggest(store, order, LABELS)
    return project


def _write_recordings(folder: Path) -> None:
    rng = np.random.default_rng(0)
    time_s = np.arange(int(SECONDS * RATE_HZ)) / RATE_HZ
    for number in range(RECORDINGS):
        chirp = np.sin(2 * np.pi * (200 + 150 * number) * time_s * (1 + 0.2 * np.sin(time_s)))
        noise = rng.normal(0, 0.02, len(time_s))
        soundfile.write(folder / f"r{number}.flac", 0.3 * chirp * (np.sin(3 * time_s) > 0) + noise, RATE_HZ)


def _add_clips(store: Store, clips: int) -> None:
    # A million clips through the importer take minutes and are not what is measured.
    step_s = (SECONDS - CLIP_S) / -(-clips // RECORDINGS)
    with store.transaction() as connection:
        connection.executemany(
            "INSERT INTO clips (recording_id, start_s, end_s) VALUES (?, ?, ?)",
            (
                (1 + number % RECORDINGS, start_s := number // RECORDINGS * step_s, start_s + CLIP_S)
                for number in range(clips)
            ),
        )


def _add_labels(store: Store, clip_ids: Sequence[int]) -> None:
    with store.transaction() as connection:
        for number, clip_id in enumerate(clip_ids):
            label = LABELS[number % len(LABELS)]
            labels.ensure_label(connection, label)
            append(
                connection,
                kind="verdict",
                clip_id=clip_id,
                label=label,
                value="present",
                annotator="before",
                origin="human",
            )


def suggest(store: Store, order: Sequence[int], names: Sequence[str]) -> None:
    """Store a model's suggestions of some labels for clips, and the clips as the queue in their order."""
    card = json.dumps({"architecture": "none", "labels": names})
    model = models.NewModel("none", card, labels_seen=10, clip_accuracy=0.9, int8_clip_accuracy=0.9)
    model_id = models.add(store, model, parent_id=None, journal_mark="", publish=lambda _: None)
    first, top = np.random.default_rng(1).random(len(order)).astype(np.float32), np.array(order) % len(names)
    others = (1 - first) / (len(names) - 1)
    scores = np.where(np.arange(len(names)) == top[:, None], first[:, None], others[:, None])
    models.replace_by_scores(store, model_id, models.Outputs(tuple(names)), order, scores)
    queue.replace(store, order)


class Screen:
    """The program in a pseudo-terminal."""

    def __init__(self, project: Project) -> None:
        self.began = time.perf_counter()
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", LABELTOOL_AUDIO="null")
            command = [sys.executable, "-m", "labeltool", "--project", str(project.directory), "label"]
            os.execv(sys.executable, command)
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))

    def read_until(self, text: str) -> tuple[float, int]:
        """Read until a text is painted and nothing follows; return the time of the last byte, and their number.

        `text` is a pattern.
        """
        wanted, seen, searched, found, last = re.compile(text.encode()), b"", 0, False, 0.0
        deadline = time.perf_counter() + DEADLINE_S
        while time.perf_counter() < deadline:
            ready, _, _ = select.select([self.terminal], [], [], QUIET_S if found else 1.0)
            if ready:
                seen += os.read(self.terminal, 1 << 16)
                last = time.perf_counter()
                # Only what is new: while it searches, the program waits to write more.
                found = found or wanted.search(seen, searched) is not None
                searched = max(0, len(seen) - MAX_TEXT_BYTES)
            elif found:
                return last, len(seen)
        raise SystemExit(f"{text!r} was not painted")

    def read_for(self, seconds: float) -> None:
        """Read and discard for a time, as while a person listens."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            if select.select([self.terminal], [], [], left)[0]:
                os.read(self.terminal, 1 << 16)

    def press(self, key: str) -> float:
        """Press a key and return the time."""
        now = time.perf_counter()
        os.write(self.terminal, key.encode())
        return now

    def peak_memory_mb(self) -> float:
        """Return the peak memory of the process."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        return int(status.split("VmHWM:")[1].split()[0]) / 1024

    def close(self) -> None:
        self.press("q")
        with contextlib.suppress(OSError):
            self.read_for(5.0)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def measure(project: Project, clips: int, labels: int) -> dict[str, float]:
    """Open the app, label clips, and return seconds to the first picture, milliseconds per key, and MB."""
    with project.open_store() as store:
        labelled = store_clips.counts(store).labelled
    # The new project is first written to the disk: each label would have to wait for it.
    os.sync()
    screen = Screen(project)
    first_paint = screen.read_until("▀")[0] - screen.began
    screen.read_for(SETTLE_S)
    took, sent = [], []
    for number in range(labels):
        pressed = screen.press("nd"[number % 2])
        labelled += 1
        painted, size = screen.read_until(rf"(?<!\d)({labelled:,} of {clips:,}|{labelled}/{clips})\b")
        took.append((painted - pressed) * 1000)
        sent.append(size)
        screen.read_for(BETWEEN_KEYS_S)
    memory = screen.peak_memory_mb()
    screen.close()
    took.sort()
    return {
        "clips": clips,
        "first_paint_s": round(first_paint, 2),
        "key_p50_ms": round(statistics.median(took), 1),
        "key_p95_ms": round(took[min(len(took) - 1, int(len(took) * 0.95))], 1),
        "key_max_ms": round(took[-1], 1),
        "bytes_a_clip": round(statistics.median(sent)),
        "memory_mb": round(memory),
    }


def compute_for_ever() -> None:
    """Keep a core busy, with the niceness of a training."""
    os.nice(10)
    square = np.random.default_rng(0).random((400, 400))
    while True:
        square = square @ square
        square /= square.max()


class RepeatedTraining:
    """Trains as the app does, in a child process of its niceness, again and again until it is closed."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._closed = False
        self._job: Job[RetrainResult] | None = None
        self._thread = threading.Thread(target=self._train)
        self._thread.start()

    def close(self) -> None:
        self._closed = True
        while self._thread.is_alive():
            if self._job is not None:
                self._job.stop()
            self._thread.join(0.1)

    def _train(self) -> None:
        executor = default_executor()
        while not self._closed:
            self._job = executor.start(self._project, RETRAIN, niceness=10, arch="miniresnet", from_scratch=True)
            with contextlib.suppress(JobStopped):
                self._job.wait(lambda *_: None)


@contextlib.contextmanager
def load(folder: Path, *, busy: bool, retrain: bool) -> Iterator[None]:
    """Run the load that is asked for beside the app."""
    processes = [multiprocessing.Process(target=compute_for_ever) for _ in range(2 * busy)]
    for process in processes:
        process.start()
    training = RepeatedTraining(make_project(folder, 1000, suggestions=False, labelled=0.0)) if retrain else None
    try:
        yield
    finally:
        if training is not None:
            training.close()
        for process in processes:
            process.terminate()
            process.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, nargs="+", default=[1000, 100_000, 1_000_000])
    parser.add_argument("--labels", type=int, default=100, help="clips that are labelled by key")
    parser.add_argument("--labelled", type=float, default=0.0, help="the share that is labelled before")
    parser.add_argument("--no-model", action="store_true", help="a project without suggestions")
    parser.add_argument("--busy", action="store_true", help="with two computing processes beside it")
    parser.add_argument("--retrain", action="store_true", help="with a training beside it")
    options = parser.parse_args()
    for clips in options.clips:
        with tempfile.TemporaryDirectory() as folder:
            project = make_project(
                Path(folder) / "app", clips, suggestions=not options.no_model, labelled=options.labelled
            )
            with load(Path(folder) / "training", busy=options.busy, retrain=options.retrain):
                print(json.dumps(measure(project, clips, options.labels)), flush=True)


if __name__ == "__main__":
    main()
