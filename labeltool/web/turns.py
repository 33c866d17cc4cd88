"""Whose sound is worked on: one at a time, in the order in which they came."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager


class Turns:
    """A queue of visitors. A page has one sound in it at a time, so nobody waits for all sounds of another."""

    def __init__(self) -> None:
        self._line: list[asyncio.Event] = []

    @asynccontextmanager
    async def turn(self, report: Callable[[int], Awaitable[None]]) -> AsyncIterator[None]:
        """Wait for a turn, and have it as long as the context is open.

        Parameters
        ----------
        report
            Called with the number of those before, whenever it has changed.
        """
        moved = asyncio.Event()
        self._line.append(moved)
        try:
            while before := self._line.index(moved):
                moved.clear()
                await report(before)
                await moved.wait()
            yield
        finally:
            self._line.remove(moved)
            for other in self._line:
                other.set()
