"""How long tests wait for what comes by itself: on a busy machine it may take long, and only a hang reaches this."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

DEADLINE_S = 400.0


@contextmanager
def killed_late(process: subprocess.Popen[str]) -> Iterator[None]:
    """Kill a process that is not done with something in time: who reads its lines then reads their end."""
    timer = threading.Timer(DEADLINE_S, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for something to come true."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"timed out waiting for {what}"
        time.sleep(0.01)
