"""What other threads report: a part of the app acts on it in its turn."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from textual.message_pump import MessagePump


def in_turn(part: MessagePump, act: Callable[..., object]) -> Callable[..., None]:
    """Return a function for threads, which may end a moment after the app: it lets `part` act, behind its messages."""

    def later(*values: object, **named: object) -> None:
        loop = part.app._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(partial(part.call_later, act, *values, **named))

    return later
