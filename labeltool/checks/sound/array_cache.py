"""Arrays of recordings, computed once in several processes: shards of a few hundred recordings, written whole.

A shard is never changed: an interrupted run keeps what was done, a damaged one is computed again. The folder may be
deleted at will.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from labeltool.audio import files
from labeltool.audio.sound_reader import unreadable
from labeltool.errors import LabeltoolError
from labeltool.parallel.dask_workers import KilledWorkers
from labeltool.parallel.engine import map_shards, processes_for, worker_count
from labeltool.records import Skipped, skipped_files
from labeltool.store import Store, recordings
from labeltool.type_aliases import Progress
from labeltool.util.files.atomic_write import open_atomic, remove_tree
from labeltool.util.files.no_links import make_folder
from labeltool.util.files.npz import UNREADABLE, open_npz
from labeltool.util.files.writable import both, writing_to
from labeltool.util.urls import is_there

Arrays = Mapping[str, npt.NDArray[Any]]
"""One-dimensional arrays of one recording, by their names."""

Compute = Callable[[Path], Arrays]
"""Computes the arrays of a sound file; a function of a module, which may raise a `LabeltoolError`."""

_PER_SHARD = 256
# Fewer recordings than this are done here: a spawned process costs more than it saves.
_WORTH_A_PROCESS = 48


@dataclass(frozen=True, slots=True)
class _Source:
    """A recording's place, and what it must still be; `key` names it in the cache."""

    key: str
    path: str
    sha256: str
    samples_sha256: str | None


@dataclass(slots=True)
class ArrayCache:
    """The arrays of one kind.

    Attributes
    ----------
    directory
        In the project's `cache/`, of this kind and version alone.
    """

    directory: Path
    compute: Compute
    _by_key: dict[str, Arrays] = field(default_factory=dict)

    def arrays(self, store: Store, report: Progress, stage: str) -> tuple[dict[int, Arrays], tuple[Skipped, ...]]:
        """Return the arrays of recordings by their ids, and the files that cannot be read; computes what is missing.

        A file that is gone is one of these, though its arrays are known.

        Raises
        ------
        LabeltoolError
            When the cache cannot be written.
        """
        stored = recordings.all_recordings(store)
        keys = {one.id: one.samples_sha256 or sha256 for one, sha256 in stored}
        self._read(set(keys.values()))
        sources = (_Source(keys[one.id], one.path, sha256, one.samples_sha256) for one, sha256 in stored)
        missing = {source.key: source for source in sources}
        failed = gone(source.path for key, source in missing.items() if key in self._by_key)
        missing = {key: source for key, source in missing.items() if key not in self._by_key}
        done, total = 0, len(missing)
        for arrays, errors in self._computed(list(missing.values())):
            self._by_key.update(arrays)
            failed.update({missing[key].path: error for key, error in errors.items()})
            done += len(arrays) + len(errors)
            report(stage, done, total)
        found = {number: self._by_key[key] for number, key in keys.items() if key in self._by_key}
        return found, skipped_files(failed.values())

    def _computed(self, missing: Sequence[_Source]) -> Iterator[tuple[dict[str, Arrays], dict[str, LabeltoolError]]]:
        if not missing:
            return
        with writing_to(self.directory, "the cache"):
            make_folder(self.directory)
        processes = processes_for(len(missing), at_least=_WORTH_A_PROCESS)
        # Enough shards that every process has some, and that the progress is seen.
        size = min(_PER_SHARD, max(16, -(-len(missing) // (8 * (processes or worker_count())))))
        shards = [missing[first : first + size] for first in range(0, len(missing), size)]
        yield from map_shards(partial(_write_shard, self.directory, self.compute), shards, processes, _killed)

    def _read(self, wanted: set[str]) -> None:
        """Read the shards; those with nothing of this project are deleted, damaged ones too."""
        for path in sorted(path for folder in both(self.directory) for path in folder.glob("*.npz")):
            try:
                found = _read_shard(path)
            except UNREADABLE:
                found = {}
            if wanted.isdisjoint(found) and path.is_relative_to(self.directory):
                remove_tree(path)
            self._by_key.update((key, arrays) for key, arrays in found.items() if key in wanted)


def gone(paths: Iterable[str]) -> dict[str, LabeltoolError]:
    """Return the paths of files that are not there, and what to say of each."""
    return {path: unreadable(path, FileNotFoundError()) for path in paths if not is_there(path)}


def _killed(source: _Source) -> tuple[dict[str, Arrays], dict[str, LabeltoolError]]:
    """Return what `_write_shard` does, of a recording that kills workers."""
    return {}, {source.key: KilledWorkers.of_file(source.path)}


def _write_shard(
    directory: Path, compute: Compute, sources: Sequence[_Source]
) -> tuple[dict[str, Arrays], dict[str, LabeltoolError]]:
    """Compute some recordings and write them as one shard; runs in a worker."""
    done: dict[str, Arrays] = {}
    failed: dict[str, LabeltoolError] = {}
    for source in sources:
        try:
            files.require_content(source.path, source.sha256, source.samples_sha256)
            done[source.key] = compute(Path(source.path))
        except LabeltoolError as error:
            failed[source.key] = error
    if not done:
        return done, failed
    content: dict[str, npt.NDArray[Any]] = {"keys": np.array(list(done))}
    for name in next(iter(done.values())):
        parts = [arrays[name] for arrays in done.values()]
        content[name] = np.concatenate(parts)
        content[f"{name}.lengths"] = np.array([len(part) for part in parts])
    with writing_to(directory, "the cache"), open_atomic(directory / f"{uuid.uuid4().hex}.npz") as file:
        np.savez(file, **content)  # type: ignore[arg-type]
    return done, failed


def _read_shard(path: Path) -> dict[str, Arrays]:
    """Return the arrays of a shard by their keys.

    Raises
    ------
    One of `UNREADABLE`
        Where it is damaged, or something else.
    """
    with open_npz(path) as content:
        keys = [str(key) for key in content["keys"]]
        names = [name for name in content.files if f"{name}.lengths" in content.files]
        columns = {name: np.split(content[name], np.cumsum(content[f"{name}.lengths"])[:-1]) for name in names}
    if any(len(parts) != len(keys) for parts in columns.values()):
        raise ValueError("its arrays do not fit together")
    return {key: {name: columns[name][place] for name in names} for place, key in enumerate(keys)}
