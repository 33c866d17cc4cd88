"""The line above the hints: what just happened, and what went wrong until it is dealt with."""

from __future__ import annotations

from textual.content import Content
from textual.timer import Timer
from textual.widget import Widget

from labeltool.tui.text import shown

_SECONDS = 5.0


class Notice(Widget):
    """Shows the newest message for a few seconds; a warning comes back after it and stays until Escape."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._message = ""
        self._warning = ""
        self._timer: Timer | None = None

    @property
    def text(self) -> str:
        """What stands there now."""
        return self._message or self._warning

    def tell(self, message: str) -> None:
        """Show a message for a few seconds."""
        self._message = shown(message)
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(_SECONDS, self._fade)
        self.refresh(layout=True)

    def warn(self, warning: str) -> None:
        """Show a warning until `clear` or the next one."""
        self._message, self._warning = "", shown(warning)
        self.refresh(layout=True)

    def clear(self) -> None:
        """Take the message and the warning away."""
        self._message = self._warning = ""
        self.refresh(layout=True)

    def render(self) -> Content:
        """Return the line; it may wrap, since a warning ends in the name of a file."""
        return Content.styled(self.text, "$quiet" if self._message else "$warning")

    def _fade(self) -> None:
        self._message = ""
        self.refresh(layout=True)
