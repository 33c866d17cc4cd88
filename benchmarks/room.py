"""How fast the labelling room is: start to first picture, key to the next clip painted, memory.

    python benchmarks/room.py --clips 1000 100000 1000000 --answers 100 [--answered 0.5] [--busy | --retrain]

It makes projects of spans of a few synthetic recordings, opens the real program in a pseudo-terminal, presses keys as a
person would and reads what is painted. A key's time ends when the terminal has been given the whole next picture.
`--answered` is the share of the clips, first in the order to ask, that somebody has answered before. `--busy` runs two
processes beside it that do nothing but compute; `--retrain` runs `labeltool retrain` again and again on a project of
its own, with the niceness that the room gives it.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import multiprocessing
import os
import pty
import select
import signal
import statistics
import struct
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from labeltool import project as projects
from labeltool import settings
from labeltool.importers.audio_files import read
from labeltool.project import Project
from labeltool.records import Recording, Suggestion
from labeltool.store import Store, labels, models, queue
from labeltool.store import clips as store_clips
from labeltool.store.importing import take_in
from labeltool.store.journal_rows import append
from labeltool.tasks.process import Child

RECORDINGS = 20
SECONDS = 60.0
CLIP_S = 5.0
RATE_HZ = 44_100
COLUMNS, ROWS = 120, 36
QUIET_S = 0.004
BETWEEN_KEYS_S = 0.35
DEADLINE_S = 300.0
LABELLED = 60  # enough to learn from
LABELS = tuple(f"sound {letter}" for letter in "abcdefghij")


def make_project(folder: Path, clips: int, *, suggestions: bool, answered: float) -> Project:
    """Make a project of so many clips, which are overlapping spans of twenty recordings of a minute each."""
    sounds = folder / "sounds"
    sounds.mkdir(parents=True)
    rng = np.random.default_rng(0)
    time_s = np.arange(int(SECONDS * RATE_HZ)) / RATE_HZ
    for place in range(RECORDINGS):
        chirp = np.sin(2 * np.pi * (200 + 150 * place) * time_s * (1 + 0.2 * np.sin(time_s)))
        noise = rng.normal(0, 0.02, len(time_s))
        soundfile.write(sounds / f"r{place}.flac", 0.3 * chirp * (np.sin(3 * time_s) > 0) + noise, RATE_HZ)
    project = projects.create(folder / "project")
    # The room would train by itself after some answers: what runs beside it is to be known.
    (project.directory / settings.SETTINGS_FILE).write_text("[learning]\nretrain_after = 0\n")
    with project.open_store() as store:
        recordings = [record for record in read([sounds], None, None) if isinstance(record, Recording)]
        take_in(store, recordings, kind="audio", source="benchmark")
        # A million clips through the importer take minutes and are not what is measured.
        span = (SECONDS - CLIP_S) / -(-clips // RECORDINGS)
        with store.transaction() as connection:
            connection.executemany(
                "INSERT INTO clips (recording_id, start_s, end_s) VALUES (?, ?, ?)",
                (
                    (1 + place % RECORDINGS, start_s := place // RECORDINGS * span, start_s + CLIP_S)
                    for place in range(clips)
                ),
            )
        order = np.random.default_rng(1).permutation(clips) + 1
        before = order[: max(LABELLED, int(answered * clips))].tolist()
        with store.transaction() as connection:
            for place, clip_id in enumerate(before):
                label = LABELS[place % len(LABELS)]
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
        if suggestions:
            _suggest(store, order.tolist())
    return project


def _suggest(store: Store, order: list[int]) -> None:
    card = {"architecture": "none", "labels_seen": 10, "clip_accuracy": 0.9, "int8_clip_accuracy": 0.9}
    model_id = models.add(store, parent_id=None, card=card, journal_mark="", publish=lambda _: None)
    likely = np.random.default_rng(1).random(len(order))
    models.replace_suggestions(
        store,
        (Suggestion(clip_id, model_id, _shares(clip_id, float(likely[place]))) for place, clip_id in enumerate(order)),
    )
    queue.replace(store, order)


def _shares(clip_id: int, likely: float) -> dict[str, float]:
    top = LABELS[clip_id % len(LABELS)]
    return {label: likely if label == top else (1 - likely) / (len(LABELS) - 1) for label in LABELS}


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
        """Read until a text was painted and nothing follows; return when the last byte came, and how many."""
        wanted, seen, last = text.encode(), b"", 0.0
        deadline = time.perf_counter() + DEADLINE_S
        while time.perf_counter() < deadline:
            found = wanted in seen
            ready, _, _ = select.select([self.terminal], [], [], QUIET_S if found else 1.0)
            if ready:
                seen += os.read(self.terminal, 1 << 16)
                last = time.perf_counter()
            elif found:
                return last, len(seen)
        raise SystemExit(f"waited in vain for {text!r}")

    def read_for(self, seconds: float) -> None:
        """Read and forget, as a person listens."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            if select.select([self.terminal], [], [], left)[0]:
                os.read(self.terminal, 1 << 16)

    def press(self, key: str) -> float:
        """Press a key and return when."""
        now = time.perf_counter()
        os.write(self.terminal, key.encode())
        return now

    def peak_memory_mb(self) -> float:
        """Return the most memory the process has had."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024

    def close(self) -> None:
        """Leave."""
        self.press("q")
        with contextlib.suppress(OSError):
            self.read_for(5.0)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def measure(project: Project, clips: int, answers: int) -> dict[str, float]:
    """Open the room, answer, and return what was measured: seconds to the picture, milliseconds a key, MB."""
    with project.open_store() as store:
        labelled = store_clips.counts(store).labelled
    # Nobody labels while the project made just now is still on its way to the disk, where each answer waits its turn.
    os.sync()
    screen = Screen(project)
    first_paint = screen.read_until("▀")[0] - screen.began
    screen.read_until(f" {labelled} of {clips} ")
    screen.read_for(2.0)
    took, sent = [], []
    for place in range(answers):
        pressed = screen.press("nx"[place % 2])
        labelled += 1
        painted, size = screen.read_until(f" {labelled} of {clips} ")
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
    """Keep a core busy, politely, as a training does."""
    os.nice(10)
    square = np.random.default_rng(0).random((400, 400))
    while True:
        square = square @ square
        square /= square.max()


class School:
    """Trains as the room does, in a child process of its niceness, again and again until it is closed."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._closed = False
        self._child: Child | None = None
        self._thread = threading.Thread(target=self._teach)
        self._thread.start()

    def close(self) -> None:
        """End the training."""
        self._closed = True
        while self._thread.is_alive():
            if self._child is not None:
                self._child.stop()
            self._thread.join(0.1)

    def _teach(self) -> None:
        while not self._closed:
            self._child = Child.start(self._project, "retrain", niceness=10, arch="miniresnet", from_scratch=True)
            for _ in self._child.messages():
                pass


