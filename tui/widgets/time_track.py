"""What spectrogram and waveform share: cached strips on one time axis, and the playhead, which is one column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from rich.segment import Segment
from rich.style import Style
from textual.events import MouseDown, MouseEvent, MouseMove, MouseScrollDown, MouseScrollUp, MouseUp
from textual.geometry import Region
from textual.reactive import reactive
from textual.strip import Strip

from labeltool.tui.media.clip_picture import Picture
from labeltool.tui.media.graphics import Graphics
from labeltool.tui.messages import ClickedAt, Dragged, PointedAt, Wheeled
from labeltool.tui.widgets.painted import Painted
from labeltool.tui.widgets.time_axis import GUTTER, columns_of

Levels = npt.NDArray[np.intp]

_NEAR_S = 1e-6
_NO_LEVELS: Levels = np.zeros((0, 0), np.intp)


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


@dataclass(frozen=True, slots=True)
class Painting:
    """A sound as a track shows it, without the playhead.

    Attributes
    ----------
    strips
        Its lines, of full width.
    levels : (2 * rows, columns) intp
        The brightness levels of half blocks; empty where there are none.
    pieces
        What draws the picture of pixels, see `picture_pieces`; empty where there is none.
    graphics
        How the picture gets to the terminal.
    """

    strips: Sequence[Strip] = ()
    levels: Levels = field(default_factory=lambda: _NO_LEVELS)
    pieces: Sequence[tuple[int, int, str]] = ()
    graphics: Graphics = Graphics.NONE


class TimeTrack(Painted):
    """Shows a sound over time, with a playhead, without padding; `shows_whole`: all of it, no part can be selected."""

    shows_whole: ClassVar[bool] = False

    playhead: reactive[float | None] = reactive(None, repaint=False)
    """The position of the playhead, 0 to 1; None hides it."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._sound: Picture | None = None
        self._box: Box | None = None
        self._painting = Painting()
        # The sound that comes next, what its painting depends on, and that painting.
        self._ahead: tuple[Picture, tuple[object, ...], Painting] | None = None
        self._column: int | None = None
        self._pressed: int | None = None
        self._dragged = False

    # -- for subclasses

    def paint(self, sound: Picture | None, box: Box | None, columns: int, rows: int) -> Painting:
        """Return a sound for a widget with `columns` between gutter and frame and `rows`."""
        raise NotImplementedError

    def playhead_cell(self, row: int, column: int) -> tuple[str, Style] | None:
        """Return the letter and the style of the playhead over a cell; None where it is not drawn."""
        raise NotImplementedError

    def playhead_rows(self) -> range:
        """Return the rows that the playhead crosses."""
        return range(self.size.height)

    def reading(self, share: float, height: float) -> tuple[float, float] | None:
        """Return frequency and level at a place, in Hz and dB; None where there are none."""
        return None

    # -- painting

    def change_theme(self) -> None:
        self._ahead = None
        super().change_theme()

    def expect(self, sound: Picture) -> None:
        """Paint a sound that is shown next ahead: to show it then takes a tenth of the time."""
        now, ahead = self.depends_on(), self._ahead
        if all(self.size) and (ahead is None or ahead[0] is not sound or ahead[1] != now):
            painting = self._painted(sound, None)
            for strip in painting.strips:
                strip.render(self.app.console)  # which keeps what it writes
            self._ahead = (sound, now, painting)

    def paint_lines(self) -> Sequence[Strip]:
        """Return the sound, as it was painted ahead if it was."""
        ahead = self._ahead
        if self._box is None and ahead is not None and ahead[0] is self._sound and ahead[1] == self.depends_on():
            painting = ahead[2]
        else:
            painting = self._painted(self._sound, self._box)
        self.take(painting)
        self._column = self._column_of(self.playhead)
        return painting.strips

    def _painted(self, sound: Picture | None, box: Box | None) -> Painting:
        return self.paint(sound, box, columns_of(self.size.width), self.size.height)

    def take(self, painting: Painting) -> None:
        self._painting = painting

    def watch_playhead(self, playhead: float | None) -> None:
        """Draw only the columns that the playhead left and entered."""
        before, column = self._column, self._column_of(playhead)
        if column == before:
            return
        self._column = column
        for changed in (before, column):
            if changed is not None:
                self._draw_column(GUTTER + changed)

    def _draw_column(self, x: int) -> None:
        rows, region, driver = self.playhead_rows(), self.region, self.app._driver
        if (
            driver is None
            or self.app.is_headless
            or self.app.screen is not self.screen  # a dialog may be over it
            or self._painted_for != self.depends_on()
            or not self.screen.region.contains_region(region)
        ):
            self.refresh(Region(x, rows.start, 1, len(rows)))
            return
        # Textual would paint each line from its start, all widgets beside it included, twenty times a second.
        console = self.app.console
        cells = (f"\x1b[{region.y + y + 1};{region.x + x + 1}H{self.row(y, x, x + 1).render(console)}" for y in rows)
        driver.write(f"\x1b7{''.join(cells)}\x1b8")

    def _column_of(self, playhead: float | None) -> int | None:
        columns = columns_of(self.size.width)
        if playhead is None or self._sound is None or columns <= 0:
            return None
        return min(int(playhead * columns), columns - 1)

    def row(self, y: int, begin: int, end: int) -> Strip:
        """Return the cells of a row from one column to another, with the playhead."""
        # Only these cells are assembled: this runs at every step of the playhead.
        column = GUTTER + self._column if self._column is not None else -1
        cell = self.playhead_cell(y, column - GUTTER) if begin <= column < end and y < len(self._strips) else None
        if cell is None:
            return super().row(y, begin, end)
        strip = self._strips[y]
        return Strip.join([strip.crop(begin, column), Strip([Segment(*cell)], 1), strip.crop(column + 1, end)])

    # -- the mouse

    def on_mouse_move(self, event: MouseMove) -> None:
        """Tell what is under the mouse, and which part it goes over."""
        column = self._column_at(event)
        if column is None:
            return
        share = (column + 0.5) / columns_of(self.size.width)
        self.post_message(PointedAt(share, *(self.reading(share, self._height_at(event)) or ())))
        if self._pressed is not None and not self.shows_whole and (self._dragged or column != self._pressed):
            self._dragged = True
            self._post_drag(column, over=False)

    def on_mouse_down(self, event: MouseDown) -> None:
        self._pressed, self._dragged = self._column_at(event), False
        if self._pressed is not None:
            self.capture_mouse()

    def on_mouse_up(self, event: MouseUp) -> None:
        self.release_mouse()
        pressed, column = self._pressed, self._column_at(event)
        if pressed is not None and column is not None:
            if self._dragged:
                self._post_drag(column, over=True)
            else:
                self.post_message(ClickedAt(pressed / columns_of(self.size.width), self.shows_whole))
        self._pressed = None

    def on_leave(self) -> None:
        self.post_message(PointedAt(None))

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        self._post_wheel(event, 1)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        self._post_wheel(event, -1)

    def _post_wheel(self, event: MouseEvent, steps: int) -> None:
        column = self._column_at(event)
        if column is not None:
            event.stop()
            share = (column + 0.5) / columns_of(self.size.width)
            height = self._height_at(event)
            self.post_message(Wheeled(steps, share, height, ctrl=event.ctrl, shift=event.shift))

    def _post_drag(self, column: int, *, over: bool) -> None:
        assert self._pressed is not None
        columns = columns_of(self.size.width)
        first, last = sorted((self._pressed, column))
        self.post_message(Dragged(first / columns, (last + 1) / columns, over))

    def _column_at(self, event: MouseEvent) -> int | None:
        """Return the column under the mouse, the nearest one while a button is held; None without a sound."""
        columns = columns_of(self.size.width)
        if self._sound is None or columns <= 0:
            return None
        return min(max(0, int(event.x) - GUTTER), columns - 1)

    def _height_at(self, event: MouseEvent) -> float:
        return 1 - (min(max(0, int(event.y)), self.size.height - 1) + 0.5) / self.size.height


def frame_edges(sound: Picture) -> tuple[str, str]:
    """Return the letters at the left and right of a sound: an edge where it begins or ends, dashes where not."""
    return "╎" if sound.start_s > 0 else "▕", "╎" if sound.end_s < sound.whole_s - _NEAR_S else "▏"


def over(strip: Strip, column: int, letter: str, style: Style | None) -> Strip:
    """Return a strip of a track with one letter in place of the cell of a column."""
    at = GUTTER + column
    return Strip.join([strip.crop(0, at), Strip([Segment(letter, style)], 1), strip.crop(at + 1)])
