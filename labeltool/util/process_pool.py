"""One pool of worker processes: results as they come, workers that end with their parent."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from labeltool.errors import LabeltoolError

T = TypeVar("T")
R = TypeVar("R")


def map_in_processes(function: Callable[[T], R], items: Iterable[T], processes: int) -> Iterator[R]:
    """Yield a function's results for items, in the order in which they are ready.

    Parameters
    ----------
    function
        Of a module, or a partial of one: it is pickled.
    processes
        At most; with one, the items are worked on in this process and in their order.

    Raises
    ------
    LabeltoolError
        When a worker process was killed. Where the caller stops, items that were not begun are dropped.
    """
    items = list(items)
    processes = min(processes, len(items))
    if processes <= 1:
        yield from map(function, items)
        return
    # Spawned, not forked: the caller may hold threads (the app, SQLite, TensorFlow).
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_exit_with_parent) as pool:
        running = {pool.submit(function, item) for item in items}
        try:
            while running:
                finished, running = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    yield future.result()
        except BrokenProcessPool as error:
            raise LabeltoolError(
                "a worker process was killed", remedy="is there enough memory? run it again"
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _exit_with_parent() -> None:
    """End this worker process when its parent is killed; else it would wait for work forever."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
