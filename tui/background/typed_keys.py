"""Keys one after the other: what is typed fast goes where a slow typist would see it go."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from textual import events, work
from textual.app import App
from textual.message_pump import MessagePump

# A part of the screen that is being closed does not handle what it was sent.
_MAX_WAIT_S = 1.0


class TypedKeysApp(App[None]):
    """Handles each key, and what it opens or closes, before the next one.

    Textual sends a key to the screen that is there when the key comes: what follows `/` in one burst would go to the
    view while the palette opens.
    """

    _typed: asyncio.Queue[events.Event]

    def on_load(self) -> None:
        """Collect keys from the first one on."""
        self._typed = asyncio.Queue()

    async def on_mount(self) -> None:
        self._handle_keys()

    async def on_event(self, event: events.Event) -> None:
        """Put a key, or pasted text, behind those before it."""
        if isinstance(event, (events.Key, events.Paste)) and not event.is_forwarded:
            self._typed.put_nowait(event)
        else:
            await super().on_event(event)

    @work(group="keys")
    async def _handle_keys(self) -> None:
        while True:
            event = await self._typed.get()
            await super().on_event(event)
            await self._settle()

    async def _settle(self) -> None:
        """Wait until the last key is handled; twice, for a dialog closes with a message of its own."""
        calm = 0
        while calm < 2:
            screen = self.screen
            await _handled(self.focused or screen)
            calm = calm + 1 if self.screen is screen else 0


async def _handled(node: MessagePump) -> None:
    """Wait until a part of the screen, and all that it is in, have handled what they were sent so far."""
    parent: MessagePump | None = node
    while parent is not None:
        done = asyncio.Event()
        if parent.call_later(done.set):
            with suppress(TimeoutError):
                await asyncio.wait_for(done.wait(), _MAX_WAIT_S)
        parent = parent._parent
