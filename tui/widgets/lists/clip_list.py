"""A list of clips of any length: only the lines on the screen are read and drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from textual.content import Content
from textual.events import Click, MouseScrollDown, MouseScrollUp, Resize
from textual.message import Message
from textual.widget import Widget

from labeltool.tui.text import fit

Part = tuple[str, str]
"""A text and its style."""

Draw = Callable[[int, int], Sequence[Sequence[Part]] | None]
"""Returns the parts of a clip's lines, given its id and their cells, or None while the clip is being read."""

_WHEEL_CLIPS = 3


class ClipList(Widget):
    """Shows the visible lines of a list of clips, one of them selected, and a range of them marked."""

    class Moved(Message):
        """Another clip was selected, or other lines are visible."""

    def __init__(self, draw: Draw, *, lines: int = 1, id: str | None = None) -> None:
        super().__init__(id=id)
        self._draw = draw
        self._lines = lines
        # Where the marked range starts: it ends at the selected clip. "all": every clip is marked.
        self._mark: int | Literal["all"] | None = None
        self.ids: Sequence[int] = ()
        self.place = 0  # of the selected clip in the list
        self._first = 0

    @property
    def clip_id(self) -> int | None:
        """The id of the selected clip; None in an empty list."""
        return self.ids[self.place] if self.place < len(self.ids) else None

    @property
    def visible_ids(self) -> Sequence[int]:
        """The ids of the clips whose lines are on the screen."""
        return self.ids[self._first : self._first + self._fitting]

    @property
    def marked_ids(self) -> Sequence[int]:
        """The ids of the marked clips, in their order; none without a mark."""
        first, last = self._marked_places
        return self.ids[first : last + 1]

    def mark(self) -> None:
        """Start a range of marked clips at the selected one; with a mark, remove it."""
        self._mark = self.place if self._mark is None and self.ids else None
        self.refresh()

    def mark_all(self) -> None:
        self._mark = "all" if self.ids else None
        self.refresh()

    def remove_mark(self) -> bool:
        """Mark no clip any more; False where none was marked."""
        removed, self._mark = self._mark is not None, None
        self.refresh()
        return removed

    def following(self, count: int) -> Sequence[int]:
        """Return the ids of up to `count` clips after the selected one."""
        return self.ids[self.place + 1 : self.place + 1 + count]

    def show(self, ids: Sequence[int], *, at: int = 0) -> None:
        """Show another list, with the clip at a place of it selected, and none marked."""
        self.ids, self._mark = ids, None
        self._move_to(at)

    def move(self, lines: int) -> None:
        self._move_to(self.place + lines)

    def move_pages(self, pages: int) -> None:
        self._move_to(self.place + pages * max(1, self._fitting - 1))

    def move_to(self, clip_id: int) -> bool:
        """Select a clip; False if it is not in the list."""
        place = index_of(clip_id, self.ids)
        if place is None:
            return False
        self._move_to(place)
        return True

    def move_to_end(self, *, last: bool) -> None:
        self._move_to(len(self.ids) - 1 if last else 0)

    def _move_to(self, place: int) -> None:
        self.place = min(max(0, place), max(0, len(self.ids) - 1))
        self._keep_visible()
        self.refresh()
        self.post_message(self.Moved())

    def _keep_visible(self) -> None:
        first = min(max(self._first, self.place - self._fitting + 1), self.place)
        self._first = max(0, min(first, len(self.ids) - self._fitting))

    @property
    def _fitting(self) -> int:
        """The number of clips that fit on the screen."""
        return max(1, self.size.height // self._lines)

    @property
    def _marked_places(self) -> tuple[int, int]:
        """The first and the last marked place; the last before the first where none is marked."""
        if self._mark == "all":
            return 0, len(self.ids) - 1
        return (0, -1) if self._mark is None else (min(self._mark, self.place), max(self._mark, self.place))

    def on_resize(self, event: Resize) -> None:
        self._keep_visible()
        self.post_message(self.Moved())

    def on_click(self, event: Click) -> None:
        self._move_to(self._first + event.y // self._lines)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        self.move(_WHEEL_CLIPS)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        self.move(-_WHEEL_CLIPS)

    def render(self) -> Content:
        width = self.size.width - 2
        first, last = self._marked_places
        lines = []
        for place, clip_id in enumerate(self.visible_ids, start=self._first):
            selected, marked = place == self.place, first <= place <= last
            drawn = self._draw(clip_id, width) or [[(fit("…", width), "$quiet")]] * self._lines
            for number, parts in enumerate(drawn):
                start = "▸" if selected and not number else "┃" if marked else " "
                line = Content.assemble((f"{start} ", "bold $accent"), *parts)
                line = line.pad_right(max(0, width + 2 - line.cell_length))
                lines.append(line.stylize_before("on $panel") if selected or marked else line)
        return Content("\n").join(lines)


def thin_bar(share: float, cells: int, style: str) -> list[Part]:
    """Return a thin bar of some cells, a share of them full."""
    full = min(cells, round(cells * share))
    return [("━" * full, style), ("─" * (cells - full), "$faint")]


def index_of(clip_id: int | None, ids: Sequence[int]) -> int | None:
    """Return the place of a clip in a list; None if it is not in it, or there is no clip."""
    if clip_id is None:
        return None
    try:
        return ids.index(clip_id)
    except ValueError:
        return None
