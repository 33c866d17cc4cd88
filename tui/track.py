"""What the spectrogram and the waveform have in common: cached strips on one time axis, and one column that moves."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.events import Resize
from textual.geometry import Region
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from labeltool.tui.sound import Sound
from labeltool.tui.timeline import GUTTER


class Track(Widget):
    """A picture of a sound over time, painted once, with a playhead drawn over it.

    It has no border and no padding: its lines go to the compositor as they are, past Textual's cache of styled lines,
    since that would style every line anew each time the playhead moves.
    """

    playhead: reactive[float | None] = reactive(None, repaint=False)
    """Where the playhead stands, 0 to 1; None hides it."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._sound: Sound | None = None
        self._strips: list[Strip] = []
        self._column: int | None = None

    def paint(self, columns: int, rows: int) -> list[Strip]:
        """Return the strips for a widget with `columns` beside the gutter and `rows`, all of full width."""
        raise NotImplementedError

    def playhead_style(self, row: int, column: int) -> Style | None:
        """Return how the playhead looks over a cell; None where it does not pass."""
        raise NotImplementedError

    def on_mount(self) -> None:
        """Paint anew when the theme changes: the strips hold colours."""
        self.app.theme_changed_signal.subscribe(self, lambda _: self.repaint())

    def on_resize(self, event: Resize) -> None:
        """Paint for the new size."""
        self.repaint()

    def repaint(self) -> None:
        """Paint everything."""
        width, height = self.size
        self._column = None
        if not width or not height:
            return
        strips = self.paint(width - GUTTER, height)
        if self.app.no_color:
            for without in self.get_line_filters():
                strips = [strip.apply_filter(without, self.background_colors[1]) for strip in strips]
        self._strips = strips
        # Without this a real terminal stays blank, though a test's does not.
        self.refresh()

    def watch_playhead(self, playhead: float | None) -> None:
        """Refresh the column the playhead left and the one it came to, nothing else."""
        columns = self.size.width - GUTTER
        column = None
        if playhead is not None and self._sound is not None and columns > 0:
            column = min(int(playhead * columns), columns - 1)
        if column == self._column:
            return
        left, self._column = self._column, column
        for place in (left, column):
            if place is not None:
                self.refresh(Region(GUTTER + place, 0, 1, self.size.height))

    def render_line(self, y: int) -> Strip:
        """Return one row of cells."""
        if y >= len(self._strips):
            return Strip.blank(self.size.width, self.rich_style)
        strip = self._strips[y]
        if self._column is None:
            return strip
        style = self.playhead_style(y, self._column)
        if style is None:
            return strip
        at = GUTTER + self._column
        return Strip.join([strip.crop(0, at), Strip([Segment("│", style)], 1), strip.crop(at + 1)])

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the rows of a region."""
        whole = crop.x == 0 and crop.width == self.size.width
        lines = [self.render_line(y) for y in crop.line_range]
        return lines if whole else [line.crop(crop.x, crop.right) for line in lines]
