"""One pool of worker processes of this machine: results as they come, workers that end with their parent."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing.queues import SimpleQueue
from queue import Empty
from queue import SimpleQueue as Received
from typing import TypeVar

from labeltool.errors import LabeltoolError
from labeltool.parallel.worker_process import become_worker, set_sender
from labeltool.type_aliases import Progress

T = TypeVar("T")
R = TypeVar("R")

_Report = tuple[str, int, int, str]

# Items given to the pool at once, for each process: enough that none waits, and no more are in memory.
_SUBMITTED = 4
_LOOK_FOR_REPORTS_EVERY_S = 0.25


def map_in_pool(function: Callable[[T], R], items: Iterable[T], processes: int, report: Progress | None) -> Iterator[R]:
    """Yield a function's results for items, in the order in which they are ready; see `engine.map_in_processes`."""
    left = iter(items)
    # Spawned, not forked: the caller may hold threads (the app, SQLite, TensorFlow).
    context = multiprocessing.get_context("spawn")
    sent: SimpleQueue[_Report | None] = context.SimpleQueue()
    received: Received[_Report] = Received()
    threading.Thread(target=_receive, args=(sent, received), name="labeltool-reports", daemon=True).start()
    try:
        with ProcessPoolExecutor(processes, mp_context=context, initializer=_begin, initargs=(sent,)) as pool:
            try:
                running = {pool.submit(function, item) for item in islice(left, _SUBMITTED * processes)}
                while running:
                    timeout_s = None if report is None else _LOOK_FOR_REPORTS_EVERY_S
                    finished, running = wait(running, timeout_s, return_when=FIRST_COMPLETED)
                    _pass_on(received, report)
                    running |= {pool.submit(function, item) for item in islice(left, len(finished))}
                    yield from map(Future.result, finished)
            except BrokenProcessPool as error:
                raise LabeltoolError(
                    "a worker process was killed", remedy="is there enough memory? run it again"
                ) from error
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    finally:
        # In a thread: a worker that was killed while it wrote has kept the lock.
        threading.Thread(target=sent.put, args=(None,), name="labeltool-reports-end", daemon=True).start()


def _receive(sent: SimpleQueue[_Report | None], received: Received[_Report]) -> None:
    """Take what workers send at once, so that none waits for whoever takes the results."""
    while (one := sent.get()) is not None:
        received.put(one)


def _pass_on(received: Received[_Report], report: Progress | None) -> None:
    try:
        while True:
            one = received.get_nowait()
            if report is not None:
                report(*one)
    except Empty:
        pass


def _begin(sent: SimpleQueue[_Report | None]) -> None:
    """Make this a worker process, which ends when its parent is killed; else it would wait for work forever."""

    def send(stage: str, done: int, total: int, text: str = "", /) -> None:
        sent.put((stage, done, total, text))

    become_worker()
    set_sender(send)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
