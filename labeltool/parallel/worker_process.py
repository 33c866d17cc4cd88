"""What holds in a process that works on items for another one: one thread, no further processes, progress sent back."""

from __future__ import annotations

import os
import time
from typing import Any

from labeltool.type_aliases import Progress

# Sums in another order differ in the last bit, so the number of threads must not: one, whichever engine runs it.
_THREAD_SETTINGS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)
# A person reads no more, and a line costs a worker of another machine a message.
_REPORT_EVERY_S = 0.2

_is_worker = False
_send: Progress | None = None
_sent_at_s = 0.0


def become_worker() -> None:
    """Let this process work for another: one thread for BLAS and TensorFlow, which are not used yet."""
    global _is_worker
    _is_worker = True
    os.environ.update(dict.fromkeys(_THREAD_SETTINGS, "1"))
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)  # what is loaded already


def set_sender(send: Progress) -> None:
    """Set what sends progress to the process for which this one works now."""
    global _send
    _send = send


def is_worker() -> bool:
    """Return whether this process works on items for another one; it starts no workers of its own."""
    return _is_worker


class PassedOn:
    """Progress that may go along with a function to a worker, from where it is sent back; a `Progress`."""

    def __init__(self, report: Progress) -> None:
        self._report = report

    def __call__(self, stage: str, done: int, total: int, text: str = "", /) -> None:
        """Report."""
        self._report(stage, done, total, text)

    def __reduce__(self) -> tuple[Any, ...]:
        return PassedOn, (_send_now_and_then,)


def _send_now_and_then(stage: str, done: int, total: int, text: str = "", /) -> None:
    global _sent_at_s
    now_s = time.monotonic()
    if _send is not None and now_s - _sent_at_s >= _REPORT_EVERY_S:
        _sent_at_s = now_s
        _send(stage, done, total, text)
