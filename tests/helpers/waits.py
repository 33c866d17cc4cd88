"""How long tests wait for what comes by itself: on a busy machine it may take long, and only a hang reaches this."""

from __future__ import annotations

import time
from collections.abc import Callable

DEADLINE_S = 400.0


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for something to come true."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"timed out waiting for {what}"
        time.sleep(0.01)
