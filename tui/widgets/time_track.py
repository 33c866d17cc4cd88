"""What spectrogram and waveform share: cached strips on one time axis, and the playhead, which is one column."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from rich.segment import Segment
from rich.style import Style
from textual.events import Resize
from textual.geometry import Region
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from labeltool.tui.media.clip_picture import Picture
from labeltool.tui.widgets.time_axis import GUTTER


@dataclass(frozen=True, slots=True)
class Box:
    """A part of a track: the selected region.

    Attributes
    ----------
    start, end
        Shares of the time axis; outside 0 to 1 they are not visible.
    low_hz, high_hz
        The frequency range; None for all frequencies.
    """

    start: float
    end: float
    low_hz: float | None = None
    high_hz: float | None = None

    def columns(self, total: int) -> range:
        """Return which of `total` columns the box covers; none if it is not visible."""
        if self.end <= 0:
            return range(0)
        first = int(max(0.0, self.start) * total)
        return range(first, min(total, max(ceil(min(1.0, self.end) * total), first + 1)))


class TimeTrack(Widget):
    """Shows a sound over time, painted once, with a playhead over it.

    It has no border and no padding: its lines go to the compositor directly, past Textual's cache of styled lines,
    which would style every line again each time the playhead moves.
    """

    playhead: reactive[float | None] = reactive(None, repaint=False)
    """The position of the playhead, 0 to 1; None hides it."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._sound: Picture | None = None
        self._box: Box | None = None
        self._strips: list[Strip] = []
        self._column: int | None = None

    def paint(self, columns: int, rows: int) -> list[Strip]:
        """Return the strips for a widget with `columns` beside the gutter and `rows`, all of full width."""
        raise NotImplementedError

    def playhead_style(self, row: int, column: int) -> Style | None:
        """Return the style of the playhead over a cell; None where it is not drawn."""
        raise NotImplementedError

    def on_mount(self) -> None:
        """Repaint when the theme changes, since the strips have colours."""
        self.app.theme_changed_signal.subscribe(self, lambda _: self.repaint())

    def on_resize(self, event: Resize) -> None:
        """Repaint for the new size."""
        self.repaint()

    def repaint(self) -> None:
        """Paint everything."""
        width, height = self.size
        self._column = None
        if not width or not height:
            return
        strips = self.paint(width - GUTTER, height)
        self._column = self._column_of(self.playhead)
        if self.app.no_color:
            for line_filter in self.get_line_filters():
                strips = [strip.apply_filter(line_filter, self.background_colors[1]) for strip in strips]
        self._strips = strips
        # Without this a real terminal stays blank, although a test's does not.
        self.refresh()

    def watch_playhead(self, playhead: float | None) -> None:
        """Refresh only the columns that the playhead left and entered."""
        column = self._column_of(playhead)
        if column == self._column:
            return
        before, self._column = self._column, column
        for changed in (before, column):
            if changed is not None:
                self.refresh(Region(GUTTER + changed, 0, 1, self.size.height))

    def _column_of(self, playhead: float | None) -> int | None:
        columns = self.size.width - GUTTER
        if playhead is None or self._sound is None or columns <= 0:
            return None
        return min(int(playhead * columns), columns - 1)

    def render_line(self, y: int) -> Strip:
        """Return one row of cells."""
        return self._row(y, 0, self.size.width)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the rows of a region."""
        return [self._row(y, crop.x, crop.right) for y in crop.line_range]

    def _row(self, y: int, begin: int, end: int) -> Strip:
        # Only the cells of the region are assembled: this runs at every step of the playhead.
        if y >= len(self._strips):
            return Strip.blank(end - begin, self.rich_style)
        strip = self._strips[y]
        column = GUTTER + self._column if self._column is not None else -1
        style = self.playhead_style(y, column - GUTTER) if begin <= column < end else None
        if style is None:
            return strip.crop(begin, end)
        return Strip.join([strip.crop(begin, column), Strip([Segment("│", style)], 1), strip.crop(column + 1, end)])


def over(strip: Strip, column: int, letter: str, style: Style | None) -> Strip:
    """Return a strip of a track with one letter in place of the cell of a column."""
    at = GUTTER + column
    return Strip.join([strip.crop(0, at), Strip([Segment(letter, style)], 1), strip.crop(at + 1)])
