"""A column of labels with counts, one of them selected; a click chooses another."""

from __future__ import annotations

from collections.abc import Mapping

from textual.content import Content
from textual.events import Click
from textual.message import Message
from textual.widget import Widget

from labeltool.tui.text import fit


class LabelCounts(Widget):
    """Shows labels with the number of clips of each, as many as fit, the selected one among them."""

    class Chosen(Message):
        """A label was clicked."""

        def __init__(self, label: str) -> None:
            super().__init__()
            self.label = label

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._counts: Mapping[str, int] = {}
        self._selected = ""

    def show(self, counts: Mapping[str, int], selected: str) -> None:
        """Show labels in their order, one of them selected."""
        self._counts, self._selected = counts, selected
        self.refresh()

    def render(self) -> Content:
        """Return the lines."""
        width = self.size.width
        lines = []
        for label in self._visible():
            count, selected = f" {self._counts[label]:,}", label == self._selected
            text = fit(f"{'▸' if selected else ' '} {label}", max(0, width - len(count))) + count
            lines.append(Content.styled(text, "bold $accent" if selected else "$foreground"))
        return Content("\n").join(lines)

    def on_click(self, event: Click) -> None:
        """Choose the label under the mouse."""
        labels = self._visible()
        if event.y < len(labels):
            self.post_message(self.Chosen(labels[event.y]))

    def _visible(self) -> list[str]:
        labels, height = list(self._counts), max(1, self.size.height)
        place = labels.index(self._selected) if self._selected in self._counts else 0
        first = max(0, min(place - height // 2, len(labels) - height))
        return labels[first : first + height]
