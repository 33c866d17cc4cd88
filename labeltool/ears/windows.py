"""A recording of any length, cut into the windows an ear hears, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labeltool import audio

# Decoded at once: hours pass through in little memory.
_BLOCK_S = 60


def windows(path: str | Path, rate_hz: int, window: int) -> Iterator[tuple[int, npt.NDArray[np.int16]]]:
    """Yield windows that overlap by half, each with the sample it begins at.

    The last one ends where the recording does; a recording shorter than a window is filled up with silence.

    Parameters
    ----------
    window
        Samples, at `rate_hz`.

    Yields
    ------
    first : int
    pcm : (window,) int16

    Raises
    ------
    LabeltoolError
        When the file cannot be read.
    """
    hop = max(1, window // 2)
    duration_s = audio.duration_s(path)
    block = max(_BLOCK_S * rate_hz, window)
    last: npt.NDArray[np.int16] | None = None
    held = np.empty(0, np.int16)
    first = decoded = 0
    while decoded / rate_hz < duration_s:
        until_s = min((decoded + block) / rate_hz, duration_s)
        held = np.concatenate([held, audio.read_pcm(path, decoded / rate_hz, until_s, rate_hz)])
        decoded += block
        while len(held) >= window:
            last = held[:window]
            yield first, last
            held, first = held[hop:], first + hop
    if last is None:
        yield 0, np.pad(held, (0, window - len(held)))
    elif len(fresh := held[window - hop :]):
        yield first - hop + len(fresh), np.concatenate([last, fresh])[-window:]
