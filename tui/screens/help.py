"""All keys on one page."""

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

from labeltool.tui.keys import Key, Way

_KEY_WIDTH = 11
_TWO_COLUMNS = 112
_NOTES = (
    "A key pressed before the clip has ended counts. A key held down answers one clip. Undo works after a restart too. "
    "When a training ends, the queue is put in order anew; the clip on the screen keeps the labels it was shown with."
)


class Help(ModalScreen[None]):
    """The page that `?` opens; Escape, `?` or `q` closes it.

    Parameters
    ----------
    way
        The way to work it is opened from: its keys come first.
    ways
        Every way to work: the others' own keys come after them.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,f1,q,enter", "dismiss(None)", "close", show=False)
    ]

    def __init__(self, way: Way, ways: Sequence[Way]) -> None:
        super().__init__()
        self._way = way
        self._others = [other for other in ways if other.name != way.name]

    def compose(self) -> ComposeResult:
        """Lay the page out."""
        (first, keys), *others = self._way.groups().items()
        shared = {key.name for key in self._way.keys}
        elsewhere = [
            (way.title, [key for key in way.keys if key.shown and key.name not in shared]) for way in self._others
        ]
        with VerticalScroll(id="help") as page:
            page.border_title = f"Keys: {self._way.title.lower()}"
            page.border_subtitle = "Esc closes"
            with Horizontal(id="help-columns"):
                yield Static(_column([(first, keys)]), classes="help-column")
                yield Static(_column([*others, *elsewhere]), classes="help-column")
            yield Static(Content(_NOTES), id="help-notes")

    def on_resize(self, event: Resize) -> None:
        """Put the columns one under the other where the screen is narrow."""
        self.set_class(event.size.width < _TWO_COLUMNS, "-narrow")


def _column(groups: Sequence[tuple[str, Sequence[Key]]]) -> Content:
    lines: list[Content] = []
    for name, keys in groups:
        lines.append(Content.styled(name, "bold $primary"))
        lines += [
            Content.assemble((f"  {key.shown:<{_KEY_WIDTH}}", "bold $accent"), (key.tells, "$foreground"))
            for key in keys
        ]
        lines.append(Content(""))
    return Content("\n").join(lines[:-1])
