"""Playing a clip: gapless loop, seek, speed, gain and the exact position, from one device that stays open."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Generator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from labeltool.tui.media.clip_picture import PLAYBACK_RATE_HZ
from labeltool.type_aliases import Float32, Int16

SPEEDS = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
"""Times the recorded speed; the pitch follows, as on tape."""

GAIN_STEP_DB = 3.0
GAIN_LIMIT_DB = 30.0

# While a training runs, the thread that paints may lose its core and keep Python from this one: with 30 ms half of the
# clips had gaps then, with 60 ms one of seven, with 100 ms none.
_BUFFER_MS = 100
# A few milliseconds from silence to sound and back: without them each start, seek and pause is a click that was not
# recorded. A loop's seam is left as it is.
_FADE_FRAMES = PLAYBACK_RATE_HZ * 3 // 1000


class Source(Protocol):
    """A sound that need not be in memory as a whole."""

    def __len__(self) -> int:
        """Return how many samples it has at `PLAYBACK_RATE_HZ`."""

    def take(self, places: npt.NDArray[np.intp]) -> Int16 | None:
        """Return the samples at some places, close together, without waiting; None while they are not there yet."""


class _Whole:
    """A sound in memory."""

    def __init__(self, samples: Int16) -> None:
        self._samples = samples

    def __len__(self) -> int:
        return len(self._samples)

    def take(self, places: npt.NDArray[np.intp]) -> Int16:
        """Return the samples at some places."""
        return self._samples[places]


class Player:
    """Plays one sound at a time.

    The device is opened by `open`, in a thread, since probing for sound cards takes its time; until then, and without
    a sound card, the player keeps time in silence all the same, so that the playhead moves.

    Attributes
    ----------
    silent
        Why nothing is heard, in a few words; empty when there is sound.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sound: Source = _Whole(np.zeros(0, np.int16))
        self._first, self._last = 0, 0
        self._at = 0.0
        self._fade_in = False
        self._playing = False
        self._block_began = 0.0
        self._block_from = 0.0
        self._block_frames = 0
        self._device: Any = None
        self.loop = False
        self.speed = 1.0
        self.gain_db = 0.0
        self.silent = ""

    def open(self) -> None:
        """Open the sound card, or the null device that plays in real time to nobody. Blocks while it probes."""
        import miniaudio

        wanted = os.environ.get("LABELTOOL_AUDIO", "")
        nobody = [miniaudio.Backend.NULL]
        device = None
        if wanted != "null":
            try:
                device = self._device_on(None)
            except miniaudio.MiniaudioError:
                device = None
        if device is None:
            device = self._device_on(nobody)
        if device.backend.lower() == "null":
            self.silent = "sound off" if wanted == "null" else "no sound card"
        source = self._source()
        next(source)
        self._device = device
        device.start(source)

    def close(self) -> None:
        """Let the sound card go."""
        device, self._device = self._device, None
        if device is not None:
            device.close()

    def put(self, sound: Int16 | Source, *, play: bool) -> None:
        """Take a sound in place of the last one, from its beginning.

        Parameters
        ----------
        sound : (n,) int16, or a source of them
            Mono, at `PLAYBACK_RATE_HZ`.
        """
        with self._lock:
            self._sound = _Whole(sound) if isinstance(sound, np.ndarray) else sound
            self._first, self._last = 0, len(sound)
            self._jump(0.0)
            self._playing = play and len(sound) > 0

    def keep_within(self, start_s: float, end_s: float) -> None:
        """Play, and loop, no more than a span of the sound, from its beginning."""
        with self._lock:
            length = len(self._sound)
            self._first = min(max(0, round(start_s * PLAYBACK_RATE_HZ)), max(0, length - 1))
            self._last = min(max(self._first + 1, round(end_s * PLAYBACK_RATE_HZ)), length)
            self._jump(float(self._first))

    def roam(self) -> None:
        """Play the whole sound again, from where it is."""
        with self._lock:
            self._first, self._last = 0, len(self._sound)

    @property
    def playing(self) -> bool:
        """Whether sound is going out."""
        return self._playing

    @property
    def position_s(self) -> float:
        """Where in the sound what is heard now lies, in seconds."""
        with self._lock:
            if not self._playing or not self._block_frames:
                return self._at / PLAYBACK_RATE_HZ
            # The device takes blocks ahead: between two of them the clock tells how far the last one has come.
            gone = min((time.monotonic() - self._block_began) * PLAYBACK_RATE_HZ, self._block_frames)
            place = self._block_from + gone * self.speed
            return (self._around(place) if self.loop else min(place, self._at)) / PLAYBACK_RATE_HZ

    def toggle(self) -> None:
        """Pause, go on, or, at the end, begin again."""
        with self._lock:
            if not self._playing and self._at >= self._last:
                self._jump(float(self._first))
            self._fade_in = True
            self._playing = not self._playing and len(self._sound) > 0

    def replay(self) -> None:
        """Play from the beginning."""
        with self._lock:
            self._jump(float(self._first))
            self._playing = len(self._sound) > 0

    def seek(self, seconds: float) -> None:
        """Go to a place in the sound, kept within what is played of it."""
        with self._lock:
            self._jump(min(max(float(self._first), seconds * PLAYBACK_RATE_HZ), float(self._last)))

    def faster(self, steps: int) -> None:
        """Move up (or, below zero, down) the ladder of `SPEEDS`."""
        with self._lock:
            place = min(max(0, SPEEDS.index(self.speed) + steps), len(SPEEDS) - 1)
            self.speed = SPEEDS[place]

    def louder(self, steps: int) -> None:
        """Turn the gain up or down by steps of `GAIN_STEP_DB`."""
        self.gain_db = min(max(-GAIN_LIMIT_DB, self.gain_db + steps * GAIN_STEP_DB), GAIN_LIMIT_DB)

    def _device_on(self, backends: Any) -> Any:
        import miniaudio

        return miniaudio.PlaybackDevice(
            output_format=miniaudio.SampleFormat.FLOAT32,
            nchannels=1,
            sample_rate=PLAYBACK_RATE_HZ,
            buffersize_msec=_BUFFER_MS,
            backends=backends,
            app_name="labeltool",
        )

    def _jump(self, place: float) -> None:
        self._at = place
        self._block_frames = 0
        self._fade_in = True

    def _source(self) -> Generator[Float32, int, None]:
        """Give the device what it asks for, for ever."""
        block = np.zeros((0, 1), np.float32)
        while True:
            frames = yield block
            block = self.render(frames)[:, None]

    def render(self, frames: int) -> Float32:
        """Return the next samples to go out, `(frames,) float32`: silence while paused and after the end.

        Where the sound is not decoded yet it is silent too, and waits.
        """
        out = np.zeros(frames, np.float32)
        with self._lock:
            first, last = self._first, self._last
            if not self._playing or first >= last:
                return out
            place = self._at + self.speed * np.arange(frames)
            if self.loop:
                place = self._around(place)
            heard = frames if self.loop else int(np.searchsorted(place, last))
            below = place[:heard].astype(np.intp)
            above = self._around(below + 1) if self.loop else np.minimum(below + 1, last - 1)
            taken = self._sound.take(np.concatenate([below, above]))
            if taken is None:
                self._block_frames = 0
                self._fade_in = True
                return out
            after = self._at + self.speed * frames
            self._at = float(self._around(after)) if self.loop else min(after, float(last))
            self._playing = self.loop or after < last
            self._block_began, self._block_from, self._block_frames = time.monotonic(), float(place[0]), frames
            fade, self._fade_in = self._fade_in, False
            cut_off = not self._playing and last < len(self._sound)
        share = (place[:heard] - below).astype(np.float32)
        scale = np.float32(10 ** (self.gain_db / 20) / 32768.0)
        out[:heard] = (taken[:heard] * (1 - share) + taken[heard:] * share) * scale
        ramp = np.linspace(0.0, 1.0, min(heard, _FADE_FRAMES), dtype=np.float32)
        if fade:
            out[: len(ramp)] *= ramp
        if cut_off:
            out[heard - len(ramp) : heard] *= ramp[::-1]
        return np.clip(out, -1.0, 1.0, out=out)

    def _around(self, place: Any) -> Any:
        """Bring places past the end of what is looped round to its beginning."""
        return self._first + (place - self._first) % max(1, self._last - self._first)
