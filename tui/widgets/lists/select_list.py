"""A list of lines, one of them selected: the others scroll by it, a click selects another."""

from __future__ import annotations

from textual.content import Content
from textual.events import Click
from textual.message import Message
from textual.widget import Widget


class SelectList(Widget):
    """Shows as many lines as fit, the selected one among them; a subclass has the lines."""

    class Clicked(Message):
        """A line was clicked, and is selected now."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._place = 0

    # -- for subclasses

    @property
    def count(self) -> int:
        """The number of lines."""
        raise NotImplementedError

    def line(self, place: int, width: int) -> Content:
        """Return a line of some cells."""
        raise NotImplementedError

    def empty(self) -> Content:
        """Return what is shown without lines."""
        return Content()

    # -- the list

    @property
    def place(self) -> int:
        """The place of the selected line, from 0; lines may have gone since."""
        return max(0, min(self._place, self.count - 1))

    def move_to(self, place: int) -> None:
        self._place = max(0, min(place, self.count - 1))
        self.refresh()

    def move(self, steps: int) -> None:
        """Select another line, some lines further."""
        self.move_to(self.place + steps)

    def render(self) -> Content:
        lines = [self.line(place, self.size.width) for place in self._visible]
        return Content("\n").join(lines) if lines else self.empty()

    def on_click(self, event: Click) -> None:
        if event.y < len(self._visible):
            self.move_to(self._visible[event.y])
            self.post_message(self.Clicked())

    @property
    def _visible(self) -> range:
        height = max(1, self.size.height)
        first = max(0, min(self.place - height // 2, self.count - height))
        return range(first, min(first + height, self.count))
