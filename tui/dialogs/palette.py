"""The palette: find a label or an action by a few letters, or make a new label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input

from labeltool.records import label_name
from labeltool.tui.label_choices import search
from labeltool.tui.text import fit, truncate


class Choices(Widget):
    """Shows the names that match, one of them selected; a new label comes last."""

    def __init__(self, labels: Sequence[str], *, allows_new: bool, id: str | None = None) -> None:
        super().__init__(id=id)
        self._labels = labels
        self._allows_new = allows_new
        self._matches: list[str] = list(labels)
        self._new = ""
        self._selected = 0

    def find(self, query: str) -> None:
        """Show the names that match the letters."""
        self._matches = search(query, self._labels)
        name = label_name(query)
        self._new = name if self._allows_new and name not in self._labels else ""
        self._selected = 0
        self.refresh()

    def move(self, steps: int) -> None:
        """Move the selection."""
        self._selected = min(max(0, self._selected + steps), max(0, self._count - 1))
        self.refresh()

    @property
    def chosen(self) -> str | None:
        """The selected name, or the new label; None where there is none."""
        if self._selected < len(self._matches):
            return self._matches[self._selected]
        return self._new or None

    def render(self) -> Content:
        """Return as many lines as fit, the selected one among them."""
        width, height = self.size
        first = max(0, min(self._selected - height // 2, self._count - height))
        lines = []
        for place in range(first, min(first + height, self._count)):
            if place < len(self._matches):
                text = fit(f" {self._matches[place]}", width)
            else:
                text = fit(f" + new label: {truncate(self._new, width)}", width)
            style = (
                "bold reverse $accent"
                if place == self._selected
                else "$foreground"
                if place < len(self._matches)
                else "$success"
            )
            lines.append(Content.styled(text, style))
        if not lines:
            text = "No labels yet: type a name" if self._allows_new else "No match"
            lines.append(Content.styled(text, "$quiet"))
        return Content("\n").join(lines)

    @property
    def _count(self) -> int:
        return len(self._matches) + bool(self._new)


class Palette(ModalScreen[str | None]):
    """Finds a name; returns the one chosen, None on Escape.

    Parameters
    ----------
    title
        The title of the box.
    labels
        The names, in the order for no letters.
    allows_new
        Whether letters that are no name can be a new label.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "close", show=False),
        Binding("down,ctrl+n", "move(1)", "next", show=False, priority=True),
        Binding("up,ctrl+p", "move(-1)", "previous", show=False, priority=True),
        Binding("pagedown", "move(8)", "further", show=False, priority=True),
        Binding("pageup", "move(-8)", "back", show=False, priority=True),
    ]

    def __init__(self, title: str, labels: Sequence[str], *, allows_new: bool = True) -> None:
        super().__init__()
        self._title = title
        self._labels = labels
        self._allows_new = allows_new

    def compose(self) -> ComposeResult:
        """Lay out the box."""
        with Vertical(id="palette") as box:
            box.border_title = Content(self._title)
            box.border_subtitle = "↑ ↓ choose   Enter accept   Esc cancel"
            placeholder = "a few letters, or a new label" if self._allows_new else "a few letters"
            yield Input(placeholder=placeholder, id="palette-input")
            yield Choices(self._labels, allows_new=self._allows_new, id="palette-choices")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Search again with every letter."""
        self.query_one(Choices).find(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Return the selected name."""
        chosen = self.query_one(Choices).chosen
        if chosen is not None:
            self.dismiss(chosen)

    def action_move(self, steps: int) -> None:
        """Move the selection."""
        self.query_one(Choices).move(steps)
