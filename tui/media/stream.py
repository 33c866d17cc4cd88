"""A recording of any length as the player takes it: decoded ahead of the playhead, a second at a time, in a thread."""

from __future__ import annotations

import threading
from collections import OrderedDict
from math import ceil, gcd

import numpy as np
import numpy.typing as npt

from labeltool.audio.files import SoundReader
from labeltool.errors import LabeltoolError
from labeltool.tui.media.clip_picture import PLAYBACK_RATE_HZ, for_playback
from labeltool.type_aliases import Int16

_AHEAD = 4
_MOST_SECONDS = 90  # 9 MB; a span no longer than this loops without being decoded again
_MARGIN_S = 0.05  # so that the resampler's filter sees the sound that is there, not an edge


class Stream:
    """One recording's sound. Close it when another is played.

    Parameters
    ----------
    path
        The recording's file.
    duration_s
        Its length.

    Attributes
    ----------
    failure
        Why it cannot be decoded any further, in one line; empty while it can.
    """

    def __init__(self, path: str, duration_s: float) -> None:
        self._path = path
        self._frames = int(duration_s * PLAYBACK_RATE_HZ)
        self._wake = threading.Condition()
        self._seconds: OrderedDict[int, Int16] = OrderedDict()
        self._wanted: int | None = None
        self._stopping = False
        self.failure = ""
        self._thread = threading.Thread(target=self._run, name="labeltool-stream", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        return self._frames

    def take(self, places: npt.NDArray[np.intp]) -> Int16 | None:
        """Return the samples at some places; None while they are being decoded. It never waits.

        Parameters
        ----------
        places : (n,) intp
            Close together, but for a step back where a loop begins anew.
        """
        seconds = places // PLAYBACK_RATE_HZ
        taken = np.zeros(len(places), np.int16)
        with self._wake:
            self._wanted = int(seconds[-1])
            if any(map(self._lacks, self._soon(self._wanted))):
                self._wake.notify()
            for second in map(int, np.unique(seconds)):
                samples = self._seconds.get(second)
                if samples is None:
                    return None
                self._seconds.move_to_end(second)
                here = seconds == second
                taken[here] = samples[places[here] - second * PLAYBACK_RATE_HZ]
        return taken

    def close(self) -> None:
        """End the thread and wait for it."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        try:
            reader = SoundReader(self._path)
            try:
                while (second := self._next()) is not None:
                    samples = _decode(reader, second)
                    with self._wake:
                        self._seconds[second] = samples
                        while len(self._seconds) > _MOST_SECONDS:
                            self._seconds.popitem(last=False)
            finally:
                reader.close()
        except LabeltoolError as error:
            self.failure = str(error)

    def _next(self) -> int | None:
        """Wait for a second that will be needed soon."""
        with self._wake:
            while not self._stopping:
                lacking = () if self._wanted is None else filter(self._lacks, self._soon(self._wanted))
                second = next(iter(lacking), None)
                if second is not None:
                    return second
                self._wake.wait()
            return None

    def _soon(self, second: int) -> range:
        return range(second, min(second + _AHEAD, -(-self._frames // PLAYBACK_RATE_HZ)))

    def _lacks(self, second: int) -> bool:
        return second not in self._seconds


def _decode(reader: SoundReader, second: int) -> Int16:
    """Decode one second of a recording, `(PLAYBACK_RATE_HZ,) int16`, so that one follows the other without a seam."""
    rate = reader.rate_hz
    # As many frames as are whole samples of the new rate, so that the margin can be cut off to the sample.
    unit = rate // gcd(rate, PLAYBACK_RATE_HZ)
    margin = ceil(_MARGIN_S * rate / unit) * unit
    mono = reader.mono(second * rate - margin, rate + 2 * margin)
    begin = margin * PLAYBACK_RATE_HZ // rate
    samples = for_playback(mono, rate)[begin : begin + PLAYBACK_RATE_HZ]
    return np.pad(samples, (0, PLAYBACK_RATE_HZ - len(samples)))
