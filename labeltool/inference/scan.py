"""What a listener makes of a recording of hours: scored block by block, in several processes, kept on disk.

A block of windows is one `.npy` file, written whole by rename, under a folder named by the recording's content and all
that its scores depend on. What was interrupted goes on behind the last block; another threshold costs no listening.
Each block is decoded and heard for itself, so it is the same whoever hears it.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from labeltool.audio.windows import Windows
from labeltool.errors import LabeltoolError
from labeltool.inference.window_scorers import Chosen, Listener, listener
from labeltool.type_aliases import Float32

Block = tuple[int, int]
"""The number of the first window, and how many there are."""

# Raised whenever scores are kept otherwise.
_VERSION = 1
# Blocks, of a minute each: a process of its own costs more than it saves on fewer.
_WORTH_A_PROCESS = 10
# A whole recording's scores that nobody asked for since are made again.
_KEPT_S = 30 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Scan:
    """A recording that is listened to; `folder` is where its blocks are."""

    chosen: Chosen
    windows: Windows
    folder: Path

    @classmethod
    def of(cls, chosen: Chosen, hears: Listener, path: Path, sha256: str, cache: Path) -> Scan:
        """Make the scan of a file whose content is known by its hash.

        Raises
        ------
        LabeltoolError
            When the file cannot be read.
        """
        windows = hears.windows(path)
        told = [_VERSION, sha256, hears.identity, windows.hop, windows.per_block, windows.samples]
        return cls(chosen, windows, cache / hashlib.sha256(repr(told).encode()).hexdigest()[:24])

    def run(self, hears: Listener, report: Callable[[int, int], None], *, processes: int | None = None) -> None:
        """Hear the blocks that nobody has heard yet.

        Parameters
        ----------
        hears
            Who was chosen.
        report
            Called with seconds done and seconds in all.
        processes
            Default one a core, and one for what is short.

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
            processes = (os.cpu_count() or 1) if len(missing) >= _WORTH_A_PROCESS else 1
        for done, _ in enumerate(self._heard(hears, missing, processes), 1):
            report(round(total_s - min(total_s, (len(missing) - done) * block_s)), round(total_s))

    def scores(self) -> Iterator[Float32]:
        """Yield the scores of each block, (windows, labels) float32, in order."""
        for block in self.windows.blocks():
            scores = self._read(block)
            if scores is None:
                raise LabeltoolError("was damaged while it was read", file=self._file(block), remedy="run it again")
            yield scores.astype(np.float32)

    def _heard(self, hears: Listener, missing: list[Block], processes: int) -> Iterator[None]:
        processes = min(processes, len(missing))
        if processes <= 1:
            for block in missing:
                self.write(block, hears.scores(self.windows, *block))
                yield
            return
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_leave_with_parent)
        with pool:
            running = {pool.submit(_hear, self, block) for block in missing}
            try:
                while running:
                    finished, running = wait(running, return_when=FIRST_COMPLETED)
                    for future in finished:
                        yield future.result()
            except BrokenProcessPool as error:
                raise LabeltoolError("a process that listened was killed", remedy="--processes 1") from error
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            os.utime(self.folder)
            for other in self.folder.parent.iterdir():
                if other.is_dir() and time.time() - other.stat().st_mtime > _KEPT_S:
                    _forget(other)
        except OSError as error:
            raise LabeltoolError(f"scores cannot be kept: {error.strerror}", file=self.folder) from error

    def _file(self, block: Block) -> Path:
        return self.folder / f"{block[0]:08}.npy"

    def _read(self, block: Block) -> Float32 | None:
        """Return a block's scores as they were kept; None where they are not there whole."""
        try:
            scores: Float32 = np.load(self._file(block), mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        return scores if scores.dtype == np.float16 and scores.ndim == 2 and len(scores) == block[1] else None

    def write(self, block: Block, scores: Float32) -> None:
        """Keep a block's scores, whole or not at all; 11 bits each."""
        partial = self.folder / f".{block[0]:08}-{os.getpid()}.partial"
        try:
            with partial.open("wb") as file:
                np.save(file, scores.astype(np.float16))
            partial.replace(self._file(block))
        except OSError as error:
            raise LabeltoolError(f"scores cannot be kept: {error.strerror}", file=self.folder) from error


@lru_cache(maxsize=1)
def _loaded(chosen: Chosen) -> Listener:
    return listener(chosen)  # in a worker that lives for one scan


def _hear(scan: Scan, block: Block) -> None:
    """Hear a block and keep what it says; runs in a worker, which loads the network once."""
    scan.write(block, _loaded(scan.chosen).scores(scan.windows, *block))


def _leave_with_parent() -> None:
    """End this process when the one that started it is killed: it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _forget(folder: Path) -> None:
    with suppress(OSError):  # somebody else may be forgetting it too
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
