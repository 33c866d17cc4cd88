"""The help page: all keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.events import Resize
from textual.screen import ModalScreen
from textual.widgets import Static

from labeltool.tui.shared_keys import Key, View

_KEY_WIDTH = 11
_TWO_COLUMNS = 112
_NOTES = (
    "Label keys work before the clip has ended. A key that is held down labels one clip. "
    "Undo works after a restart too. When a training ends, the queue is sorted again; "
    "the clip on the screen keeps its suggestions."
)


class Help(ModalScreen[None]):
    """Opened by `?`; Escape, `?` or `q` closes it.

    Parameters
    ----------
    view
        The view from which it is opened: its keys come first.
    views
        All views: the keys that only the others have come after them.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,f1,q,enter", "dismiss(None)", "close", show=False)
    ]

    def __init__(self, view: View, views: Sequence[View]) -> None:
        super().__init__()
        self._view = view
        self._others = [other for other in views if other.name != view.name]

    def compose(self) -> ComposeResult:
        """Lay out the page."""
        (first, keys), *others = self._view.groups().items()
        shared = {key.name for key in self._view.keys}
        elsewhere = [
            (view.title, [key for key in view.keys if key.shown and key.name not in shared]) for view in self._others
        ]
        with VerticalScroll(id="help") as page:
            page.border_title = f"Keys: {self._view.title}"
            page.border_subtitle = "Esc closes"
            with Horizontal(id="help-columns"):
                yield Static(_column([(first, keys)]), classes="help-column")
                yield Static(_column([*others, *elsewhere]), classes="help-column")
            yield Static(Content(_NOTES), id="help-notes")

    def on_resize(self, event: Resize) -> None:
        """Stack the columns on a narrow screen."""
        self.set_class(event.size.width < _TWO_COLUMNS, "-narrow")


def _column(groups: Sequence[tuple[str, Sequence[Key]]]) -> Content:
    lines: list[Content] = []
    for name, keys in groups:
        lines.append(Content.styled(name, "bold $primary"))
        lines += [
            Content.assemble((f"  {key.shown:<{_KEY_WIDTH}}", "bold $accent"), (key.description, "$foreground"))
            for key in keys
        ]
        lines.append(Content(""))
    return Content("\n").join(lines[:-1])
