"""Playback with a gapless loop, seek, speed, gain and the exact position, on one device that stays open."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from labeltool.tui.media.clip_picture import PLAYBACK_RATE_HZ
from labeltool.type_aliases import Float32, Int16
from labeltool.util.user_state import read_user_state

SPEEDS = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
"""Factors of the recorded speed; the pitch changes with the speed."""

GAIN_STEP_DB = 3.0
GAIN_LIMIT_DB = 30.0

# While a training runs, the thread that paints may lose its core and block Python in this one: with 30 ms half of the
# clips had gaps, with 60 ms one of seven, with 100 ms none.
_BUFFER_MS = 100
# A few milliseconds from silence to sound and back: without them each start, seek and pause is a click that is not in
# the recording. The seam of a loop is not faded.
_FADE_FRAMES = PLAYBACK_RATE_HZ * 3 // 1000

# How long after the device takes a block that block sounds. PulseAudio and PipeWire: measured, the same on every card,
# as the stream lets the server spread its buffer; ALSA asks for one of three periods when the other two are full; the
# null device only keeps time.
_LATENCY_S = {"pulseaudio": 0.057, "alsa": 2 * _BUFFER_MS / 1000, "null": 0.0}
_OTHER_LATENCY_S = _BUFFER_MS / 1000
# A block that is taken a little late sounds on time all the same, right after the last one; only a larger difference is
# a gap. The small share lets the two clocks drift.
_GAP_S = 0.15
_DRIFT_SHARE = 0.1


class Source(Protocol):
    """A sound that need not be in memory as a whole."""

    def __len__(self) -> int:
        """Return the number of samples at `PLAYBACK_RATE_HZ`."""

    def samples_at(self, places: npt.NDArray[np.intp]) -> Int16 | None:
        """Return the samples at some places, close together, without waiting; None while they are not decoded."""


@dataclass(frozen=True, slots=True)
class _Block:
    """What the device took at once.

    Attributes
    ----------
    begins_s, ends_s
        When it starts to sound and when it has sounded, by the player's clock.
    silent_s
        From when on it is silent, as the sound has ended.
    place
        The place in the sound of its first sample.
    jump
        How often the position had been changed before: a block from before a seek no longer counts.
    """

    begins_s: float
    ends_s: float
    silent_s: float
    place: float
    speed: float
    jump: int


class _InMemory:
    """A sound in memory."""

    def __init__(self, samples: Int16) -> None:
        self._samples = samples

    def __len__(self) -> int:
        return len(self._samples)

    def samples_at(self, places: npt.NDArray[np.intp]) -> Int16:
        return self._samples[places]


def output_names() -> list[str]:
    """Return the names of the sound outputs of this machine; looking for them can take a second."""
    return list(_outputs())


def _outputs() -> dict[str, Any]:
    """Return miniaudio's ids of the outputs, by their names."""
    import miniaudio

    try:
        devices = miniaudio.Devices().get_playbacks()
    except miniaudio.MiniaudioError:
        return {}
    names = [str(device["name"]) for device in devices]
    # Two cards of one make have one name.
    earlier = [names[:place].count(name) for place, name in enumerate(names)]
    numbered = [f"{name} ({count + 1})" if count else name for name, count in zip(names, earlier, strict=True)]
    return {name: device["id"] for name, device in zip(numbered, devices, strict=True)}


