"""Dialogs with one question: a yes or no, a line of text, a key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.events import Key as KeyPressed
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input, Static

from labeltool.tui.text import truncate
from labeltool.tui.widgets.lists.select_list import SelectList

_KEY_CELLS = 60

_T = TypeVar("_T")


def ask(app: App[Any], dialog: ModalScreen[_T | None], act: Callable[[_T], object]) -> None:
    """Show a dialog, and act on its answer; not where it was closed, or answered with no."""

    def answered(answer: _T | None) -> Any:
        return act(answer) if answer is not None and answer is not False else None

    app.push_screen(dialog, answered)


class Box(ModalScreen[_T]):
    """A dialog: widgets in a box, one below the other."""

    BOX = "text-prompt"
    SUBTITLE = ""

    def __init__(self, title: str, *widgets: Widget) -> None:
        super().__init__()
        self._title, self._widgets = title, widgets

    def compose(self) -> ComposeResult:
        box = Vertical(*self._widgets, id=self.BOX)
        box.border_title = Content(self._title)
        box.border_subtitle = self.SUBTITLE
        yield box

    def action_move(self, steps: int) -> None:
        """Move the selection of its list."""
        self.query_one(SelectList).move(steps)


class Confirm(Box[bool | None]):
    """Returns whether `a` was pressed; not Enter or `y`, which may still be meant for what came before: to label."""

    BOX, SUBTITLE = "confirm", "a accept   Esc cancel"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "dismiss(True)", "accept", show=False),
        Binding("escape,n,q", "dismiss(False)", "no", show=False),
    ]

    def __init__(self, title: str, lines: Sequence[str]) -> None:
        super().__init__(title, _text(lines))


class TextPrompt(Box[str | None]):
    """Returns the line of text on Enter, None on Escape; what is typed replaces a `selected` text."""

    SUBTITLE = "Enter accepts   Esc cancels"

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "close", show=False)]

    def __init__(self, title: str, text: str = "", *, selected: bool = True) -> None:
        super().__init__(title, Input(text, select_on_focus=selected, id="text-prompt-input"))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)


class KeyPrompt(Box[str | None]):
    """Waits for a key and returns its name in `[keys]`; None on Escape."""

    SUBTITLE = "Esc cancels"

    def __init__(self, *lines: str) -> None:
        super().__init__("The new key", _text([f" {truncate(line, _KEY_CELLS)}" for line in lines]))

    def on_key(self, event: KeyPressed) -> None:
        event.stop()
        if event.key == "escape":
            self.dismiss(None)
        else:
            self.dismiss(event.character if event.is_printable and event.character else event.key)


def _text(lines: Sequence[str]) -> Static:
    return Static(Content("\n".join(lines)))