@contextlib.contextmanager
def company(folder: Path, *, busy: bool, retrain: bool) -> Iterator[None]:
    """Keep the machine as busy as asked."""
    processes = [multiprocessing.Process(target=compute_for_ever) for _ in range(2 * busy)]
    for process in processes:
        process.start()
    school = School(make_project(folder, 1000, suggestions=False, answered=0.0)) if retrain else None
    try:
        yield
    finally:
        if school is not None:
            school.close()
        for process in processes:
            process.terminate()
            process.join()


def main() -> None:
    """Measure each size and print one JSON object a line."""
    asked = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    asked.add_argument("--clips", type=int, nargs="+", default=[1000, 100_000, 1_000_000])
    asked.add_argument("--answers", type=int, default=100)
    asked.add_argument("--answered", type=float, default=0.0, help="the share that was answered before")
    asked.add_argument("--no-model", action="store_true", help="a project without suggestions")
    asked.add_argument("--busy", action="store_true", help="with two computing processes beside it")
    asked.add_argument("--retrain", action="store_true", help="with a training beside it")
    given = asked.parse_args()
    for clips in given.clips:
        with tempfile.TemporaryDirectory() as folder:
            project = make_project(
                Path(folder) / "room", clips, suggestions=not given.no_model, answered=given.answered
            )
            with company(Path(folder) / "school", busy=given.busy, retrain=given.retrain):
                print(json.dumps(measure(project, clips, given.answers)), flush=True)


if __name__ == "__main__":
    main()
