"""All keys on one page."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.events import Resize
from textual.screen import ModalScreen
from textual.widgets import Static

from labeltool.tui.keys import groups

_KEY_WIDTH = 11
_TWO_COLUMNS = 112
_NOTES = (
    "A key pressed before the clip has ended counts. A key held down answers one clip. Undo works after a restart too. "
    "When a training ends, the queue is put in order anew; the clip on the screen keeps the labels it was shown with."
)


class Help(ModalScreen[None]):
    """The page that `?` opens; Escape, `?` or `q` closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,f1,q,enter", "dismiss(None)", "close", show=False)
    ]

    def compose(self) -> ComposeResult:
        """Lay the page out."""
        first, *others = groups()
        with VerticalScroll(id="help") as page:
            page.border_title = "Keys"
            page.border_subtitle = "Esc closes"
            with Horizontal(id="help-columns"):
                yield Static(_column([first]), classes="help-column")
                yield Static(_column(others), classes="help-column")
            yield Static(Content(_NOTES), id="help-notes")

    def on_resize(self, event: Resize) -> None:
        """Put the columns one under the other where the screen is narrow."""
        self.set_class(event.size.width < _TWO_COLUMNS, "-narrow")


def _column(names: list[str]) -> Content:
    lines: list[Content] = []
    for name in names:
        lines.append(Content.styled(name, "bold $primary"))
        lines += [
            Content.assemble((f"  {key.shown:<{_KEY_WIDTH}}", "bold $accent"), (key.tells, "$foreground"))
            for key in groups()[name]
        ]
        lines.append(Content(""))
    return Content("\n").join(lines[:-1])
