"""A recording of any length, cut into the windows of a network, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from labeltool.audio import files
from labeltool.type_aliases import Int16

BLOCK_S = 60.0
"""Decoded at once: hours are processed in little memory."""


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of a recording, `hop` apart, all counted in samples at `rate_hz`.

    A recording shorter than a window is one window, padded with silence.

    Attributes
    ----------
    stream
        Whether they lie as in a stream on the device: a tail that fills no hop is dropped, and silence is padded on
        both sides, as it is of clips; else the last window ends where the recording does.
    """

    path: str
    rate_hz: int
    window: int
    hop: int
    samples: int
    stream: bool = False

    @classmethod
    def of(
        cls, path: str | Path, rate_hz: int, window: int, hop: int | None = None, *, stream: bool = False
    ) -> Windows:
        """Return the windows of a file; by default they overlap by half.

        Raises
        ------
        LabeltoolError
            When the file cannot be read.
        """
        samples = round(files.duration_s(path) * rate_hz)
        return cls(str(path), rate_hz, window, hop or max(1, window // 2), samples, stream)

    def __len__(self) -> int:
        beyond = max(0, self.samples - self.window)
        return 1 + (beyond // self.hop if self.stream else -(-beyond // self.hop))

    @property
    def overlap(self) -> int:
        """Number of windows that cover one moment, except at the recording's ends."""
        return max(1, round(self.window / self.hop))

    @property
    def duration_s(self) -> float:
        """Length of the recording, seconds."""
        return self.samples / self.rate_hz

    def start(self, number: int) -> int:
        """Return the sample at which a window begins."""
        first = number * self.hop
        return first if self.stream else max(0, min(first, self.samples - self.window))

    def read(self, first: int, count: int) -> Int16:
        """Decode some windows, from the first sample of the first to the last of the last.

        Raises
        ------
        LabeltoolError
            When the file cannot be read.
        """
        begin, end = self.start(first), self.start(first + count - 1) + self.window
        recorded_end = min(end, self.samples)
        pcm = files.read_pcm(self.path, begin / self.rate_hz, recorded_end / self.rate_hz, self.rate_hz)
        missing = end - begin - len(pcm)
        lead = missing // 2 if self.stream and self.samples < self.window else 0
        return np.pad(pcm, (lead, missing - lead)) if missing else pcm

    def cut(self, pcm: Int16, first: int, count: int) -> list[Int16]:
        """Cut samples that `read` decoded into their windows, (window,) int16 each."""
        begin = self.start(first)
        starts = (self.start(number) - begin for number in range(first, first + count))
        return [pcm[start : start + self.window] for start in starts]

    @property
    def per_block(self) -> int:
        """Number of windows that are decoded together."""
        return max(1, round(BLOCK_S * self.rate_hz / self.hop))

    def blocks(self) -> list[tuple[int, int]]:
        """Return the number of the first window and the count of windows of each block."""
        return [(first, min(self.per_block, len(self) - first)) for first in range(0, len(self), self.per_block)]

    def __iter__(self) -> Iterator[tuple[int, Int16]]:
        """Yield each window with the sample it begins at."""
        for first, count in self.blocks():
            for number, pcm in enumerate(self.cut(self.read(first, count), first, count), first):
                yield self.start(number), pcm
