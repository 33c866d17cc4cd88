"""Keys one after the other: what is typed fast goes where a slow typist would see it go, what is pasted is text.

A terminal without bracketed paste sends pasted text as keys. Nobody presses three different keys within hundredths of
a second: where no text is entered they are one pasted text, as from other terminals, and label nothing. A burst that
begins with the key of a palette was typed ahead, or sent by a program: the palette gets all of it, up to Enter.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from itertools import takewhile

from textual import events, work
from textual.app import App
from textual.message_pump import MessagePump
from textual.widgets import Input

# A part of the screen that is being closed does not handle what it was sent.
_MAX_WAIT_S = 1.0
# Two keys that a person presses one after the other are further apart, even where the fingers overlap.
_TOGETHER_S = 0.01
# Within this time after a key, what came with it is passed on too, unless the machine is overloaded.
_LOOK_AHEAD_S = 0.002
# The rest of a pasted text may come in another piece.
_AFTER_PASTE_S = 0.1
# Two keys at once may be a slip, or come from a slow network; behind the text of a palette they are neither.
_MIN_PASTED, _MIN_PASTED_BEHIND = 3, 2
_OF_TEXT = {"enter": "\n", "tab": "\t"}


class TypedKeysApp(App[None]):
    """Handles each key, and what it opens or closes, before the next one.

    Textual sends a key to the screen that is there when the key comes: what follows `/` in one burst would go to the
    view while the palette opens.
    """

    _typed: deque[events.Key | events.Paste]
    _arrived: asyncio.Event

    def on_load(self) -> None:
        """Collect keys from the first one on."""
        self._typed, self._arrived = deque(), asyncio.Event()

    async def on_mount(self) -> None:
        """Start to handle keys."""
        self._handle_keys()

    async def on_event(self, event: events.Event) -> None:
        """Put a key, or pasted text, behind those before it."""
        if isinstance(event, (events.Key, events.Paste)) and not event.is_forwarded:
            self._typed.append(event)
            self._arrived.set()
        else:
            await super().on_event(event)

    def takes_text(self, key: events.Key) -> bool:
        """Return whether a key is text, or opens what the text behind it goes to."""
        return isinstance(self.focused, Input)

    @work(group="keys")
    async def _handle_keys(self) -> None:
        """Handle keys until the app ends."""
        last: events.Key | events.Paste = events.Key("", None)
        while True:
            while not self._typed:
                self._arrived.clear()
                await self._arrived.wait()
            event = self._typed.popleft()
            if isinstance(event, events.Key) and _text_of(event) and not self.takes_text(event):
                event = await self._pasted_from(event, last)
            last = event
            await super().on_event(event)
            await self._settle()

    async def _pasted_from(self, key: events.Key, last: events.Key | events.Paste) -> events.Key | events.Paste:
        """Return the text that was pasted from a key on, which is taken from those that wait; else the key."""
        if not self._typed:
            await asyncio.sleep(_LOOK_AHEAD_S - (time.monotonic() - key.time))
        burst = [key]
        for following in self._typed:
            if isinstance(following, events.Paste) or following.time - burst[-1].time >= _TOGETHER_S:
                break
            if not _text_of(following):
                break
            burst.append(following)
        if isinstance(last, events.Paste):
            pasted = key.time - last.time < _AFTER_PASTE_S
        elif key.time - last.time < _TOGETHER_S:
            # Only the keys up to the next one that opens a palette are for the view.
            pasted = _is_text(list(takewhile(lambda one: not self.takes_text(one), burst)), _MIN_PASTED_BEHIND)
        else:
            pasted = _is_text(burst, _MIN_PASTED)
        if not pasted:
            return key
        for _ in burst[1:]:
            self._typed.popleft()
        return events.Paste("".join(map(_text_of, burst)))

    async def _settle(self) -> None:
        """Wait until the last key is handled; twice, for a dialog closes with a message of its own."""
        calm = 0
        while calm < 2:
            screen = self.screen
            await _handled(self.focused or screen)
            calm = calm + 1 if self.screen is screen else 0


def _text_of(key: events.Key) -> str:
    """Return what a key is in a text; "" where it is no part of one."""
    return key.character or "" if key.is_printable else _OF_TEXT.get(key.key, "")


def _is_text(burst: Sequence[events.Key], length: int) -> bool:
    """Return whether keys that came at once were pasted: this many at least, and not one that was held down."""
    letters = [key.key for key in burst if key.is_printable]
    return len(letters) >= length and len(set(letters)) > 1


async def _handled(node: MessagePump) -> None:
    """Wait until a part of the screen, and all that it is in, have handled what they were sent so far."""
    parent: MessagePump | None = node
    while parent is not None:
        done = asyncio.Event()
        if parent.call_later(done.set):
            with suppress(TimeoutError):
                await asyncio.wait_for(done.wait(), _MAX_WAIT_S)
        parent = parent._parent
