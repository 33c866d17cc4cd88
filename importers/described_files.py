"""Properties of many sound files, read on all cores, or by Dask's workers where those are used."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

from labeltool.audio.files import describe
from labeltool.audio.remote.waiting import give_up
from labeltool.errors import LabeltoolError
from labeltool.importers.description_cache import Described, Wanted, wanted
from labeltool.parallel import engine
from labeltool.parallel.dask_workers import KilledWorkers
from labeltool.parallel.threads import map_in_threads

# Files whose properties workers read before the first is stored, in their order.
_DESCRIBED_TOGETHER = 2048
# Of the cache, in the folder where work is written.
_FOLDER = "descriptions"


def described(paths: Iterable[str | Path], at_once: int | None = None) -> Iterator[Described]:
    """Yield the properties of sound files in their order; of one that cannot be read, the error.

    While an engine with a folder is in use, what is read is kept there, and a file that has not changed since is not
    read again.

    Parameters
    ----------
    at_once
        Number of files that are read at the same time in this process, which are remote; None: one a core.
    """
    folder = engine.work_folder() if at_once is None else None
    files = wanted(paths, None if folder is None else folder / _FOLDER)
    if engine.uses_dask():
        found = _read_by_workers(files)
    else:
        found = map_in_threads(_read, files, at_once or os.cpu_count() or 1, give_up)
    for one, sound in found:
        one.keep(sound)
        yield sound


def _read(one: Wanted) -> tuple[Wanted, Described]:
    return one, one.known or _described(one.path)


def _described(path: str | Path) -> Described:
    try:
        return describe(path)
    except LabeltoolError as error:
        return error


def _read_by_workers(files: Iterator[Wanted]) -> Iterator[tuple[Wanted, Described]]:
    while some := list(islice(files, _DESCRIBED_TOGETHER)):
        known = [(number, one.known) for number, one in enumerate(some) if one.known is not None]
        numbered = [(number, one.path) for number, one in enumerate(some) if one.known is None]
        found: dict[int, Described] = {}
        done = 0
        # In their order as soon as they are there: what was read before an interruption is kept.
        for number, sound in chain(known, engine.map_in_processes(_described_one, numbered, if_killed=_killed)):
            found[number] = sound
            while done in found:
                one, sound = some[done], found.pop(done)
                # What a worker cannot read may be on this machine alone.
                is_here = isinstance(sound, LabeltoolError) and Path(one.path).is_file()
                yield one, _described(one.path) if is_here else sound
                done += 1


def _killed(numbered: tuple[int, str | Path]) -> tuple[int, Described]:
    number, path = numbered
    return number, KilledWorkers.of_file(path)


def _described_one(numbered: tuple[int, str | Path]) -> tuple[int, Described]:
    number, path = numbered
    return number, _described(path)
