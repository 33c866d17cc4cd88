"""The lines under the pictures that tell what is said, as a speech model wrote it down; they follow the sound."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

from labeltool.records import Segment
from labeltool.tui.text import clip, shown

_FILLED = 0.9  # of the cells: lines end between words


class Spoken(Widget):
    """As many segments as there is room for, the one being spoken lit.

    It takes room only once something that is said was shown; then it keeps it, so that the pictures stay as they are
    from clip to clip.
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._segments: Sequence[Segment] = ()
        self._begins: list[float] = []
        self._at = 0
        self.display = False

    def show(self, segments: Sequence[Segment]) -> None:
        """Show what is said in a sound, in the order of time; nothing where it is not known."""
        self._segments, self._begins, self._at = segments, [segment.start_s for segment in segments], 0
        if segments:
            self.display = True
        self.refresh()

    def follow(self, moment_s: float) -> None:
        """Light what is said at a moment of the recording, seconds."""
        at = max(0, bisect_right(self._begins, moment_s) - 1)
        if at != self._at:
            self._at = at
            self.refresh()

    def render(self) -> Content:
        """Return the text, from its beginning where all of it has room."""
        room = round(self.size.width * self.size.height * _FILLED)
        first = 0 if sum(cell_len(segment.text) + 1 for segment in self._segments[:room]) <= room else self._at
        parts: list[tuple[str, str]] = []
        for place in range(first, len(self._segments)):
            text = clip(self._segments[place].text, room)
            parts += [(text, "$foreground" if place == self._at else "$quiet"), (" ", "")]
            room -= cell_len(shown(text)) + 1
            if room <= 0:
                break
        return Content.assemble(*parts)
