"""The map over items by Dask: on workers that are started here, or on those of a scheduler that is there already.

Items go in batches of about half a second, a few for each worker at a time. Dask gives what a lost worker had begun to
another one. Where the scheduler is lost, what it had not returned is submitted again once it is back.
"""

from __future__ import annotations

import logging
import pickle
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from labeltool.errors import LabeltoolError, in_one_line
from labeltool.parallel.dask_tasks import BatchResult, SharedFolder, process_batch
from labeltool.type_aliases import Progress
from labeltool.util import lifetime

if TYPE_CHECKING:
    from distributed import Client, Future, LocalCluster

T = TypeVar("T")
R = TypeVar("R")

# A batch costs about 5 ms to send, schedule and return.
_BATCH_S = 0.5
_MAX_BATCH = 256
# Batches that each worker has before it, so that none waits.
_BATCHES_A_WORKER = 2
_COUNT_WORKERS_EVERY_S = 5.0
# Time that a scheduler may take to come back, and its workers to connect.
_LOST_FOR_S = 60.0
# Workers of this machine are started again by Dask; a busy one takes its time.
_STARTED_AFTER_S = 300.0
_CONNECT_S = 10.0
# Times that the workers which are doing an item may be killed before it is tried alone; a cluster of preemptible
# machines may lose some for other reasons. Of a scheduler that is there already its own configuration counts.
_ALLOWED_FAILURES = 3

_SETTINGS: dict[str, object] = {
    # Dask's own value has the C library take every larger array from the system anew: twice the time for log-mels.
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,
    # Nobody reads its samples of what workers do, a hundred a second, nor how late its own clock is.
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "500ms",
    # Loopback only, and nothing is served on it.
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.scheduler.allowed-failures": _ALLOWED_FAILURES,
    # A worker is alive as long as its process is: a machine that sleeps loses none.
    "distributed.scheduler.worker-ttl": None,
}
_LOOPBACK = "127.0.0.1"

INSTALL = '`pip install "labeltool[dask]"`'
"""The remedy where something of Dask is missing."""

_KILLED = "every worker that processed it was killed"


class KilledWorkers(LabeltoolError):
    """Every worker that processed some items was killed; `items` are these."""

    def __init__(self, items: list[Any], names: str) -> None:
        super().__init__(f"{names}: {_KILLED}", remedy="give workers more memory; all other items are done")
        self.items = items

    @staticmethod
    def of_file(path: Path | str) -> LabeltoolError:
        """Return the error of one item alone, where it is a file."""
        return LabeltoolError(_KILLED, file=path)


class _Lost(Exception):
    """The scheduler no longer knows of what was submitted."""


@dataclass(frozen=True, slots=True)
class _Batch(Generic[T]):
    """Items that are submitted together; `alone`: while nothing else is, to see whether it kills workers."""

    items: list[T]
    alone: bool = False


