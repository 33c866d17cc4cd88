"""The line of tabs: every view with its key, the one on the screen marked; a click goes to a view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

from labeltool.tui.keymap import Keymap, remapped
from labeltool.tui.shared_keys import APP, Key, View
from labeltool.tui.widgets.key_hints import clickable


@dataclass(frozen=True, slots=True)
class _Tab:
    """A view's name as on its key, and its title for screens of 120 columns, of 80 columns and where only keys fit."""

    name: str
    title: str
    short: str


TABS = (
    _Tab("label", "Label", "Label"),
    _Tab("batch_review", "Batch review", "Batch"),
    _Tab("review", "Review", "Review"),
    _Tab("browse", "Browse", "Browse"),
    _Tab("clusters", "Clusters", "Cluster"),
    _Tab("regions", "Regions", "Region"),
    _Tab("similar", "Similar", "Similar"),
    _Tab("find_events", "Find", "Find"),
    _Tab("class_mapping", "Classes", "Class"),
)
_NAMES = {"find": "find_events"}  # views whose key has another name
_SPACED = (3, 2)


class TabLine(Widget):
    """Shows one line."""

    auto_links = False

    def __init__(self, keymap: Keymap, view: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        keys = {key.name: key for key in remapped(View("", "", APP, ()), keymap).keys}
        self._tabs: Sequence[tuple[_Tab, Key]] = [(tab, keys[tab.name]) for tab in TABS]
        self._current = _NAMES.get(view, view)

    def mark(self, name: str) -> None:
        """Mark another tab than that of the view: Similar is a list in Browse."""
        self._current = name
        self.refresh()

    def render(self) -> Content:
        """Return the line in the longest form that fits."""
        forms = [
            *(self._line([tab.title for tab, _ in self._tabs], gap) for gap in _SPACED),
            *(self._line([tab.short for tab, _ in self._tabs], gap) for gap in (*_SPACED, 1)),
            self._line([tab.short if tab.name == self._current else "" for tab, _ in self._tabs], 2),
        ]
        return next((line for line in forms if cell_len(line.plain) <= self.size.width), forms[-1])

    def _line(self, titles: Sequence[str], gap: int) -> Content:
        parts = []
        for title, (tab, key) in zip(titles, self._tabs, strict=True):
            current = tab.name == self._current
            shown = Content.assemble(
                (key.shown, "bold underline $accent" if current else "bold $accent"),
                (f" {title}" if title else "", "bold underline $foreground" if current else "$quiet"),
            )
            parts.append(shown if current else clickable(shown, key.action))
        return Content(" " * gap).join(parts)
