"""The picture of a clip: half blocks on the Line API, painted from cached strips, with a playhead of one column."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from rich.segment import Segment
from rich.style import Style
from textual.events import Resize
from textual.geometry import Region
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from labeltool.tui.colours import INK, LEVELS, cell_styles, playhead_styles
from labeltool.tui.sound import Sound, pooled
from labeltool.tui.text import fit
from labeltool.tui.timeline import GUTTER, time_axis

Levels = npt.NDArray[np.intp]

CONTRASTS = (1.0, 0.75, 0.55, 1.4)
"""Shares of the picture's own range of decibels that are spread over the colours."""

BRIGHTNESS_STEP_DB = 4.0
_MOST_BRIGHTNESS_DB = 40.0

_HERTZ = (100, 200, 500, 1000, 2000, 4000, 8000, 16000)


class Spectrogram(Widget):
    """Time to the right, frequency (mel scale) upwards, loudness as light."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"spectrogram--axis", "spectrogram--words"}

    playhead: reactive[float | None] = reactive(None, repaint=False)
    """Where the playhead stands, 0 to 1; None hides it."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._sound: Sound | None = None
        self._words: tuple[str, ...] = ()
        self._strips: list[Strip] = []
        self._levels: Levels = np.zeros((0, 0), np.intp)
        self._column: int | None = None
        self._contrast = 0
        self._brightness_db = 0.0

    def show(self, sound: Sound) -> None:
        """Paint a sound."""
        self._sound, self._words = sound, ()
        self._repaint()

    def say(self, *lines: str) -> None:
        """Show a few lines of plain text in place of a picture."""
        self._sound, self._words = None, lines
        self._repaint()

    def next_contrast(self) -> str:
        """Go to the next contrast and return its name."""
        self._contrast = (self._contrast + 1) % len(CONTRASTS)
        self._repaint()
        return ("normal", "strong", "very strong", "soft")[self._contrast]

    def brighten(self, steps: int) -> float:
        """Let fainter (below zero: only louder) sound light up; return the shift in decibels."""
        shifted = self._brightness_db + steps * BRIGHTNESS_STEP_DB
        self._brightness_db = min(max(-_MOST_BRIGHTNESS_DB, shifted), _MOST_BRIGHTNESS_DB)
        self._repaint()
        return self._brightness_db

    def on_mount(self) -> None:
        """Paint anew when the theme changes: the strips hold colours."""
        self.app.theme_changed_signal.subscribe(self, lambda _: self._repaint())

    def on_resize(self, event: Resize) -> None:
        """Paint for the new size."""
        self._repaint()

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
                self.refresh(Region(GUTTER + place, 0, 1, self.size.height - 1))

    def render_line(self, y: int) -> Strip:
        """Return one row of cells."""
        if y >= len(self._strips):
            return Strip.blank(self.size.width, self.rich_style)
        strip = self._strips[y]
        if self._column is None or 2 * y >= len(self._levels):
            return strip
        at = GUTTER + self._column
        if at >= strip.cell_length:
            return strip
        style = playhead_styles(self.app.current_theme.dark)[int(self._levels[2 * y, self._column])]
        return Strip.join([strip.crop(0, at), Strip([Segment("│", style)], 1), strip.crop(at + 1)])

    def _repaint(self) -> None:
        width, height = self.size
        self._column = None
        if not width or not height:
            return
        if self._sound is not None and height > 1 and width > GUTTER:
            self._strips = self._paint(self._sound, width - GUTTER, height - 1)
        else:
            self._strips = self._write(width, height)
        # Without this a real terminal stays blank, though a test's does not.
        self.refresh()

    def _paint(self, sound: Sound, columns: int, rows: int) -> list[Strip]:
        bottom = sound.loudest_db - (sound.loudest_db - sound.quiet_db) * CONTRASTS[self._contrast]
        step = (sound.loudest_db - bottom) / (LEVELS - 1)
        cells = pooled(sound.picture, 2 * rows, columns)[::-1]
        levels = np.rint((cells + self._brightness_db - bottom) / step).clip(0, LEVELS - 1).astype(np.intp)
        self._levels = levels
        axis = self.get_component_rich_style("spectrogram--axis")
        names = _frequency_names(sound, rows)
        draw = _ink_row if self.app.no_color else _colour_row
        dark = self.app.current_theme.dark
        strips = [
            Strip(
                [Segment(f"{names.get(y, ''):>{GUTTER - 1}} ", axis), *draw(levels[2 * y], levels[2 * y + 1], dark)],
                GUTTER + columns,
            )
            for y in range(rows)
        ]
        strips.append(Strip([Segment(" " * GUTTER + time_axis(sound.duration_s, columns), axis)], GUTTER + columns))
        return strips

    def _write(self, width: int, height: int) -> list[Strip]:
        self._levels = np.zeros((0, 0), np.intp)
        words = self.get_component_rich_style("spectrogram--words")
        lines = [piece for line in self._words for piece in _folded(line, max(8, width - 2 * GUTTER))]
        above = max(0, (height - len(lines)) // 2)
        blank = Strip.blank(width, self.rich_style)
        written = [Strip([Segment(fit(" " * GUTTER + line, width), words)], width) for line in lines]
        return ([blank] * above + written + [blank] * height)[:height]


def _colour_row(upper: Levels, lower: Levels, dark: bool) -> list[Segment]:
    """Return one row of half blocks, cells of equal colours in one segment."""
    styles = cell_styles(dark)
    segments = []
    for first, last in _runs(upper * LEVELS + lower):
        above, below = int(upper[first]), int(lower[first])
        segments.append(Segment((" " if above == below else "▀") * (last - first), styles[above][below]))
    return segments


def _ink_row(upper: Levels, lower: Levels, dark: bool) -> list[Segment]:
    """Return one row for a terminal without colour: the louder half of each cell in shades of ink."""
    ink = np.maximum(upper, lower) * (len(INK) - 1) // (LEVELS - 1)
    return [Segment("".join(INK[shade] for shade in ink), Style.null())]


def _runs(keys: Levels) -> Iterator[tuple[int, int]]:
    changes = [0, *(np.flatnonzero(np.diff(keys)) + 1).tolist(), len(keys)]
    return pairwise(changes)


def _frequency_names(sound: Sound, rows: int) -> dict[int, str]:
    """Return which row carries the name of which frequency, at least two rows apart."""
    names: dict[int, str] = {}
    for hertz in reversed(_HERTZ):
        if not sound.band_hz[0] <= hertz <= sound.band_hz[-1]:
            continue
        band = float(np.interp(hertz, sound.band_hz, np.arange(len(sound.band_hz))))
        row = rows - 1 - min(rows - 1, int((band + 0.5) / len(sound.band_hz) * rows))
        if all(abs(row - taken) > 1 for taken in names):
            names[row] = f"{hertz // 1000}k" if hertz >= 1000 else str(hertz)
    return names


def _folded(line: str, width: int) -> list[str]:
    """Cut a line into pieces of at most `width` letters, at spaces where there are any."""
    pieces: list[str] = [""]
    for word in line.split(" "):
        while len(word) > width:
            pieces.append(word[:width])
            word = word[width:]
        joined = f"{pieces[-1]} {word}".strip()
        if len(joined) > width:
            pieces.append(word)
        else:
            pieces[-1] = joined
    return pieces