class DaskWorkers:
    """Dask's workers, and the connection to their scheduler; closed by `close`.

    Parameters
    ----------
    scheduler
        Address of one that is there already; None: `workers` are started on this machine.
    shared
        A folder that every worker must reach by this path; None where there is none.

    Raises
    ------
    LabeltoolError
        When the scheduler does not answer.
    """

    def __init__(self, scheduler: str | None, workers: int | None, shared: Path | None) -> None:
        import dask

        # What Dask logs of lost workers and connections is reported here in one line.
        for name in ("distributed", "tornado"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._shared = SharedFolder.of(shared, uuid.uuid4().hex)
        self._cluster: LocalCluster | None = None
        if scheduler is None:
            dask.config.set(_SETTINGS)
            self._cluster = _start_cluster(workers or 1)
        self._address = scheduler
        self._counted_at_s = 0.0
        self._count = 0
        self._reports: SimpleQueue[object] | None = None
        self._client = self._connect()

    def close(self) -> None:
        """Leave the scheduler, and end the workers that were started here."""
        with suppress(Exception):  # where they are gone already there is nothing to end
            self._client.close(timeout=1)
        if self._cluster is not None:
            with suppress(Exception):
                self._cluster.close(timeout=2)

    def count(self) -> int:
        """Return the number of items that are worked on at once: one a thread of the workers."""
        now_s = monotonic()
        if not self._count or now_s - self._counted_at_s > _COUNT_WORKERS_EVERY_S:
            self._counted_at_s = now_s
            with suppress(Exception):  # the scheduler is lost: counted again later
                self._count = sum(self._client.nthreads().values())
        return max(1, self._count)

    def map(
        self, function: Callable[[T], R], items: Iterable[T], report: Progress | None, name_of: Callable[[T], str]
    ) -> Iterator[R]:
        """Yield results as they come; see `engine.map_in_processes`."""
        run = _Run(self, function, items)
        self._reports = run.events
        try:
            while run.submit():
                for event in run.next_events():
                    if isinstance(event, tuple):
                        if report is not None:
                            report(*event)
                        continue
                    done = run.take(event)
                    if done is not None:
                        yield from done.results
                        if done.error is not None:
                            raise done.error
        finally:
            self._reports = None
            run.cancel()
        if run.killers:
            names = ", ".join(map(name_of, run.killers[:3])) + (", ..." if len(run.killers) > 3 else "")
            raise KilledWorkers(run.killers, names)

    def submit(self, payload: bytes) -> Future:
        """Submit a pickled function with its items.

        Raises
        ------
        LabeltoolError
            When the scheduler does not come back.
        """
        until_s = monotonic() + _LOST_FOR_S
        while True:
            try:
                if self._client.status != "running":
                    raise _Lost
                return self._client.submit(
                    process_batch, self._shared, payload, pure=False, key=f"labeltool-{uuid.uuid4().hex}"
                )
            except (_Lost, OSError, TimeoutError):
                self._reconnect(until_s)

    def has_lost(self, future: Future) -> bool:
        """Return whether a future is of a connection that was lost: its result does not come any more."""
        return future.client is not self._client or self._client.status != "running"

    def require_workers(self, waited_s: float) -> None:
        """Raise where no worker has been connected for long.

        Raises
        ------
        LabeltoolError
            With what to do.
        """
        if self._client.status != "running":
            raise _Lost
        try:
            workers = self._client.nthreads()
        except (OSError, TimeoutError) as error:
            raise _Lost from error
        limit_s = _LOST_FOR_S if self._cluster is None else _STARTED_AFTER_S
        if not workers and waited_s > limit_s:
            raise LabeltoolError(
                f"no worker is connected to the scheduler{f' {self._address}' if self._address else ''}",
                remedy="start some with `dask worker`, then run this again: what is done stays done",
            )

    def _reconnect(self, until_s: float) -> None:
        with suppress(Exception):
            self._client.close(timeout=1)
        while True:
            try:
                self._client = self._connect()
                return
            except LabeltoolError as error:
                if monotonic() > until_s or self._cluster is not None:
                    raise LabeltoolError(
                        f"the connection to the scheduler {self._address or 'of this machine'} was lost",
                        remedy="start it and its workers, then run this again: what is done stays done",
                    ) from error

    def _connect(self) -> Client:
        from distributed import Client

        try:
            to = self._address if self._cluster is None else self._cluster
            client = Client(to, timeout=_CONNECT_S, set_as_default=False)
        except (OSError, TimeoutError, ValueError, ImportError, TypeError) as error:
            raise LabeltoolError(
                f"no Dask scheduler answers at {self._address or 'this machine'}",
                remedy="`dask scheduler` starts one; is the address right?",
            ) from error
        client.subscribe_topic(self._shared.topic, self._receive)
        return client

    def _receive(self, event: tuple[float, Any]) -> None:
        """Take progress that a worker sent."""
        reports, (_, message) = self._reports, event
        if reports is not None:
            reports.put(tuple(message))


class _Run(Generic[T, R]):
    """One map: what is submitted, what must be again, and what happened."""

    def __init__(self, workers: DaskWorkers, function: Callable[[T], R], items: Iterable[T]) -> None:
        self._workers, self._function = workers, function
        self._left = iter(items)
        self._count_left = len(items) if isinstance(items, Sized) else None
        self._again: deque[_Batch[T]] = deque()
        self._suspects: deque[_Batch[T]] = deque()
        self._submitted: dict[Future, _Batch[T]] = {}
        self._seconds_an_item = _BATCH_S
        self._last_event_at_s = monotonic()
        self.events: SimpleQueue[Any] = SimpleQueue()
        self.killers: list[T] = []

    def submit(self) -> bool:
        """Submit what the workers can take; return whether there is something to wait for."""
        wanted = _BATCHES_A_WORKER * self._workers.count()
        while len(self._submitted) < wanted:
            batch = self._next_batch()
            if batch is None:
                break
            payload = pickle.dumps((self._function, batch.items), pickle.HIGHEST_PROTOCOL)
            future = self._workers.submit(payload)
            self._submitted[future] = batch
            future.add_done_callback(self.events.put)
        return bool(self._submitted)

    def next_events(self) -> list[Any]:
        """Wait for what happens next: futures that are done or lost, or progress as a tuple."""
        # Their callbacks ended with the loop of their connection.
        if lost := [one for one in self._submitted if self._workers.has_lost(one)]:
            return lost
        try:
            event = self.events.get(timeout=_COUNT_WORKERS_EVERY_S)
        except Empty:
            try:
                self._workers.require_workers(monotonic() - self._last_event_at_s)
            except _Lost:
                return list(self._submitted)
            return [one for one in self._submitted if one.done()]
        self._last_event_at_s = monotonic()
        return [event]

    def take(self, future: Future) -> BatchResult[R] | None:
        """Return the results of a future that is done; None where they come later, or never."""
        from concurrent.futures import CancelledError

        from distributed.scheduler import KilledWorker

        batch = self._submitted.pop(future, None)
        if batch is None:
            return None
        if future.cancelled() or self._workers.has_lost(future):
            self._again.append(batch)
            return None
        try:
            done: BatchResult[R] = future.result(timeout=_LOST_FOR_S)
        except KilledWorker:
            self._suspect(batch)
        except (CancelledError, OSError, TimeoutError):  # lost with the scheduler
            self._again.append(batch)
        except Exception as error:  # what an item raises is in `BatchResult`
            if self._workers.has_lost(future):  # meanwhile: a closed loop is a RuntimeError
                self._again.append(batch)
                return None
            raise LabeltoolError(
                f"Dask cannot run labeltool: {type(error).__name__}: {error}",
                remedy="the scheduler and its workers need the same versions of labeltool and Dask as here",
            ) from error
        else:
            if batch.items and done.seconds > 0:
                self._seconds_an_item = max(done.seconds / len(batch.items), 1e-6)
            return done
        return None

    def cancel(self) -> None:
        """Drop what was not begun."""
        for future in self._submitted:
            with suppress(Exception):
                future.cancel()
        self._submitted.clear()

    def _next_batch(self) -> _Batch[T] | None:
        if self._again:
            return self._again.popleft()
        size = min(_MAX_BATCH, max(1, round(_BATCH_S / self._seconds_an_item)))
        if self._count_left is not None:  # the last ones are shared out
            size = min(size, max(1, self._count_left // (_BATCHES_A_WORKER * self._workers.count())))
        items = list(islice(self._left, size))
        if items:
            if self._count_left is not None:
                self._count_left -= len(items)
            return _Batch(items)
        if self._suspects and not self._submitted:
            return self._suspects.popleft()
        return None

    def _suspect(self, batch: _Batch[T]) -> None:
        """Try again alone what was with several workers that were killed: another item may have killed them."""
        if batch.alone:
            self.killers += batch.items
        else:
            self._suspects.extend(_Batch([item], alone=True) for item in batch.items)


def _start_cluster(workers: int) -> LocalCluster:
    from distributed import LocalCluster

    try:
        # The threads that start workers, again too, inherit it: Ctrl-C reaches this process, and they end with it.
        with lifetime.without_terminal_signals():
            return LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                host=_LOOPBACK,
                dashboard_address=f"{_LOOPBACK}:0",
                worker_dashboard_address=f"{_LOOPBACK}:0",
                memory_limit=0,  # as for the processes of the plain pool; the system's own limits hold
                silence_logs=logging.CRITICAL,
                security=True,  # certificates of this cluster alone: no other user of the machine can submit to it
            )
    except Exception as error:  # a library is missing, or workers do not start
        why = in_one_line(str(error) or type(error).__name__)
        raise LabeltoolError(f"Dask's workers cannot be started: {why}", remedy=INSTALL) from error
