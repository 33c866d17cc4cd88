"""The pool of worker processes: results of every item, one process or several, and a killed worker in one line."""

from __future__ import annotations

import os
import signal

import pytest

from labeltool.errors import LabeltoolError
from labeltool.parallel import engine
from labeltool.parallel.engine import map_in_processes


def process_of(number: int) -> tuple[int, int]:
    return number * number, os.getpid()


def kill_this_process(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_one_process_keeps_the_order_and_starts_none() -> None:
    results = list(map_in_processes(process_of, range(4), 1))
    assert results == [(number * number, os.getpid()) for number in range(4)]


def test_every_item_is_done_in_other_processes() -> None:
    results = list(map_in_processes(process_of, range(6), 2))
    assert sorted(square for square, _ in results) == [number * number for number in range(6)]
    assert os.getpid() not in {process for _, process in results}


def test_no_more_large_processes_are_started_than_fit_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_memory_bytes", lambda: engine._BYTES_LARGE * 3 // 2)
    results = list(map_in_processes(process_of, range(4), 2, large=True))
    assert results == [(number * number, os.getpid()) for number in range(4)]


def test_a_killed_worker_is_reported_in_one_line() -> None:
    with pytest.raises(LabeltoolError, match="a worker process was killed"):
        list(map_in_processes(kill_this_process, range(2), 2))
