"""The line above the hints: what just happened, and what went wrong until it is dealt with."""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content
from textual.events import Resize
from textual.timer import Timer
from textual.widget import Widget

from labeltool.tui.text import shown

_SECONDS = 5.0
_MOST_LINES = 3


class Notice(Widget):
    """Shows the newest message for a few seconds; a warning comes back after it and stays until Escape."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._message = ""
        self._warning = ""
        self._timer: Timer | None = None
        self._lines = 1

    @property
    def text(self) -> str:
        """What stands there now."""
        return self._message or self._warning

    @property
    def warning(self) -> str:
        """The warning that stays until it is put away; empty when there is none."""
        return self._warning

    def tell(self, message: str) -> None:
        """Show a message for a few seconds."""
        self._message = shown(message)
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(_SECONDS, self._fade)
        self._changed()

    def warn(self, warning: str) -> None:
        """Show a warning until `clear` or the next one."""
        self._message, self._warning = "", shown(warning)
        self._changed()

    def clear(self) -> None:
        """Take the message and the warning away."""
        self._message = self._warning = ""
        self._changed()

    def on_resize(self, event: Resize) -> None:
        """Take as many lines as the new width needs."""
        self._changed()

    def render(self) -> Content:
        """Return the text; a message keeps to one line, a warning may wrap: it ends in the name of a file."""
        return Content.styled(self.text, "$quiet" if self._message else "$warning")

    def _fade(self) -> None:
        self._message = ""
        self._changed()

    def _changed(self) -> None:
        lines = 1
        if self.text == self._warning and self.size.width:
            # One more than the letters need: words are not parted.
            lines = min(_MOST_LINES, 1 + cell_len(self._warning) * 11 // (self.size.width * 10))
        if lines != self._lines:
            # Only then: laying the screen out anew takes longer than all the rest of showing a clip.
            self._lines = lines
            self.styles.height = lines
        self.refresh()
