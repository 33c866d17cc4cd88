"""The line at the bottom: the keys one needs, as many as fit."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

from labeltool.tui.keys import Way


class Hints(Widget):
    """One line."""

    def __init__(self, way: Way, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._way = way

    def render(self) -> Content:
        """Return the line."""
        parts: list[tuple[str, str]] = []
        room = self.size.width
        for key in self._way.hinted():
            shown = "⏎" if key.shown == "Enter" else key.shown
            long = len(shown) + len(key.hint) + 3
            if long - 2 > room:
                break
            room -= long
            parts += [(shown, "bold $accent"), (f" {key.hint}  ", "$quiet")]
        return Content.assemble(*parts)
