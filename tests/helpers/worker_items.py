"""What workers do in tests; imported by every worker, so it imports little."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from labeltool.audio.frontend import LogMelFrontend
from labeltool.errors import LabeltoolError
from labeltool.parallel.engine import map_in_processes, worker_count
from labeltool.parallel.worker_process import PassedOn, is_worker
from labeltool.type_aliases import Float32, Int16

FRONTEND = LogMelFrontend()


def square(number: int) -> tuple[int, int]:
    return number * number, os.getpid()


def fail_at_three(number: int) -> int:
    if number == 3:
        raise LabeltoolError("three", file="3.wav")
    return number


def end_worker_once(folder: Path, number: int) -> int:
    """Kill the worker that does number 5, the first time."""
    if number == 5 and not (folder / "killed").exists():
        (folder / "killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def end_every_worker(number: int) -> int:
    if number == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def nested(number: int) -> tuple[int, list[int], bool]:
    return worker_count(), list(map_in_processes(abs, [-number])), is_worker()


def reporting(report: PassedOn, number: int) -> int:
    report("working", number, 1, "")
    return number


def remote_setting(report: PassedOn, _: int) -> str:
    """Report, and return the settings of remote sounds that hold here."""
    report("working", 0, 1, "")
    return os.environ["LABELTOOL_REMOTE"]


def wait_for_go(folder: Path, number: int) -> int:
    """Return number 0 at once, the others once there is a file `go`."""
    while number and not (folder / "go").exists():
        time.sleep(0.05)
    return number


@dataclass(frozen=True)
class KillsItsWorker:
    """Computes frames as the frontend does; the first worker that computes any is killed after it has."""

    folder: Path

    def __call__(self, pcm: Int16) -> Float32:
        frames = FRONTEND.compute_frames(pcm)
        if not (self.folder / "killed").exists():
            (self.folder / "killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return frames
