"""A list of clips, as long as one likes: only the lines on the screen are read and drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.content import Content
from textual.events import Click, MouseScrollDown, MouseScrollUp, Resize
from textual.message import Message
from textual.widget import Widget

from labeltool.tui.text import fit

Part = tuple[str, str]
"""Text and its style."""

_WHEEL_LINES = 3


class ClipList(Widget):
    """Shows a stretch of a list of clips' ids, one of them highlighted.

    Parameters
    ----------
    draw
        Returns the parts of a clip's line in a number of cells, or None while the clip is not read yet.
    """

    class Moved(Message):
        """Another clip is highlighted, or other lines are to be drawn."""

    def __init__(self, draw: Callable[[int, int], Sequence[Part] | None], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._draw = draw
        self._ids: Sequence[int] = ()
        self._at = 0
        self._first = 0

    @property
    def ids(self) -> Sequence[int]:
        """The clips of the list."""
        return self._ids

    @property
    def place(self) -> int:
        """Where in the list the highlight is, from 0."""
        return self._at

    @property
    def clip_id(self) -> int | None:
        """The highlighted clip; None in an empty list."""
        return self._ids[self._at] if self._at < len(self._ids) else None

    @property
    def in_sight(self) -> Sequence[int]:
        """The clips whose lines are on the screen."""
        return self._ids[self._first : self._first + max(1, self.size.height)]

    def following(self, count: int) -> Sequence[int]:
        """Return the clips after the highlighted one."""
        return self._ids[self._at + 1 : self._at + 1 + count]

    def show(self, ids: Sequence[int], *, at: int = 0) -> None:
        """Take another list in the old one's place, with the highlight at a place of it."""
        self._ids = ids
        self._move_to(at)

    def move(self, lines: int) -> None:
        """Move the highlight by some lines."""
        self._move_to(self._at + lines)

    def move_pages(self, pages: int) -> None:
        """Move the highlight by what the screen shows."""
        self._move_to(self._at + pages * max(1, self.size.height - 1))

    def move_to(self, clip_id: int) -> bool:
        """Highlight a clip; False when it is not in the list."""
        place = place_of(clip_id, self._ids)
        if place is None:
            return False
        self._move_to(place)
        return True

    def move_to_end(self, *, last: bool) -> None:
        """Highlight the first or the last clip."""
        self._move_to(len(self._ids) - 1 if last else 0)

    def _move_to(self, place: int) -> None:
        self._at = min(max(0, place), max(0, len(self._ids) - 1))
        self._keep_in_sight()
        self.refresh()
        self.post_message(self.Moved())

    def _keep_in_sight(self) -> None:
        height = max(1, self.size.height)
        first = min(max(self._first, self._at - height + 1), self._at)
        self._first = max(0, min(first, len(self._ids) - height))

    def on_resize(self, event: Resize) -> None:
        """Keep the highlight in sight."""
        self._keep_in_sight()
        self.post_message(self.Moved())

    def on_click(self, event: Click) -> None:
        """Highlight the clip under the mouse."""
        self._move_to(self._first + event.y)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Move on."""
        self.move(_WHEEL_LINES)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Move back."""
        self.move(-_WHEEL_LINES)

    def render(self) -> Content:
        """Return the lines in sight."""
        width = self.size.width
        lines = []
        for place, clip_id in enumerate(self.in_sight, start=self._first):
            here = place == self._at
            parts = self._draw(clip_id, width - 2) or [(fit("…", width - 2), "$quiet")]
            line = Content.assemble(("▸ " if here else "  ", "bold $accent"), *parts)
            lines.append(line.stylize_before("on $panel") if here else line)
        return Content("\n").join(lines)


def place_of(clip_id: int | None, ids: Sequence[int]) -> int | None:
    """Return where in a list a clip stands; None when it does not, or there is no clip."""
    if clip_id is None:
        return None
    try:
        return ids.index(clip_id)
    except ValueError:
        return None
