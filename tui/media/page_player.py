"""Playback by a page in a browser: this process says what to play and sends samples; the page reports its position."""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
import time
from collections import OrderedDict
from contextlib import suppress
from typing import Any

import numpy as np

from labeltool.tui.media.clip_picture import PLAYBACK_RATE_HZ
from labeltool.tui.media.player import Player, Source
from labeltool.type_aliases import Int16

SOUND_SOCKET = "LABELTOOL_SOUND_SOCKET"
"""The environment variable with the descriptor of the socket to the server."""

# The sound on the screen, the next one, and those whose last samples may still be on their way.
_MAX_SOUNDS = 6
_MAX_READ_FRAMES = 1 << 18
# Browsers play nothing before the user has pressed a key or clicked.
_LOCKED = "any key turns sound on"


class PagePlayer(Player):
    """Plays one sound at a time, in the page.

    The page decides what is audible: until it reports, the position stands still.

    Parameters
    ----------
    channel
        The socket to the server. Both sides send lines of JSON; samples follow the line that has their number.
    """

    def __init__(self, channel: socket.socket) -> None:
        self._channel: socket.socket | None = None
        self._sending = threading.Lock()
        self._sounds: OrderedDict[str, Int16 | Source] = OrderedDict()
        self._state_number = 0
        self._jumped = False
        self._reported_at, self._advances = 0.0, False
        self._loop = False
        super().__init__()
        self._channel = channel
        self.silent = _LOCKED

    @classmethod
    def from_environment(cls) -> PagePlayer | None:
        """Return the player of the page that this process draws into; None in a terminal."""
        descriptor = os.environ.pop(SOUND_SOCKET, None)
        return cls(socket.socket(fileno=int(descriptor))) if descriptor else None

    def open(self) -> None:
        """Serve the page until the server closes the socket."""
        channel = self._channel
        assert channel is not None
        with suppress(OSError), channel.makefile("rb") as lines:
            for line in lines:
                # Anything may come from a page.
                with suppress(ValueError, TypeError, LookupError, OverflowError):
                    self._obey(json.loads(line))

    def close(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            with suppress(OSError):
                channel.shutdown(socket.SHUT_RDWR)
            channel.close()

    def expect(self, sound: Int16 | Source) -> None:
        """Let the page fetch a sound that is likely to be loaded next."""
        if not any(known is sound for known in list(self._sounds.values())):
            self._send({"prefetch": self._id_of(sound), "frames": len(sound)})

    def put(self, sound: Int16 | Source, *, play: bool) -> None:
        self._sound_id = self._id_of(sound)
        super().put(sound, play=play)

    @property
    def position_s(self) -> float:
        """The position in the sound, in seconds: what the page has reported last, and the time since."""
        with self._lock:
            place = self._at
            if self._playing and self._advances:
                place += (time.monotonic() - self._reported_at) * self.speed * PLAYBACK_RATE_HZ
                place = float(self._wrapped(place)) if self.loop else min(place, float(self._last))
            return place / PLAYBACK_RATE_HZ

    @property
    def loop(self) -> bool:
        """Whether the sound starts again at its end."""
        return self._loop

    @loop.setter
    def loop(self, loop: bool) -> None:
        if loop != self._loop:
            self._loop = loop
            self._changed()

    def toggle(self) -> None:
        if self.silent:  # this key turns sound on, and is meant to play
            self.replay()
            return
        at = self.position_s * PLAYBACK_RATE_HZ
        with self._lock:
            self._at = at
        super().toggle()

    def _jump(self, place: float) -> None:
        super()._jump(place)
        self._jumped, self._advances = True, False

    def _id_of(self, sound: Int16 | Source) -> str:
        """Return the id under which the page fetches a sound; a new one cannot be guessed."""
        with self._lock:
            for sound_id, known in self._sounds.items():
                if known is sound:
                    self._sounds.move_to_end(sound_id)
                    return sound_id
            sound_id = secrets.token_urlsafe(16)
            self._sounds[sound_id] = sound
            while len(self._sounds) > _MAX_SOUNDS:
                self._sounds.popitem(last=False)
            return sound_id

    def _changed(self) -> None:
        """Send all that the page needs to know; `at` only where the position is to change."""
        if not self._sounds:
            return
        with self._lock:
            self._state_number += 1
            state = {
                "state": self._state_number,
                "sound": self._sound_id,
                "frames": len(self._sound),
                "first": self._first,
                "last": self._last,
                "at": round(self._at) if self._jumped else None,
                "playing": self._playing,
                "loop": self._loop,
                "speed": self.speed,
                "gain_db": self.gain_db,
            }
            self._jumped = False
        self._send(state)

    def _obey(self, message: dict[str, Any]) -> None:
        """Answer a request for samples, or take the page's report."""
        if "read" in message:
            self._send_samples(message["read"], message["first"], message["count"])
            return
        self.silent = _LOCKED if message["locked"] else ""
        with self._lock:
            # A report that left before the newest change came is about what was.
            if message["state"] == self._state_number:
                self._at = min(max(float(self._first), float(message["at"])), float(self._last))
                self._reported_at, self._advances = time.monotonic(), bool(message["advances"])
                self._playing = bool(message["playing"])

    def _send_samples(self, sound_id: str, first: int, count: int) -> None:
        """Send samples of a sound; none while they are not decoded yet."""
        with self._lock:
            sound = self._sounds.get(sound_id)
        samples: Int16 | None = None
        if sound is not None:
            last = min(first + min(count, _MAX_READ_FRAMES), len(sound))
            samples = sound[first:last] if isinstance(sound, np.ndarray) else sound.samples_at(np.arange(first, last))
        content = b"" if samples is None else samples.astype("<i2", copy=False).tobytes()
        self._send({"bytes": len(content)}, content)

    def _send(self, message: dict[str, Any], content: bytes = b"") -> None:
        # The server has gone, or the app ends, where it fails.
        with self._sending, suppress(OSError):
            if self._channel is not None:
                self._channel.sendall(json.dumps(message).encode() + b"\n" + content)
