"""What a widget shares that paints its own lines: once, until something that they depend on changes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Self

from rich.segment import Segment
from rich.style import Style as RichStyle
from textual.events import Resize
from textual.geometry import Region
from textual.strip import Strip
from textual.style import Style
from textual.widget import Widget

from labeltool.tui.widgets.lists.clip_list import Part

Line = tuple[Sequence[Part], str]
"""The parts of a line, and the action of the screen that a click on it runs; "" for none."""


class Painted(Widget):
    """Shows lines that it keeps; it has no border.

    They go to the compositor directly, past Textual's layout of text and its cache of styled lines: those take most of
    the time between a key and the next clip, and style every line again each time the playhead moves.
    """

    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._strips: Sequence[Strip] = ()
        self._painted_for: tuple[object, ...] = ()

    def paint_lines(self) -> Sequence[Strip]:
        """Return the lines, of full width; below them the widget is empty."""
        raise NotImplementedError

    def depends_on(self) -> tuple[object, ...]:
        """Return what the lines depend on beside what is shown; they are painted anew when that changes."""
        return (self.app.theme, self.visual_style, self.outer_size)

    def on_mount(self) -> None:
        """Repaint when the theme changes, since the lines have colours: after the styles have changed."""
        self.app.theme_changed_signal.subscribe(self, lambda _: self.call_after_refresh(self.change_theme))

    def change_theme(self) -> None:
        self.repaint()

    def on_resize(self, event: Resize) -> None:
        self.repaint()

    def repaint(self) -> None:
        self._painted_for = ()
        # Without this a real terminal stays blank, although a test's does not.
        self.refresh()

    def render_line(self, y: int) -> Strip:
        self._paint_if_changed()
        return self.row(y, 0, self.outer_size.width)

    def render_lines(self, crop: Region) -> list[Strip]:
        self._paint_if_changed()
        return [self.row(y, crop.x, crop.right) for y in crop.line_range]

    def row(self, y: int, begin: int, end: int) -> Strip:
        return self._strips[y].crop(begin, end) if y < len(self._strips) else Strip.blank(end - begin, self.rich_style)

    def _paint_if_changed(self) -> None:
        now = self.depends_on()
        if self._painted_for == now or not all(self.size):
            return
        width, height = self.outer_size
        strips = [*self.paint_lines(), *[Strip.blank(width, self.rich_style)] * height][:height]
        if self.app.no_color:
            for line_filter in self.get_line_filters():
                strips = [strip.apply_filter(line_filter, self.background_colors[1]) for strip in strips]
        self._strips, self._painted_for = strips, now


class TextLines(Painted):
    """Shows lines of text that are cut to its width."""

    def lines(self, width: int, height: int) -> Sequence[Line]:
        """Return the lines."""
        raise NotImplementedError

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        self._painted_for = ()
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def paint_lines(self) -> Sequence[Strip]:
        base, style, theme = self.visual_style, self.rich_style, self.app.theme
        left, right = Segment(" " * self.gutter.left, style), Segment(" " * self.gutter.right, style)
        width, height = self.size
        strips = []
        for parts, action in self.lines(width, height)[:height]:
            line = Strip([Segment(text, _style(name, action, base, theme)) for text, name in parts])
            strips.append(Strip([left, *line.adjust_cell_length(width, style), right]))
        return strips


@lru_cache(maxsize=1024)
def _style(style: str, action: str, base: Style, theme: str) -> RichStyle:
    """Return the style of a text in a theme, on which a click runs an action."""
    click = Style.from_meta({"@click": f"screen.{action}"} if action else {})
    return (base + Style.parse(style) + click).rich_style