class Player:
    """Plays one sound at a time.

    `open` opens the device; call it in a thread, since looking for sound cards takes a while. Until then and without a
    sound card the player keeps time in silence, so that the playhead moves.

    Attributes
    ----------
    latency_s
        How long after a block was taken it sounds.
    silent
        Why there is no sound, in a few words; empty if there is.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._opening = threading.Lock()
        self._sound: Source = _InMemory(np.zeros(0, np.int16))
        self._first, self._last = 0, 0
        self._at = 0.0
        self._fade_in = False
        self._playing = False
        self._jumps = 0
        self._blocks: deque[_Block] = deque()
        self._device: Any = None
        self.latency_s = 0.0
        self.loop = False
        self.speed = 1.0
        self.gain_db = 0.0
        self.silent = ""

    def open(self) -> None:
        """Open the sound card or, without one, the null device, which plays silence in real time. Blocks meanwhile."""
        self.use_output(read_user_state().output_device)

    def use_output(self, name: str) -> None:
        """Play on another output from now on: "" for the system's, as where there is none of that name any more."""
        import miniaudio

        with self._opening:
            self.close()
            sound_off = os.environ.get("LABELTOOL_AUDIO", "") == "null"
            device = None
            if not sound_off:
                try:
                    device = self._device_on(None, _outputs().get(name) if name else None)
                except miniaudio.MiniaudioError:
                    device = None
            if device is None:
                device = self._device_on([miniaudio.Backend.NULL])
            self.silent = ""
            if device.backend.lower() == "null":
                self.silent = "sound off" if sound_off else "no sound card"
            self.latency_s = _LATENCY_S.get(device.backend.lower(), _OTHER_LATENCY_S)
            source = self._source()
            next(source)
            self._device = device
            device.start(source)

    def close(self) -> None:
        device, self._device = self._device, None
        if device is not None:
            device.close()

    def expect(self, sound: Int16 | Source) -> None:
        """Prepare a sound that is likely to be loaded next: a sound card needs no preparation, a page does."""

    def put(self, sound: Int16 | Source, *, play: bool) -> None:
        """Load a sound in place of the last one, at its start: a source, or mono int16 at `PLAYBACK_RATE_HZ`."""
        with self._lock:
            self._sound = _InMemory(sound) if isinstance(sound, np.ndarray) else sound
            self._first, self._last = 0, len(sound)
            self._jump(0.0)
            self._playing = play and len(sound) > 0
        self._changed()

    def limit_to(self, start_s: float, end_s: float) -> None:
        """Limit playback and loop to a span of the sound, and go to its start."""
        with self._lock:
            length = len(self._sound)
            self._first = min(max(0, round(start_s * PLAYBACK_RATE_HZ)), max(0, length - 1))
            self._last = min(max(self._first + 1, round(end_s * PLAYBACK_RATE_HZ)), length)
            self._jump(float(self._first))
        self._changed()

    def clear_limits(self) -> None:
        """Play the whole sound again, from the position it is at."""
        with self._lock:
            self._first, self._last = 0, len(self._sound)
        self._changed()

    @property
    def playing(self) -> bool:
        """Whether the sound plays, until its end is audible."""
        with self._lock:
            return self._playing or self._next_block() is not None

    @property
    def position_s(self) -> float:
        """The position in the sound that is audible now, in seconds; before a sound is audible, where it begins."""
        with self._lock:
            return self._audible() / PLAYBACK_RATE_HZ

    def toggle(self) -> None:
        """Pause or go on; at the end, start again."""
        with self._lock:
            if self._playing or self._next_block() is not None:
                # What the device has got sounds on for a moment: playing goes on from where it was paused.
                self._jump(self._audible())
                self._playing = False
            else:
                if self._at >= self._last:
                    self._jump(float(self._first))
                self._fade_in = True
                self._playing = len(self._sound) > 0
        self._changed()

    def replay(self) -> None:
        with self._lock:
            self._jump(float(self._first))
            self._playing = len(self._sound) > 0
        self._changed()

    def seek(self, seconds: float) -> None:
        """Go to a position in the sound, within the limits of playback."""
        with self._lock:
            self._jump(min(max(float(self._first), seconds * PLAYBACK_RATE_HZ), float(self._last)))
        self._changed()

    def faster(self, steps: int) -> None:
        """Change the speed by steps of `SPEEDS`; below zero, slower."""
        with self._lock:
            place = min(max(0, SPEEDS.index(self.speed) + steps), len(SPEEDS) - 1)
            self.speed = SPEEDS[place]
        self._changed()

    def louder(self, steps: int) -> None:
        """Change the gain by steps of `GAIN_STEP_DB`; below zero, quieter."""
        self.gain_db = min(max(-GAIN_LIMIT_DB, self.gain_db + steps * GAIN_STEP_DB), GAIN_LIMIT_DB)
        self._changed()

    def _changed(self) -> None:
        """Do what a subclass needs after a change of what is to be played, or how."""

    def _device_on(self, backends: Any, device_id: Any = None) -> Any:
        import miniaudio

        return miniaudio.PlaybackDevice(
            output_format=miniaudio.SampleFormat.FLOAT32,
            nchannels=1,
            sample_rate=PLAYBACK_RATE_HZ,
            buffersize_msec=_BUFFER_MS,
            device_id=device_id,
            backends=backends,
            app_name="labeltool",
        )

    def _jump(self, place: float) -> None:
        self._at = place
        self._jumps += 1
        self._fade_in = True

    def _audible(self) -> float:
        """Return the place in the sound that is audible now."""
        block = self._next_block()
        if block is None:
            return self._at
        place = block.place + max(0.0, self._clock() - block.begins_s) * PLAYBACK_RATE_HZ * block.speed
        return float(self._wrapped(place) if self.loop else min(place, self._last))

    def _next_block(self) -> _Block | None:
        """Return what sounds now, or next; None where all that was taken has sounded."""
        now = self._clock()
        blocks = (block for block in self._blocks if block.jump == self._jumps)
        return next((block for block in blocks if block.silent_s > max(now, block.begins_s)), None)

    def _note_block(self, frames: int, sounding: int, place: float) -> None:
        """Note when a block that the device takes now will sound; after `sounding` frames it is silent."""
        now = self._clock()
        begins_s = now + self.latency_s
        if self._blocks and abs(begins_s - self._blocks[-1].ends_s) < _GAP_S:
            expected_s = self._blocks[-1].ends_s
            begins_s = expected_s + _DRIFT_SHARE * (begins_s - expected_s)
        while self._blocks and self._blocks[0].ends_s <= now:
            self._blocks.popleft()
        ends_s, silent_s = (begins_s + count / PLAYBACK_RATE_HZ for count in (frames, sounding))
        self._blocks.append(_Block(begins_s, ends_s, silent_s, place, self.speed, self._jumps))

    def _source(self) -> Generator[Float32, int, None]:
        """Yield the blocks that the device requests."""
        block = np.zeros((0, 1), np.float32)
        while True:
            frames = yield block
            block = self.render(frames)[:, None]

    def render(self, frames: int) -> Float32:
        """Return the next samples to play, `(frames,) float32`: silence while paused and after the end.

        It is silent and waits also where the sound is not decoded yet.
        """
        out = np.zeros(frames, np.float32)
        with self._lock:
            first, last = self._first, self._last
            if not self._playing or first >= last:
                self._note_block(frames, 0, self._at)
                return out
            place = self._at + self.speed * np.arange(frames)
            if self.loop:
                place = self._wrapped(place)
            count = frames if self.loop else int(np.searchsorted(place, last))
            below = place[:count].astype(np.intp)
            above = self._wrapped(below + 1) if self.loop else np.minimum(below + 1, last - 1)
            samples = self._sound.samples_at(np.concatenate([below, above]))
            if samples is None:
                self._note_block(frames, 0, self._at)
                self._fade_in = True
                return out
            self._note_block(frames, count, self._at)
            after = self._at + self.speed * frames
            self._at = float(self._wrapped(after)) if self.loop else min(after, float(last))
            self._playing = self.loop or after < last
            fade_in, self._fade_in = self._fade_in, False
            fade_out = not self._playing and last < len(self._sound)
        share = (place[:count] - below).astype(np.float32)
        scale = np.float32(10 ** (self.gain_db / 20) / 32768.0)
        out[:count] = (samples[:count] * (1 - share) + samples[count:] * share) * scale
        ramp = np.linspace(0.0, 1.0, min(count, _FADE_FRAMES), dtype=np.float32)
        if fade_in:
            out[: len(ramp)] *= ramp
        if fade_out:
            out[count - len(ramp) : count] *= ramp[::-1]
        return np.clip(out, -1.0, 1.0, out=out)

    def _wrapped(self, place: Any) -> Any:
        """Return places with those past the end of the loop moved to its start."""
        return self._first + (place - self._first) % max(1, self._last - self._first)
