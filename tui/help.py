"""All keys on one page."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from labeltool.tui.keys import groups

_KEY_WIDTH = 15


class Help(ModalScreen[None]):
    """The page that `?` opens; Escape, `?` or `q` closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,f1,q,enter", "dismiss(None)", "close", show=False)
    ]

    def compose(self) -> ComposeResult:
        """Lay the page out."""
        with VerticalScroll(id="help") as page:
            page.border_title = "Keys"
            yield Static(_page(), id="help-keys")


def _page() -> Content:
    lines: list[Content] = []
    for group, keys in groups().items():
        lines.append(Content.styled(group, "bold $primary"))
        lines += [
            Content.assemble((f"  {key.shown:<{_KEY_WIDTH}}", "bold $accent"), (key.tells, "$foreground"))
            for key in keys
        ]
        lines.append(Content(""))
    lines += [
        Content.styled(line, "$quiet")
        for line in (
            "A key pressed before the clip has ended counts. The same answer key",
            "twice within an eighth of a second counts once, so that a key held",
            "down answers one clip. After a training the queue is put in order",
            "anew; the clip on the screen keeps the labels it was shown with.",
        )
    ]
    return Content("\n").join(lines)
