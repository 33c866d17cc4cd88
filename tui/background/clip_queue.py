"""The queue of the Label view: the clip on the screen, the clips that undo left, and the prepared ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from labeltool.tui.background.prefetch import PreparedClip


class ClipQueue:
    """The order of the clips to show, without a screen or a thread."""

    def __init__(self) -> None:
        self.current: PreparedClip | None = None
        # Clips that undo left: they come again before the queue goes on.
        self._left: list[PreparedClip] = []
        self._ready: deque[PreparedClip] = deque()

    @property
    def here(self) -> list[int]:
        """The clips that a new queue need not contain: the one on the screen and those that undo left."""
        return [prepared.clip.id for prepared in (self.current, *self._left) if prepared is not None]

    @property
    def following(self) -> PreparedClip | None:
        """The clip that comes next; None if none is ready."""
        return self._left[-1] if self._left else self._ready[0] if self._ready else None

    def advance(self) -> PreparedClip | None:
        """Go to the next clip and return it; None if none is ready."""
        self.current = self._left.pop() if self._left else self._ready.popleft() if self._ready else None
        return self.current

    def replace(self, queue: Sequence[PreparedClip], *, complete: bool) -> None:
        """Replace the prepared clips; by a queue that is not complete only if it is longer."""
        fresh = [prepared for prepared in queue if prepared.clip.id not in self.here]
        if complete or len(fresh) > len(self._ready):
            self._ready = deque(fresh)

    def renew(self, renewed: Sequence[PreparedClip]) -> None:
        """Take newer suggestions for clips that are here or come next."""
        newer = {one.clip.id: one for one in renewed}
        self._left = [newer.get(one.clip.id, one) for one in self._left]
        self._ready = deque(newer.get(one.clip.id, one) for one in self._ready)

    def forget_undone(self) -> None:
        """Forget the clips that undo left: they were labelled elsewhere, or are in the queue."""
        self._left.clear()

    def return_to(self, prepared: PreparedClip) -> None:
        """Put a labelled clip back on the screen; the one there comes after it."""
        if self.current is not None and self.current.clip.id != prepared.clip.id:
            self._left.append(self.current)
        self._left = [left for left in self._left if left.clip.id != prepared.clip.id]
        self._ready = deque(ready for ready in self._ready if ready.clip.id != prepared.clip.id)
        self.current = prepared
