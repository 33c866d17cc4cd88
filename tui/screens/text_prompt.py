"""A line to write in: a note, a filter."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input


class Wording(ModalScreen[str | None]):
    """Asks for a line of text; gives it back on Enter, None when left by Escape.

    Parameters
    ----------
    title
        What is asked for.
    text
        What stands there at first.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "close", show=False)]

    def __init__(self, title: str, text: str = "") -> None:
        super().__init__()
        self._title = title
        self._text = text

    def compose(self) -> ComposeResult:
        """Lay the box out."""
        with Vertical(id="wording") as box:
            box.border_title = Content(self._title)
            box.border_subtitle = "Enter takes it   Esc leaves"
            yield Input(self._text, id="wording-input")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Give the text back."""
        self.dismiss(event.value)
