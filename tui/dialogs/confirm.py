"""A question before an action on many clips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static


class Confirm(ModalScreen[bool]):
    """Returns whether `a` was pressed; not Enter or `y`, which may still be meant for what came before: to label.

    Parameters
    ----------
    title
        The title of the box.
    lines
        What will be done, and why.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "dismiss(True)", "accept", show=False),
        Binding("escape,n,q", "dismiss(False)", "no", show=False),
    ]

    def __init__(self, title: str, lines: Sequence[str]) -> None:
        super().__init__()
        self._title = title
        self._text = Content("\n").join(Content(line) for line in lines)

    def compose(self) -> ComposeResult:
        """Lay out the box."""
        with Vertical(id="confirm") as box:
            box.border_title = Content(self._title)
            box.border_subtitle = "a accept   Esc cancel"
            yield Static(self._text)
