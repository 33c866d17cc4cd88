"""The spectrogram: half blocks on the Line API, or a picture of pixels, painted once, with a playhead of one column."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import count, pairwise
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from rich.color import Color
from rich.control import Control
from rich.segment import ControlType, Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip

from labeltool.audio.mel_picture import resize
from labeltool.tui.media.clip_picture import Picture
from labeltool.tui.media.graphics import Graphics, cell_pixels
from labeltool.tui.media.pixels import PALETTE_SIZES, picture_pieces, picture_size, removal_sequence
from labeltool.tui.state import State
from labeltool.tui.text import fit
from labeltool.tui.theme import LEVELS, SHADES, brightness_colors, cell_styles, palette, playhead_styles
from labeltool.tui.widgets.time_axis import FRAME, GUTTER, time_axis
from labeltool.tui.widgets.time_track import Box, Levels, Painting, TimeTrack, frame_edges, over
from labeltool.type_aliases import Float32

_HYSTERESIS = 0.75
_NUMBERS = count(7001)  # of pictures: other programs may have some in the terminal
_OUTLINE_PIXELS = 2

_NAMED_HZ = (100, 200, 500, 1000, 2000, 4000, 8000, 16000)
# Named too where fewer than three of these are on the screen.
_MORE_HZ = (50, 150, 300, 400, 700, 1500, 2500, 3000, 3500, 5000, 6000, 7000, 10_000, 12_000, 14_000)
_MIN_NAMES = 3


class Spectrogram(TimeTrack):
    """Shows time to the right, frequency (mel scale) upwards, and level as brightness.

    Pixels are one picture for the terminal, written after the cells it lies on. Kitty's lies below the text, so that
    the playhead crosses it; others are erased by text, so that the playhead is drawn below them, on the time axis.

    Attributes
    ----------
    has_pixels
        Whether it is drawn in pixels where the terminal has them.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *("spectrogram--axis", "spectrogram--frame", "spectrogram--playhead", "spectrogram--text")
    }
    has_pixels: ClassVar[bool] = True

    def __init__(self, state: State, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._state = state
        self._text: tuple[str, ...] = ()
        self._removal = ""
        self._number = next(_NUMBERS)

    def show(self, sound: Picture, box: Box | None = None) -> None:
        """Show a sound, with a part of it outlined."""
        self._sound, self._text, self._box = sound, (), box
        self.repaint()

    def show_text(self, *lines: str) -> None:
        self._sound, self._text = None, lines
        self.repaint()

    @property
    def graphics(self) -> Graphics:
        """How it is drawn now: below a dialog as half blocks, which are text as the dialog is."""
        if not self.is_attached or not self.has_pixels or self._sound is None:
            return Graphics.NONE  # a last time while the app ends, it may be painted without a screen
        if self.app.no_color or self.app.screen is not self.screen:
            return Graphics.NONE
        return self._state.look.graphics

    def depends_on(self) -> tuple[object, ...]:
        return (*super().depends_on(), self._state.look, self.graphics)

    def paint(self, sound: Picture | None, box: Box | None, columns: int, rows: int) -> Painting:
        """Return the spectrogram with its axes, or the text in its place."""
        if sound is None or rows <= 1 or columns <= 0:
            return Painting(self._text_lines(columns + GUTTER + FRAME, rows))
        if self.graphics is not Graphics.NONE:
            return self._in_pixels(sound, box, columns, rows - 1)
        look = self._state.look
        cells = resize(sound.mel_db, 2 * (rows - 1), columns)[::-1]
        levels = _levels(look.brightness(cells, sound) * (LEVELS - 1))
        styles = None if self.app.no_color else cell_styles(look.colour_map, self.app.current_theme.dark)
        lines = [_cell_row(levels[2 * y], levels[2 * y + 1], styles) for y in range(rows - 1)]
        strips = self._with_axes(lines, sound, columns)
        return Painting([*self._outlined(strips[:-1], levels, sound, box), strips[-1]], levels)

    def take(self, painting: Painting) -> None:
        """Show a painting from now on; a picture of pixels that was there is removed with the next lines."""
        if painting.pieces:
            self._removal = ""
        elif self._painting.pieces:
            self._removal = removal_sequence(self._painting.graphics, self._number)
        super().take(painting)

    def remove_picture(self) -> None:
        """Remove the picture of pixels from the terminal at once; it is drawn again with the next lines."""
        before = self._painting
        sequence = removal_sequence(before.graphics, self._number) if before.pieces else ""
        self._painting, self._painted_for = replace(before, pieces=()), ()
        if sequence and self.app._driver is not None:
            self.app._driver.write(sequence)

    def playhead_cell(self, row: int, column: int) -> tuple[str, Style] | None:
        """Return the playhead over a cell: a line through the spectrogram, or a mark on the axis."""
        if row not in self.playhead_rows():
            return None
        if self.app.no_color:
            return "│", Style.null()
        if self._painting.pieces:
            style = self.get_component_rich_style("spectrogram--playhead", partial=True)
            on_axis = self.graphics is not Graphics.KITTY
            return ("▲", self.rich_style + style) if on_axis else ("│", style)
        return "│", self._over(self._painting.levels, row, column)

    def playhead_rows(self) -> range:
        if not self._painting.pieces:
            return range(len(self._painting.levels) // 2)
        axis = self.size.height - 1
        return range(axis) if self.graphics is Graphics.KITTY else range(axis, axis + 1)

    def reading(self, share: float, height: float) -> tuple[float, float] | None:
        """Return frequency and level at a place, in Hz and dB; None on the axis."""
        sound = self._sound
        rows = self.size.height - 1
        row = int((1 - height) * (rows + 1))
        if sound is None or row >= rows:
            return None
        bands, frames = sound.mel_db.shape
        band = int((1 - (row + 0.5) / rows) * bands)
        return float(sound.band_hz[band]), float(sound.mel_db[band, min(int(share * frames), frames - 1)])

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the rows of a region; a picture follows its last row, so that it lies on what was written before."""
        strips = super().render_lines(crop)
        if crop.bottom == self.size.height and crop.right == self.size.width and (written := self._beside_text()):
            control = Segment(written, None, [(ControlType.CURSOR_FORWARD, 0)])
            strips[-1] = Strip([*strips[-1], control], strips[-1].cell_length)
        return strips

    def _beside_text(self) -> str:
        """Return what draws the picture, or removes the one that was drawn before."""
        if not self._painting.pieces:
            return self._removal
        left, top = self.region.x + GUTTER, self.region.y
        pieces = (f"{Control.move_to(left + x, top + y).segment.text}{text}" for x, y, text in self._painting.pieces)
        return f"\x1b7{''.join(pieces)}\x1b8"

    def _over(self, levels: Levels, row: int, column: int) -> Style:
        """Return the style of a line over a half block."""
        styles = playhead_styles(self._state.look.colour_map, self.app.current_theme.dark)
        return styles[int(levels[2 * row, column])]

    def _with_axes(self, lines: Sequence[Sequence[Segment]], sound: Picture, columns: int) -> list[Strip]:
        """Return the rows of a spectrogram with the frequencies, the frame, and the line under them."""
        axis = self.rich_style + self.get_component_rich_style("spectrogram--axis")
        frame = self.rich_style + self.get_component_rich_style("spectrogram--frame")
        names = self.names(sound, len(lines))
        left, right = frame_edges(sound)
        ends = Segment(left, frame), Segment(right, frame)
        rows = [
            [Segment(f"{names.get(y, ''):>{GUTTER - 1}}", axis), ends[0], *line, ends[1]]
            for y, line in enumerate(lines)
        ]
        return [*(Strip(row, GUTTER + columns + FRAME) for row in rows), self.axis(sound, columns)]

    def _in_pixels(self, sound: Picture, box: Box | None, columns: int, rows: int) -> Painting:
        """Return the picture of pixels, and the empty cells that it lies on."""
        graphics, look, dark = self.graphics, self._state.look, self.app.current_theme.dark
        height, width = picture_size(graphics, (columns, rows), cell_pixels())
        size = PALETTE_SIZES[graphics]
        shares = look.brightness(resize(sound.mel_db, height, width)[::-1], sound)
        levels = np.rint(shares.clip(0, 1) * (size - 1)).astype(np.uint8)
        _outline(levels, sound, box, size)
        accent = self.get_component_rich_style("spectrogram--playhead").color
        outline = np.array([accent.get_truecolor() if accent is not None else (255, 255, 255)], np.uint8)
        colours = np.concatenate([palette(look.colour_map, dark, size), outline])
        pieces = picture_pieces(graphics, levels, colours, (columns, rows), number=self._number)
        below = Color.parse(brightness_colors(look.colour_map, dark)[0])
        style = Style.null() if graphics is Graphics.KITTY else Style(bgcolor=below)
        lines = [[Segment(" " * columns, style)]] * rows
        return Painting(self._with_axes(lines, sound, columns), pieces=pieces, graphics=graphics)

    def names(self, sound: Picture, rows: int) -> dict[int, str]:
        """Return the frequencies to name by their rows, at least two rows apart."""
        names: dict[int, str] = {}
        for candidates in (_NAMED_HZ, _MORE_HZ):
            for hertz in reversed(candidates):
                row = _row_of(hertz, sound, rows)
                within = sound.band_hz[0] <= hertz <= sound.band_hz[-1]
                if within and all(abs(row - other) > 1 for other in names):
                    names[row] = f"{hertz / 1000:g}k" if hertz >= 1000 else str(hertz)
            if len(names) >= _MIN_NAMES:
                break
        return names

    def axis(self, sound: Picture, columns: int) -> Strip:
        axis = self.rich_style + self.get_component_rich_style("spectrogram--axis")
        moments = time_axis(sound.duration_s, columns, sound.start_s)
        return Strip([Segment(" " * GUTTER + moments + " " * FRAME, axis)], GUTTER + columns + FRAME)

    def _outlined(self, strips: list[Strip], levels: Levels, sound: Picture, box: Box | None) -> list[Strip]:
        """Draw the outline of a part over the spectrogram."""
        inside = box.columns(levels.shape[1]) if box is not None else range(0)
        if box is None or not inside:
            return strips
        rows = len(strips)
        top = 0 if box.high_hz is None else _row_of(box.high_hz, sound, rows)
        bottom = rows - 1 if box.low_hz is None else _row_of(box.low_hz, sound, rows)
        for y in range(top, bottom + 1):
            edge = {inside[0]: "▏" if box.start >= 0 else "", inside[-1]: "▕" if box.end <= 1 else ""}
            if (y == top and box.high_hz is not None) or (y == bottom and box.low_hz is not None):
                edge = {column: "▔" if y == top else "▁" for column in inside} | edge
            for column, letter in sorted(edge.items()):
                if letter:
                    style = Style.null() if self.app.no_color else self._over(levels, y, column)
                    strips[y] = over(strips[y], column, letter, style)
        return strips

    def _text_lines(self, width: int, height: int) -> list[Strip]:
        style = self.rich_style + self.get_component_rich_style("spectrogram--text")
        wrap = partial(textwrap.wrap, width=max(8, width - 2 * GUTTER), break_on_hyphens=False)
        lines = [piece for line in self._text for piece in wrap(line) or [""]]
        above = max(0, (height - len(lines)) // 2)
        blank = Strip.blank(width, self.rich_style)
        strips = [Strip([Segment(fit(" " * GUTTER + line, width), style)], width) for line in lines]
        return ([blank] * above + strips + [blank] * height)[:height]


def _outline(levels: npt.NDArray[np.uint8], sound: Picture, box: Box | None, colour: int) -> None:
    """Draw the outline of a part into a picture of pixels."""
    height, width = levels.shape
    inside = box.columns(width) if box is not None else range(0)
    if box is None or not inside:
        return
    top = 0 if box.high_hz is None else _row_of(box.high_hz, sound, height)
    bottom = height if box.low_hz is None else _row_of(box.low_hz, sound, height) + 1
    rows, columns = slice(top, bottom), slice(inside.start, inside.stop)
    if box.start >= 0:
        levels[rows, inside.start : inside.start + _OUTLINE_PIXELS] = colour
    if box.end <= 1:
        levels[rows, max(0, inside.stop - _OUTLINE_PIXELS) : inside.stop] = colour
    if box.high_hz is not None:
        levels[top : top + _OUTLINE_PIXELS, columns] = colour
        levels[max(0, bottom - _OUTLINE_PIXELS) : bottom, columns] = colour


def _levels(brightness: Float32) -> Levels:
    """Round to brightness levels with hysteresis: keep the level of the cell before while the difference is small.

    A cell is then off by up to three quarters of a level instead of half, and the colour changes a fifth less often;
    over SSH each change costs some forty bytes.
    """
    clipped = brightness.clip(0, LEVELS - 1)
    levels: Levels = np.rint(clipped).astype(np.intp)
    for column in range(1, levels.shape[1]):
        before = levels[:, column - 1]
        stays = np.abs(clipped[:, column] - before) < _HYSTERESIS
        levels[stays, column] = before[stays]
    return levels


def _cell_row(upper: Levels, lower: Levels, styles: tuple[tuple[Style, ...], ...] | None) -> list[Segment]:
    """Return one row of half blocks, with cells of equal colours in one segment; without colours, of shades."""
    if styles is None:
        shades = np.maximum(upper, lower) * (len(SHADES) - 1) // (LEVELS - 1)
        return [Segment("".join(SHADES[shade] for shade in shades), Style.null())]
    segments = []
    for first, last in _runs(upper * LEVELS + lower):
        above, below = int(upper[first]), int(lower[first])
        segments.append(Segment((" " if above == below else "▀") * (last - first), styles[above][below]))
    return segments


def _runs(keys: Levels) -> Iterator[tuple[int, int]]:
    changes = [0, *(np.flatnonzero(np.diff(keys)) + 1).tolist(), len(keys)]
    return pairwise(changes)


def _row_of(hertz: float, sound: Picture, rows: int) -> int:
    band = float(np.interp(hertz, sound.band_hz, np.arange(len(sound.band_hz))))
    return rows - 1 - min(rows - 1, int((band + 0.5) / len(sound.band_hz) * rows))
