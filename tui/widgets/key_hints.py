"""The line at the bottom: the keys used most, as many as fit."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

from labeltool.tui.shared_keys import View


class KeyHints(Widget):
    """Shows the keys of a view in one line."""

    def __init__(self, view: View, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._view = view

    def render(self) -> Content:
        """Return the line."""
        parts: list[tuple[str, str]] = []
        free = self.size.width
        for key in self._view.hint_keys():
            name = "⏎" if key.shown == "Enter" else key.shown
            cells = len(name) + len(key.hint) + 3
            if cells - 2 > free:
                break
            free -= cells
            parts += [(name, "bold $accent"), (f" {key.hint}  ", "$quiet")]
        return Content.assemble(*parts)
