"""A dialog with one line of text, for notes and filters."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input


class TextPrompt(ModalScreen[str | None]):
    """Returns the line of text on Enter, None on Escape.

    Parameters
    ----------
    title
        The title of the box.
    text
        The text at first.
    selected
        Whether what is typed replaces it.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "close", show=False)]

    def __init__(self, title: str, text: str = "", *, selected: bool = True) -> None:
        super().__init__()
        self._title = title
        self._text = text
        self._selected = selected

    def compose(self) -> ComposeResult:
        """Lay out the box."""
        with Vertical(id="text-prompt") as box:
            box.border_title = Content(self._title)
            box.border_subtitle = "Enter accepts   Esc cancels"
            yield Input(self._text, select_on_focus=self._selected, id="text-prompt-input")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Return the text."""
        self.dismiss(event.value)
