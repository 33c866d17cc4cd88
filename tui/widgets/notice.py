"""The line above the key hints: short messages, and warnings until they are dismissed."""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content
from textual.events import Resize
from textual.timer import Timer
from textual.widget import Widget

from labeltool.tui.text import one_line

_SECONDS = 5.0
_MAX_LINES = 3


class Notice(Widget):
    """Shows the newest message for a few seconds, then the warning again, which stays until it is dismissed."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._message = ""
        self.warning = ""  # empty if there is none
        self._timer: Timer | None = None
        self._lines = 1
        self._wraps = False

    @property
    def text(self) -> str:
        return self._message or self.warning

    def show(self, message: str, *, seconds: float = _SECONDS, wraps: bool = False) -> None:
        """Show a message for a few seconds; one that `wraps` may take several lines."""
        self._message, self._wraps = one_line(message), wraps
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(seconds, self._fade)
        self._changed()

    def warn(self, warning: str) -> None:
        """Show a warning until `clear` or the next one."""
        self._message, self.warning = "", one_line(warning)
        self._changed()

    def clear(self) -> None:
        self._message = self.warning = ""
        self._changed()

    def on_resize(self, event: Resize) -> None:
        self._changed()

    def render(self) -> Content:
        """Return the text; a message is one line for the most part, a warning may wrap: it ends in a file name."""
        return Content.styled(self.text, "$quiet" if self._message else "$warning")

    def _fade(self) -> None:
        self._message = ""
        self._changed()

    def _changed(self) -> None:
        lines = 1
        if (self._wraps or not self._message) and self.text and self.size.width:
            # One line more than the letters need, since words are not split.
            lines = min(_MAX_LINES, 1 + cell_len(self.text) * 11 // (self.size.width * 10))
        if lines != self._lines:
            # Only then, since a new layout of the screen takes longer than everything else when a clip is shown.
            self._lines = lines
            self.styles.height = lines
        self.refresh()
