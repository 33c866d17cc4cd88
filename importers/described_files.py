"""Properties of many sound files, read on all cores, or by Dask's workers where those are used."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from labeltool.audio.files import AudioFile, describe
from labeltool.audio.remote.waiting import give_up
from labeltool.errors import LabeltoolError
from labeltool.parallel import engine
from labeltool.parallel.dask_workers import KilledWorkers
from labeltool.parallel.threads import map_in_threads

# Files whose properties workers read before the first is stored, in their order.
_DESCRIBED_TOGETHER = 2048


def described(paths: Iterable[str | Path], at_once: int | None = None) -> Iterator[AudioFile | LabeltoolError]:
    """Yield the properties of sound files in their order; of one that cannot be read, the error.

    Parameters
    ----------
    at_once
        Number of files that are read at the same time in this process; None: one a core.
    """
    if engine.uses_dask():
        yield from _described_by_workers(paths)
        return
    yield from map_in_threads(_described, paths, at_once or os.cpu_count() or 1, give_up)


def _described(path: str | Path) -> AudioFile | LabeltoolError:
    try:
        return describe(path)
    except LabeltoolError as error:
        return error


def _described_by_workers(paths: Iterable[str | Path]) -> Iterator[AudioFile | LabeltoolError]:
    left = iter(paths)
    while numbered := list(enumerate(islice(left, _DESCRIBED_TOGETHER))):
        found = dict(engine.map_in_processes(_described_one, numbered, if_killed=_killed))
        # What a worker cannot read may be on this machine alone.
        yield from (
            _described(path) if isinstance(found[number], LabeltoolError) and Path(path).is_file() else found[number]
            for number, path in numbered
        )


def _killed(numbered: tuple[int, str | Path]) -> tuple[int, AudioFile | LabeltoolError]:
    number, path = numbered
    return number, KilledWorkers.of_file(path)


def _described_one(numbered: tuple[int, str | Path]) -> tuple[int, AudioFile | LabeltoolError]:
    number, path = numbered
    return number, _described(path)
