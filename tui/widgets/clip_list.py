"""A list of clips of any length: only the lines on the screen are read and drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.content import Content
from textual.events import Click, MouseScrollDown, MouseScrollUp, Resize
from textual.message import Message
from textual.widget import Widget

from labeltool.tui.text import fit

Part = tuple[str, str]
"""A text and its style."""

_WHEEL_LINES = 3


class ClipList(Widget):
    """Shows the visible lines of a list of clips, one of them selected.

    Parameters
    ----------
    draw
        Returns the parts of a clip's line of some cells, or None while the clip is being read.
    """

    class Moved(Message):
        """Another clip was selected, or other lines are visible."""

    def __init__(self, draw: Callable[[int, int], Sequence[Part] | None], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._draw = draw
        self._ids: Sequence[int] = ()
        self._at = 0
        self._first = 0

    @property
    def ids(self) -> Sequence[int]:
        """The ids of the clips of the list."""
        return self._ids

    @property
    def place(self) -> int:
        """The place of the selected clip in the list, from 0."""
        return self._at

    @property
    def clip_id(self) -> int | None:
        """The id of the selected clip; None in an empty list."""
        return self._ids[self._at] if self._at < len(self._ids) else None

    @property
    def visible_ids(self) -> Sequence[int]:
        """The ids of the clips whose lines are on the screen."""
        return self._ids[self._first : self._first + max(1, self.size.height)]

    def following(self, count: int) -> Sequence[int]:
        """Return the ids of up to `count` clips after the selected one."""
        return self._ids[self._at + 1 : self._at + 1 + count]

    def show(self, ids: Sequence[int], *, at: int = 0) -> None:
        """Show another list, with the clip at a place of it selected."""
        self._ids = ids
        self._move_to(at)

    def move(self, lines: int) -> None:
        """Move the selection by some lines."""
        self._move_to(self._at + lines)

    def move_pages(self, pages: int) -> None:
        """Move the selection by screen pages."""
        self._move_to(self._at + pages * max(1, self.size.height - 1))

    def move_to(self, clip_id: int) -> bool:
        """Select a clip; False if it is not in the list."""
        place = index_of(clip_id, self._ids)
        if place is None:
            return False
        self._move_to(place)
        return True

    def move_to_end(self, *, last: bool) -> None:
        """Select the first or the last clip."""
        self._move_to(len(self._ids) - 1 if last else 0)

    def _move_to(self, place: int) -> None:
        self._at = min(max(0, place), max(0, len(self._ids) - 1))
        self._keep_visible()
        self.refresh()
        self.post_message(self.Moved())

    def _keep_visible(self) -> None:
        height = max(1, self.size.height)
        first = min(max(self._first, self._at - height + 1), self._at)
        self._first = max(0, min(first, len(self._ids) - height))

    def on_resize(self, event: Resize) -> None:
        """Keep the selected line visible."""
        self._keep_visible()
        self.post_message(self.Moved())

    def on_click(self, event: Click) -> None:
        """Select the clip under the mouse."""
        self._move_to(self._first + event.y)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Move down."""
        self.move(_WHEEL_LINES)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Move up."""
        self.move(-_WHEEL_LINES)

    def render(self) -> Content:
        """Return the visible lines."""
        width = self.size.width
        lines = []
        for place, clip_id in enumerate(self.visible_ids, start=self._first):
            selected = place == self._at
            parts = self._draw(clip_id, width - 2) or [(fit("…", width - 2), "$quiet")]
            line = Content.assemble(("▸ " if selected else "  ", "bold $accent"), *parts)
            lines.append(line.stylize_before("on $panel") if selected else line)
        return Content("\n").join(lines)


def index_of(clip_id: int | None, ids: Sequence[int]) -> int | None:
    """Return the place of a clip in a list; None if it is not in it, or there is no clip."""
    if clip_id is None:
        return None
    try:
        return ids.index(clip_id)
    except ValueError:
        return None
