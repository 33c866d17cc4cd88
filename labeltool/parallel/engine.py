"""Which engine works on many items, chosen once a process, and the one map that all go through.

Processes of this machine are the default. `using` sets another: Dask, with workers of this machine or a scheduler whose
workers may be anywhere. A worker computes by itself: what it calls of this module is done in its own process.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from labeltool.errors import LabeltoolError
from labeltool.parallel.dask_workers import INSTALL, DaskWorkers, KilledWorkers
from labeltool.parallel.processes import map_in_pool
from labeltool.parallel.worker_process import is_worker
from labeltool.type_aliases import Progress

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Engine:
    """Where items are worked on; without either, in processes of this machine.

    Attributes
    ----------
    scheduler
        Address of a Dask scheduler, as `tcp://host:8786`.
    workers
        Number of Dask workers to start on this machine.
    """

    scheduler: str | None = None
    workers: int | None = None

    @property
    def is_dask(self) -> bool:
        """Whether Dask is the engine."""
        return self.scheduler is not None or self.workers is not None


LOCAL = Engine()

# What a process takes at most that loads TensorFlow and trains or runs a model: those of a machine of many cores must
# fit its memory.
_BYTES_LARGE = 2 << 30

# Of this process: what `using` has set, and Dask's workers once they are needed.
_engine = LOCAL
_shared: Path | None = None
_dask: DaskWorkers | None = None


@contextmanager
def using(engine: Engine, shared: Path | None = None) -> Iterator[None]:
    """Work on items by an engine in this process; workers write into `shared`, which each must reach by this path."""
    global _engine, _shared, _dask
    before = _engine, _shared, _dask
    _engine, _shared, _dask = engine, shared, None
    try:
        yield
    finally:
        if _dask is not None:
            _dask.close()
        _engine, _shared, _dask = before


def uses_dask() -> bool:
    """Return whether items go to Dask's workers."""
    return _engine.is_dask and not is_worker()


def work_folder() -> Path | None:
    """Return the folder where work is written that every worker reaches; None where there is none."""
    return _shared


def worker_count() -> int:
    """Return how many items are worked on at once: one a core of this machine, or one a thread of Dask's workers.

    Raises
    ------
    LabeltoolError
        When Dask cannot be reached.
    """
    if is_worker():
        return 1
    return _workers_of_dask().count() if _engine.is_dask else _cores()


def processes_for(count: int, *, at_least: int) -> int | None:
    """Return 1 where items are too few for it to be worth starting a process, else None for as many as there are."""
    if uses_dask():
        return None if count > 1 else 1  # its workers are there already
    return None if count >= at_least and worker_count() > 1 else 1


def map_in_processes(
    function: Callable[[T], R],
    items: Iterable[T],
    processes: int | None = None,
    *,
    report: Progress | None = None,
    name_of: Callable[[T], str] = str,
    if_killed: Callable[[T], R] | None = None,
    apart: bool = False,
    large: bool = False,
) -> Iterator[R]:
    """Yield a function's results for items, in the order in which they are ready.

    Few items are taken, and given to workers, before their turn. Where the caller stops, those not begun are dropped.

    Parameters
    ----------
    function
        Of a module, or a partial of one: it is pickled.
    processes
        At most; with one, the items are worked on in this process and in their order. None: `worker_count`.
    report
        Gets what the function reports by a `PassedOn` of it.
    name_of
        Names an item in an error.
    if_killed
        Makes the result of an item over which Dask's workers were killed; None: `KilledWorkers` is raised.
    apart
        Never in this process unless it is a worker: training differs in the last bit by the number of threads.
        Implies `large`.
    large
        Each process of this machine may take as much memory as training does: no more are started than fit.

    Raises
    ------
    LabeltoolError
        When a worker process of this machine was killed, or Dask cannot be reached any more.
    dask_workers.KilledWorkers
        After all other results, when Dask's workers were killed as often as they processed some items.
    """
    if processes == 1 or is_worker():
        yield from map(function, items)
    elif _engine.is_dask:
        try:
            yield from _workers_of_dask().map(function, items, report, name_of)
        except KilledWorkers as error:
            if if_killed is None:
                raise
            yield from map(if_killed, error.items)
    else:
        processes = processes or worker_count()
        if isinstance(items, Sized):
            processes = min(processes, len(items))
        if apart or large:
            processes = min(processes, _memory_bytes() // _BYTES_LARGE)
        if processes <= 1 and not apart:
            yield from map(function, items)
        else:
            yield from map_in_pool(function, items, max(1, processes), report)


def map_shards(
    function: Callable[[Sequence[T]], R],
    shards: Sequence[Sequence[T]],
    processes: int | None,
    if_killed: Callable[[T], R],
) -> Iterator[R]:
    """Yield a function's results for shards of items; each item of one that kills Dask's workers is tried by itself.

    Parameters
    ----------
    processes
        See `map_in_processes`.
    if_killed
        Makes the result of an item that kills workers by itself.
    """
    try:
        yield from map_in_processes(function, shards, processes)
    except KilledWorkers as error:
        yield from (if_killed(shard[0]) for shard in error.items if len(shard) == 1)
        each = [[item] for shard in error.items if len(shard) > 1 for item in shard]
        yield from map_in_processes(function, each, processes, if_killed=lambda one: if_killed(one[0]))


def _cores() -> int:
    return os.cpu_count() or 1


def _memory_bytes() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _workers_of_dask() -> DaskWorkers:
    global _dask
    if _dask is None:
        if importlib.util.find_spec("distributed") is None:
            raise LabeltoolError("Dask is not installed", remedy=INSTALL)
        _dask = DaskWorkers(_engine.scheduler, _engine.workers, _shared)
    return _dask
