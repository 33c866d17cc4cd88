"""The sound of a long recording for the player, decoded ahead of the playhead in a thread, a second at a time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from math import ceil, gcd

import numpy as np
import numpy.typing as npt

from labeltool.audio.remote.waiting import give_up
from labeltool.audio.sound_reader import SoundReader
from labeltool.errors import LabeltoolError
from labeltool.tui.media.clip_picture import PLAYBACK_RATE_HZ, to_playback_pcm
from labeltool.type_aliases import Int16

_AHEAD_S = 4
_MAX_SECONDS = 90  # 9 MB; a region of up to this length loops without being decoded again
_MARGIN_S = 0.05  # so that the resampler's filter gets the surrounding samples, not an edge


class Stream:
    """The sound of one recording. Close it when another one is played.

    Attributes
    ----------
    failure
        Why it cannot be decoded any further, in one line; empty if it can. Nothing is tried until `take_failure`.
    """

    def __init__(self, path: str, duration_s: float) -> None:
        self._path = path
        self._frames = int(duration_s * PLAYBACK_RATE_HZ)
        self._wake = threading.Condition()
        self._seconds: OrderedDict[int, Int16] = OrderedDict()
        self._second: int | None = None
        self._stopping = False
        self.failure = ""
        self._thread = threading.Thread(target=self._run, name="labeltool-stream", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        return self._frames

    def samples_at(self, places: npt.NDArray[np.intp]) -> Int16 | None:
        """Return the samples at some places, without waiting; None while they are being decoded.

        Parameters
        ----------
        places : (n,) intp
            Close together, except for a step back where a loop starts again.
        """
        seconds = places // PLAYBACK_RATE_HZ
        samples = np.zeros(len(places), np.int16)
        with self._wake:
            self._second = int(seconds[-1])
            if any(map(self._is_missing, self._upcoming(self._second))):
                self._wake.notify()
            for second in map(int, np.unique(seconds)):
                decoded = self._seconds.get(second)
                if decoded is None:
                    return None
                self._seconds.move_to_end(second)
                inside = seconds == second
                samples[inside] = decoded[places[inside] - second * PLAYBACK_RATE_HZ]
        return samples

    def take_failure(self) -> str:
        """Return the failure, and let the next samples that are played be tried again."""
        with self._wake:
            failure, self.failure = self.failure, ""
            self._second = None
            return failure

    def close(self) -> None:
        with self._wake:
            self._stopping = True
            self._wake.notify()
        give_up(self._thread)
        self._thread.join()

    def _run(self) -> None:
        reader: SoundReader | None = None
        second: int | None = 0
        while second is not None:
            try:
                reader = reader or SoundReader(self._path)
                second = self._next_missing()
                if second is not None:
                    self._keep(second, _decode(reader, second))
            except LabeltoolError as error:
                self.failure = str(error)
                if reader is not None:  # a decoder may stay where a server failed, which passes
                    reader.close()
                    reader = None
                second = self._next_missing()
        if reader is not None:
            reader.close()

    def _keep(self, second: int, samples: Int16) -> None:
        with self._wake:
            self._seconds[second] = samples
            while len(self._seconds) > _MAX_SECONDS:
                self._seconds.popitem(last=False)

    def _next_missing(self) -> int | None:
        """Wait for a second that is missing and needed soon; return None when the thread is to end."""
        with self._wake:
            while not self._stopping:
                upcoming = () if self._second is None or self.failure else self._upcoming(self._second)
                second = next(filter(self._is_missing, upcoming), None)
                if second is not None:
                    return second
                self._wake.wait()
            return None

    def _upcoming(self, second: int) -> range:
        return range(second, min(second + _AHEAD_S, -(-self._frames // PLAYBACK_RATE_HZ)))

    def _is_missing(self, second: int) -> bool:
        return second not in self._seconds


def _decode(reader: SoundReader, second: int) -> Int16:
    """Decode one second of a recording, `(PLAYBACK_RATE_HZ,) int16`, without a seam to the next one."""
    rate = reader.rate_hz
    # A number of frames that is a whole number of samples at the new rate, so that the margin is cut off exactly.
    unit = rate // gcd(rate, PLAYBACK_RATE_HZ)
    margin = ceil(_MARGIN_S * rate / unit) * unit
    mono = reader.mono(second * rate - margin, rate + 2 * margin)
    begin = margin * PLAYBACK_RATE_HZ // rate
    samples = to_playback_pcm(mono, rate)[begin : begin + PLAYBACK_RATE_HZ]
    return np.pad(samples, (0, PLAYBACK_RATE_HZ - len(samples)))
