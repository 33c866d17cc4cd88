"""Dask's workers: every result once, also when a worker is killed, the scheduler is lost or an item kills."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from labeltool.errors import LabeltoolError
from labeltool.parallel import dask_workers
from labeltool.parallel.dask_workers import KilledWorkers
from labeltool.parallel.engine import Engine, map_in_processes, using, worker_count
from labeltool.parallel.worker_process import PassedOn, is_worker

pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two workers of this machine, started once, and the folder they share; what kills one is soon tried alone."""
    folder = tmp_path_factory.mktemp("shared")
    with pytest.MonkeyPatch.context() as patched, using(Engine(workers=2), folder):
        patched.setitem(dask_workers._SETTINGS, "distributed.scheduler.allowed-failures", 0)
        yield folder


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


def test_every_item_is_done_once_by_workers(two_workers: Path) -> None:
    results = list(map_in_processes(square, range(300)))
    assert sorted(found for found, _ in results) == [number * number for number in range(300)]
    assert os.getpid() not in {process for _, process in results} and worker_count() == 2


def test_items_are_taken_as_they_are_needed(two_workers: Path) -> None:
    taken = 0

    def numbers() -> Iterator[int]:
        nonlocal taken
        while True:
            taken += 1
            yield taken

    results = map_in_processes(square, numbers())
    for _ in range(5):
        next(results)
    results.close()
    assert taken < 5000


def test_a_worker_works_in_its_own_process(two_workers: Path) -> None:
    assert list(map_in_processes(nested, [7, 8])) in (
        [(1, [7], True), (1, [8], True)],
        [(1, [8], True), (1, [7], True)],
    )


def test_an_error_ends_the_work_with_its_line(two_workers: Path) -> None:
    with pytest.raises(LabeltoolError, match=r"^3.wav: three$"):
        list(map_in_processes(fail_at_three, range(9)))
    assert len(list(map_in_processes(square, range(3)))) == 3


def test_what_a_killed_worker_had_begun_is_done_by_another(two_workers: Path, tmp_path: Path) -> None:
    assert sorted(map_in_processes(partial(end_worker_once, tmp_path), range(20))) == list(range(20))


def test_an_item_that_kills_every_worker_is_named_after_the_rest_is_done(two_workers: Path) -> None:
    done = []
    with pytest.raises(KilledWorkers, match=r"^5\.wav: every worker that began this was killed") as raised:
        for result in map_in_processes(end_every_worker, range(9), name_of=lambda number: f"{number}.wav"):
            done.append(result)
    assert raised.value.items == [5] and sorted(done) == [0, 1, 2, 3, 4, 6, 7, 8]


def test_progress_of_a_worker_is_sent_back(two_workers: Path) -> None:
    sent = []
    report = PassedOn(lambda *report: sent.append(report))
    until_s = time.monotonic() + 60
    while not sent and time.monotonic() < until_s:
        list(map_in_processes(partial(reporting, report), range(3), report=report))
        time.sleep(0.3)
    assert sent[0][0] == "working"
