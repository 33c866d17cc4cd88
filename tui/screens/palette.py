"""Find a label by typing a few letters of it, or make a new one in place."""

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

from labeltool.tui.label_choices import search
from labeltool.tui.text import clip, fit


class Choices(Widget):
    """The labels found, one highlighted; a new label, if it would be one, stands last."""

    def __init__(self, labels: Sequence[str], *, makes_new: bool, id: str | None = None) -> None:
        super().__init__(id=id)
        self._labels = labels
        self._makes_new = makes_new
        self._found: list[str] = list(labels)
        self._new = ""
        self._at = 0

    def look_for(self, query: str) -> None:
        """Show what a few letters may mean."""
        self._found = search(query, self._labels)
        name = query.strip()
        self._new = name if self._makes_new and name not in self._labels else ""
        self._at = 0
        self.refresh()

    def move(self, steps: int) -> None:
        """Move the highlight."""
        self._at = min(max(0, self._at + steps), max(0, self._count - 1))
        self.refresh()

    @property
    def chosen(self) -> str | None:
        """The highlighted label, or the new one; None when there is nothing to choose."""
        if self._at < len(self._found):
            return self._found[self._at]
        return self._new or None

    def render(self) -> Content:
        """Return as many lines as there is room for, the highlighted one among them."""
        width, height = self.size
        first = max(0, min(self._at - height // 2, self._count - height))
        lines = []
        for place in range(first, min(first + height, self._count)):
            if place < len(self._found):
                told = fit(f" {self._found[place]}", width)
            else:
                told = fit(f" + new label: {clip(self._new, width)}", width)
            style = (
                "bold reverse $accent"
                if place == self._at
                else "$foreground"
                if place < len(self._found)
                else "$success"
            )
            lines.append(Content.styled(told, style))
        if not lines:
            told = "No labels yet: type the first one's name" if self._makes_new else "Nothing goes by these letters"
            lines.append(Content.styled(told, "$quiet"))
        return Content("\n").join(lines)

    @property
    def _count(self) -> int:
        return len(self._found) + bool(self._new)


class Palette(ModalScreen[str | None]):
    """Finds one of some names; gives back the one chosen, None when left by Escape.

    Parameters
    ----------
    title
        What is sought.
    labels
        The names, the likeliest first.
    makes_new
        Whether letters that are no name may be taken for a new one.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "close", show=False),
        Binding("down,ctrl+n", "move(1)", "next", show=False, priority=True),
        Binding("up,ctrl+p", "move(-1)", "previous", show=False, priority=True),
        Binding("pagedown", "move(8)", "further", show=False, priority=True),
        Binding("pageup", "move(-8)", "back", show=False, priority=True),
    ]

    def __init__(self, title: str, labels: Sequence[str], *, makes_new: bool = True) -> None:
        super().__init__()
        self._title = title
        self._labels = labels
        self._makes_new = makes_new

    def compose(self) -> ComposeResult:
        """Lay the box out."""
        with Vertical(id="palette") as box:
            box.border_title = Content(self._title)
            box.border_subtitle = "↑ ↓ choose   Enter take   Esc leave"
            placeholder = "a few letters, or a new label's name" if self._makes_new else "a few letters"
            yield Input(placeholder=placeholder, id="palette-input")
            yield Choices(self._labels, makes_new=self._makes_new, id="palette-choices")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Look again with every letter."""
        self.query_one(Choices).look_for(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the highlighted label."""
        chosen = self.query_one(Choices).chosen
        if chosen is not None:
            self.dismiss(chosen)

    def action_move(self, steps: int) -> None:
        """Move the highlight."""
        self.query_one(Choices).move(steps)
