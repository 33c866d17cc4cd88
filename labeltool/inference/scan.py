"""Score a recording of any length: block by block, in several processes, kept on disk.

A block of windows is one `.npy` file, written whole by rename, in a folder named by the recording's content and by all
that its scores depend on. An interrupted scan goes on after the last block; another threshold needs no new scores.
Each block is decoded and scored by itself, so the result does not depend on how blocks are divided among processes.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from labeltool.audio.windows import Windows
from labeltool.errors import LabeltoolError
from labeltool.inference.window_scorers import ModelChoice, WindowScorer, window_scorer
from labeltool.parallel.engine import map_in_processes, processes_for
from labeltool.type_aliases import Float32
from labeltool.util.atomic_write import open_atomic, remove_tree
from labeltool.util.no_links import make_folder
from labeltool.util.writable import kept

Block = tuple[int, int]
"""The number of the first window, and the number of windows."""

# Raised whenever the format of the files changes.
_VERSION = 1
# Blocks, of a minute each: with fewer, starting worker processes costs more than it saves.
_MIN_BLOCKS_FOR_PROCESSES = 10
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
        self._make_folder()
        blocks = self.windows.blocks()
        missing = [block for block in blocks if self._read(block) is None]
        total_s, block_s = self.windows.duration_s, self.windows.per_block * self.windows.hop / self.windows.rate_hz
        report(round(total_s - min(total_s, len(missing) * block_s)), round(total_s))
        if processes is None:
            processes = processes_for(len(missing), at_least=_MIN_BLOCKS_FOR_PROCESSES)
        for done, _ in enumerate(self._score(scorer, missing, processes), 1):
            report(round(total_s - min(total_s, (len(missing) - done) * block_s)), round(total_s))

    def scores(self) -> Iterator[Float32]:
        """Yield the scores of each block, (windows, labels) float32, in order."""
        for block in self.windows.blocks():
            scores = self._read(block)
            if scores is None:
                raise self._damaged(block)
            yield scores.astype(np.float32)

    def rows(self, first: int, count: int) -> Float32:
        """Return the scores of some windows, (count, labels) float32, from as many blocks as they lie in."""
        per_block, last = self.windows.per_block, first + count
        parts = []
        for block in self.windows.blocks()[first // per_block : -(-last // per_block)]:
            scores = self._read(block)
            if scores is None:
                raise self._damaged(block)
            parts.append(scores[max(0, first - block[0]) : last - block[0]].astype(np.float32))
        return np.concatenate(parts)

    def _damaged(self, block: Block) -> LabeltoolError:
        return LabeltoolError("was damaged while it was read", file=self._file(block), remedy="run it again")

    def write(self, block: Block, scores: Float32) -> None:
        """Write a block's scores as float16, whole or not at all."""
        try:
            with open_atomic(self._file(block)) as file:
                np.save(file, scores.astype(np.float16))
        except OSError as error:
            raise LabeltoolError(f"scores cannot be written: {error.strerror}", file=self.folder) from error

    def _score(self, scorer: WindowScorer, missing: list[Block], processes: int | None) -> Iterator[None]:
        """Score blocks and write them, in this process or in several; yield after each."""
        if processes != 1:
            score = partial(_score_block, self, scorer.identity)
            yield from map_in_processes(score, missing, processes, name_of=self._name_of)
            return
        for block in missing:
            self.write(block, scorer.scores(self.windows, *block))
            yield

    def _name_of(self, block: Block) -> str:
        return f"{self.windows.path}: {block[0] * self.windows.hop / self.windows.rate_hz:g} s"

    def _make_folder(self) -> None:
        """Make the folder, mark it as used now, and delete those that were not used for long."""
        try:
            make_folder(self.folder)
            os.utime(self.folder, follow_symlinks=False)
            for other in self.folder.parent.iterdir():
                if other.is_dir() and time.time() - other.lstat().st_mtime > _MAX_AGE_S:
                    remove_tree(other)
        except OSError as error:
            raise LabeltoolError(f"scores cannot be written: {error.strerror}", file=self.folder) from error

    def _file(self, block: Block) -> Path:
        return self.folder / f"{block[0]:08}.npy"

    def _read(self, block: Block) -> Float32 | None:
        """Return a block's scores, float16 as stored; None where the file is missing or not whole."""
        try:
            scores: Float32 = np.load(kept(self._file(block)), mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        return scores if scores.dtype == np.float16 and scores.ndim == 2 and len(scores) == block[1] else None


@lru_cache(maxsize=1)
def _loaded(choice: ModelChoice, identity: str) -> WindowScorer:
    return window_scorer(choice)


def _score_block(scan: Scan, identity: str, block: Block) -> None:
    """Score a block and write it; runs in a worker process, which loads the network of an identity once."""
    scan.write(block, _loaded(scan.choice, identity).scores(scan.windows, *block))
