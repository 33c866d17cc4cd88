"""The line at the bottom: the keys one needs, as many as fit."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

from labeltool.tui.keys import HINTS


class Hints(Widget):
    """One line."""

    def render(self) -> Content:
        """Return the line."""
        parts: list[tuple[str, str]] = []
        room = self.size.width
        for key, tells in HINTS:
            long = len(key) + len(tells) + 3
            if long - 2 > room:
                break
            room -= long
            parts += [(key, "bold $accent"), (f" {tells}  ", "$quiet")]
        return Content.assemble(*parts)
