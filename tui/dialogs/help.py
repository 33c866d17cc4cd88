"""The help page: all keys."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import accumulate
from typing import ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.events import Resize
from textual.geometry import Size
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Static

from labeltool.tui.shared_keys import Key, View

_Group = tuple[str, Sequence[Key]]

_KEY_WIDTH = 10
_MIN_DESCRIPTION = 12
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
        shared = {key.name for key in self._view.keys}
        elsewhere = [
            (view.title, [key for key in view.keys if key.shown and key.name not in shared]) for view in self._others
        ]
        with VerticalScroll(id="help") as page:
            page.border_title = f"Keys: {self._view.title}"
            page.border_subtitle = "Esc closes"
            with Horizontal(id="help-columns"):
                yield from map(KeyColumn, _halves([*self._view.groups().items(), *elsewhere]))
            yield Static(Content(_NOTES), id="help-notes")

    def on_resize(self, event: Resize) -> None:
        self.set_class(event.size.width < _TWO_COLUMNS, "-narrow")


def _halves(groups: Sequence[_Group]) -> tuple[Sequence[_Group], Sequence[_Group]]:
    """Return the groups of the left column and those of the right one, of about as many keys."""
    lengths = list(accumulate(len(keys) + 2 for _, keys in groups))
    at = 1 + sum(length < lengths[-1] / 2 for length in lengths[:-1])
    return groups[:at], groups[at:]


class KeyColumn(Widget):
    """Keys and what they do, in groups; a description that does not fit goes on below itself."""

    def __init__(self, groups: Sequence[_Group]) -> None:
        super().__init__(classes="help-column")
        self._groups = groups

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._lines(width))

    def render(self) -> Content:
        return Content("\n").join(self._lines(self.size.width))

    def _lines(self, width: int) -> list[Content]:
        lines: list[Content] = []
        for name, keys in self._groups:
            lines += (
                [Content(""), Content.styled(name, "bold $primary")]
                if lines
                else [Content.styled(name, "bold $primary")]
            )
            for key in keys:
                shown = f"  {key.shown:<{_KEY_WIDTH}} "
                free = max(_MIN_DESCRIPTION, width - cell_len(shown))
                first, *rest = textwrap.wrap(key.description, free) or [""]
                lines.append(Content.assemble((shown, "bold $accent"), (first, "$foreground")))
                lines += [Content.styled(" " * cell_len(shown) + line, "$foreground") for line in rest]
        return lines
