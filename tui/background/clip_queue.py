"""The line of clips in front of the person: the one on the screen, those that undo left, those made ready."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from labeltool.tui.background.prefetch import Prepared


class Line:
    """Knows which clip comes next. Plain bookkeeping, no screen and no thread.

    Attributes
    ----------
    now
        The clip on the screen.
    """

    def __init__(self) -> None:
        self.now: Prepared | None = None
        # Clips that undo went back from: they come again before the queue goes on.
        self._left: list[Prepared] = []
        self._ready: deque[Prepared] = deque()

    @property
    def here(self) -> list[int]:
        """The clips that the queue need not bring: on the screen or left by undo."""
        return [prepared.clip.id for prepared in (self.now, *self._left) if prepared is not None]

    def advance(self) -> Prepared | None:
        """Go to the next clip and return it; None when none is ready."""
        self.now = self._left.pop() if self._left else self._ready.popleft() if self._ready else None
        return self.now

    def take(self, queue: Sequence[Prepared], *, complete: bool) -> None:
        """Take a queue in place of the last one; one still being made only when it is the longer."""
        fresh = [prepared for prepared in queue if prepared.clip.id not in self.here]
        if complete or len(fresh) > len(self._ready):
            self._ready = deque(fresh)

    def drop_left(self) -> None:
        """Forget the clips that undo left: they were answered elsewhere, or the queue brings them."""
        self._left.clear()

    def go_back(self, prepared: Prepared) -> None:
        """Put a clip on the screen that was answered before; the one there comes again after it."""
        if self.now is not None and self.now.clip.id != prepared.clip.id:
            self._left.append(self.now)
        self._left = [left for left in self._left if left.clip.id != prepared.clip.id]
        self._ready = deque(ready for ready in self._ready if ready.clip.id != prepared.clip.id)
        self.now = prepared
