"""Score recordings of any length: block by block, in several processes, kept on disk.

A block of windows is one `.npy` file, written whole by rename, in a folder named by the recording's content and by all
that its scores depend on. An interrupted scan goes on after the last block; another threshold needs no new scores.
Each block is decoded and scored by itself, so the result does not depend on how blocks are divided among processes.
One pool of processes scores the blocks of several recordings: a thousand of a minute each keep it as busy as one of
hours.
"""

from __future__ import annotations

import hashlib
import io
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from labeltool.errors import LabeltoolError
from labeltool.inference.window_scorers import ModelChoice, WindowScorer, window_scorer
from labeltool.inference.windows import Windows
from labeltool.parallel.dask_workers import KilledWorkers
from labeltool.parallel.engine import map_in_processes, processes_for
from labeltool.type_aliases import Float32
from labeltool.util.files.atomic_write import open_atomic, remove_tree
from labeltool.util.files.no_links import make_folder, open_folder
from labeltool.util.files.writable import kept, writing_to

Block = tuple[int, int]
"""The number of the first window, and the number of windows."""

# Raised whenever the format of the files changes.
_VERSION = 1
# Blocks, of a minute each: with fewer, starting worker processes costs more than it saves.
_MIN_BLOCKS_FOR_PROCESSES = 10
# How a file begins that is not compressed.
_NPY = b"\x93NUMPY"
# A minute of a thousand classes in steps of 20 ms.
_MAX_BLOCK_BYTES = 1 << 26
# Scores that were last used longer ago are deleted.
_MAX_AGE_S = 30 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Scan:
    """A recording to score; `folder` holds its blocks."""

    choice: ModelChoice
    windows: Windows
    folder: Path

    @classmethod
    def of(cls, choice: ModelChoice, scorer: WindowScorer, path: Path, sha256: str, cache: Path) -> Scan:
        """Make the scan of a file whose content has a hash.

        Raises
        ------
        LabeltoolError
            When the file cannot be read.
        """
        windows = scorer.windows(path)
        depends_on = [_VERSION, sha256, scorer.identity, windows.hop, windows.per_block, windows.samples]
        return cls(choice, windows, cache / hashlib.sha256(repr(depends_on).encode()).hexdigest()[:24])

    def run(self, scorer: WindowScorer, report: Callable[[int, int], None], *, processes: int | None = None) -> None:
        """Score the blocks that are not on disk yet.

        Parameters
        ----------
        scorer
            The window scorer of `choice`.
        report
            Called with seconds done and seconds in all.
        processes
            Default `engine.worker_count`, and one for a short recording.

        Raises
        ------
        LabeltoolError
            When the recording cannot be read, or the scores cannot be written.
        """
        for _, error in run_scans([self], scorer, report, processes=processes):
            if error is not None:
                raise error

    def missing(self) -> list[Block]:
        """Return the blocks that are not on disk yet, and mark the folder as used now.

        Raises
        ------
        LabeltoolError
            When the folder cannot be written.
        """
        self._make_folder()
        return [block for block in self.windows.blocks() if self._read(block) is None]

    @property
    def block_s(self) -> float:
        """Seconds from one block to the next."""
        return self.windows.per_block * self.windows.hop / self.windows.rate_hz

    def scores(self) -> Iterator[Float32]:
        """Yield the scores of each block, (windows, labels) float32, in order."""
        for block in self.windows.blocks():
            yield self._scored(block).astype(np.float32)

    def rows(self, first: int, count: int) -> Float32:
        """Return the scores of some windows, (count, labels) float32, from as many blocks as they lie in."""
        per_block, last = self.windows.per_block, first + count
        parts = []
        for block in self.windows.blocks()[first // per_block : -(-last // per_block)]:
            parts.append(self._scored(block)[max(0, first - block[0]) : last - block[0]].astype(np.float32))
        return np.concatenate(parts)

    def _scored(self, block: Block) -> Float32:
        if (scores := self._read(block)) is None:
            raise LabeltoolError("was damaged while it was read", file=self._file(block), remedy="run it again")
        return scores

    def write(self, block: Block, scores: Float32) -> None:
        """Write a block's scores as float16, whole or not at all; compressed where that saves half of the space.

        Most scores of a model with hundreds of classes are next to zero: YAMNet's take a tenth.
        """
        saved = io.BytesIO()
        np.save(saved, scores.astype(np.float16))
        plain = saved.getbuffer()
        packed = zlib.compress(plain, level=1)
        with writing_to(self.folder, "scores"), open_atomic(self._file(block)) as file:
            file.write(packed if 2 * len(packed) < len(plain) else plain)

    def _make_folder(self) -> None:
        """Make the folder and mark it as used now."""
        with writing_to(self.folder, "scores"):
            make_folder(self.folder)
            with open_folder(self.folder.parent) as parent:
                parent.touch(self.folder.name)

    def _file(self, block: Block) -> Path:
        return self.folder / f"{block[0]:08}.npy"

    def _read(self, block: Block) -> Float32 | None:
        """Return a block's scores, float16 as stored; None where the file is missing or not whole."""
        path = kept(self._file(block))
        try:
            with path.open("rb") as file:
                is_plain = file.read(len(_NPY)) == _NPY
            scores: Float32 = np.load(path if is_plain else _unpacked(path), mmap_mode="r" if is_plain else None)
        except (OSError, ValueError, EOFError, zlib.error):
            return None
        return scores if scores.dtype == np.float16 and scores.ndim == 2 and len(scores) == block[1] else None


def _unpacked(path: Path) -> io.BytesIO:
    unpacking = zlib.decompressobj()
    content = unpacking.decompress(path.read_bytes(), _MAX_BLOCK_BYTES)
    if not unpacking.eof:
        raise ValueError("is cut short, or larger than any block")
    return io.BytesIO(content)


def _delete_unused(cache: Path) -> None:
    """Delete the scores that were not used for long; those that cannot be deleted stay."""
    with suppress(OSError):
        for folder in cache.iterdir():
            with suppress(OSError):
                if folder.is_dir() and time.time() - folder.lstat().st_mtime > _MAX_AGE_S:
                    remove_tree(folder)


def run_scans(
    scans: Sequence[Scan], scorer: WindowScorer, report: Callable[[int, int], None], *, processes: int | None = None
) -> Iterator[tuple[int, LabeltoolError | None]]:
    """Score the blocks of recordings that are not on disk yet; one that fails does not stop the others.

    Parameters
    ----------
    scans
        All of one model.
    scorer
        The window scorer of their `choice`.
    report
        Called with seconds done and seconds in all.
    processes
        Default one a core, and one for little sound.

    Yields
    ------
    int
        The place of a recording whose scores are all there, or that failed, as soon as that is known.
    LabeltoolError or None
        Why it failed.
    """
    missing: list[Sequence[Block]] = []
    failed: dict[int, LabeltoolError] = {}
    for number, scan in enumerate(scans):
        try:
            missing.append(scan.missing())
        except LabeltoolError as unwritable:
            missing.append(())
            failed[number] = unwritable
    for cache in {scan.folder.parent for scan in scans}:
        _delete_unused(cache)
    to_do = [(number, scans[number], block) for number, blocks in enumerate(missing) for block in blocks]
    if processes is None:
        processes = processes_for(len(to_do), at_least=_MIN_BLOCKS_FOR_PROCESSES)
    left, total_s = [len(blocks) for blocks in missing], sum(scan.windows.duration_s for scan in scans)
    left_s = sum(
        min(len(blocks) * scan.block_s, scan.windows.duration_s) for blocks, scan in zip(missing, scans, strict=True)
    )
    report(round(total_s - left_s), round(total_s))
    yield from ((number, failed.get(number)) for number, blocks in enumerate(left) if not blocks)
    for number, error in _score_blocks(to_do, scorer, processes):
        if error is not None and number not in failed:
            failed[number] = error
            yield number, error
        left[number] -= 1
        left_s -= min(scans[number].block_s, left_s)
        report(round(total_s - left_s), round(total_s))
        if not left[number] and number not in failed:
            yield number, None


_Numbered = tuple[int, Scan, Block]
"""The place of a recording, its scan, and a block of it."""


def _score_blocks(
    to_do: Sequence[_Numbered], scorer: WindowScorer, processes: int | None
) -> Iterator[tuple[int, LabeltoolError | None]]:
    """Score blocks and write them, in this process or in several; yield the place of each, and why it failed."""
    if processes != 1:
        yield from map_in_processes(partial(_score_block, scorer.identity), to_do, processes, if_killed=_killed)
        return
    failed: set[int] = set()
    for number, scan, block in to_do:
        if number in failed:
            continue
        error = _error_of_scoring(scan, block, scorer)
        if error is not None:
            failed.add(number)
        yield number, error


def _error_of_scoring(scan: Scan, block: Block, scorer: WindowScorer) -> LabeltoolError | None:
    try:
        scan.write(block, scorer.scores(scan.windows, *block))
    except LabeltoolError as error:
        return error
    return None


@lru_cache(maxsize=1)
def _loaded(choice: ModelChoice, identity: str) -> WindowScorer:
    return window_scorer(choice)


def _score_block(identity: str, item: _Numbered) -> tuple[int, LabeltoolError | None]:
    """Score a block and write it; runs in a worker process, which loads the network of an identity once."""
    number, scan, block = item
    return number, _error_of_scoring(scan, block, _loaded(scan.choice, identity))


def _killed(item: _Numbered) -> tuple[int, LabeltoolError | None]:
    number, scan, _ = item
    return number, KilledWorkers.of_file(scan.windows.path)
