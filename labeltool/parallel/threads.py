"""A function over many items, in threads that nobody waits for when the rest is not wanted any more."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def map_in_threads(
    function: Callable[[T], R],
    items: Iterable[T],
    at_once: int,
    give_up: Callable[[threading.Thread], None] = lambda _: None,
) -> Generator[R]:
    """Yield a function's results in the order of the items.

    Parameters
    ----------
    at_once
        Number of threads; some items more are taken in advance.
    give_up
        Called with each thread that may still work when the caller stops. The process does not wait for it.
    """
    jobs: SimpleQueue[tuple[T, Future[R]] | None] = SimpleQueue()

    def work() -> None:
        while (job := jobs.get()) is not None:
            item, future = job
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(function(item))
                except BaseException as error:
                    future.set_exception(error)

    threads = [threading.Thread(target=work, name="labeltool-map", daemon=True) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    pending: deque[Future[R]] = deque()
    try:
        for item in items:
            pending.append(Future())
            jobs.put((item, pending[-1]))
            if len(pending) > 2 * at_once:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()
        for thread in threads:
            jobs.put(None)
            give_up(thread)
