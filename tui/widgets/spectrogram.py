"""The picture of a clip: half blocks on the Line API, painted from cached strips, with a playhead of one column."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from labeltool.tui.media.clip_picture import Sight, pooled
from labeltool.tui.text import fit
from labeltool.tui.theme import INK, LEVELS, cell_styles, playhead_styles
from labeltool.tui.widgets.time_axis import GUTTER, time_axis
from labeltool.tui.widgets.time_track import Box, Track, over
from labeltool.type_aliases import Float32

Levels = npt.NDArray[np.intp]

CONTRASTS = (1.0, 0.75, 0.55, 1.4)
"""Shares of the picture's own range of decibels that are spread over the colours."""

BRIGHTNESS_STEP_DB = 4.0
_MOST_BRIGHTNESS_DB = 40.0

_REACH = 0.75

_HERTZ = (100, 200, 500, 1000, 2000, 4000, 8000, 16000)


class Spectrogram(Track):
    """Time to the right, frequency (mel scale) upwards, loudness as light."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"spectrogram--axis", "spectrogram--words"}

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._words: tuple[str, ...] = ()
        self._levels: Levels = np.zeros((0, 0), np.intp)
        self._contrast = 0
        self._brightness_db = 0.0

    def show(self, sound: Sight, box: Box | None = None) -> None:
        """Paint a sound, a part of it marked."""
        self._sound, self._words, self._box = sound, (), box
        self.repaint()

    def say(self, *lines: str) -> None:
        """Show a few lines of plain text in place of a picture."""
        self._sound, self._words = None, lines
        self.repaint()

    def next_contrast(self) -> str:
        """Go to the next contrast and return its name."""
        self._contrast = (self._contrast + 1) % len(CONTRASTS)
        self.repaint()
        return ("normal", "strong", "very strong", "soft")[self._contrast]

    def brighten(self, steps: int) -> float:
        """Let fainter (below zero: only louder) sound light up; return the shift in decibels."""
        shifted = self._brightness_db + steps * BRIGHTNESS_STEP_DB
        self._brightness_db = min(max(-_MOST_BRIGHTNESS_DB, shifted), _MOST_BRIGHTNESS_DB)
        self.repaint()
        return self._brightness_db

    def paint(self, columns: int, rows: int) -> list[Strip]:
        """Return the picture with its axes, or the words in its place."""
        if self._sound is not None and rows > 1 and columns > 0:
            return self._picture(self._sound, columns, rows - 1)
        return self._writing(columns + GUTTER, rows)

    def playhead_style(self, row: int, column: int) -> Style | None:
        """Return the playhead's colour on the picture's; it does not pass through the axis."""
        if 2 * row >= len(self._levels):
            return None
        if self.app.no_color:
            return Style.null()
        return playhead_styles(self.app.current_theme.dark)[int(self._levels[2 * row, column])]

    def _picture(self, sound: Sight, columns: int, rows: int) -> list[Strip]:
        bottom = sound.loudest_db - (sound.loudest_db - sound.quiet_db) * CONTRASTS[self._contrast]
        step = (sound.loudest_db - bottom) / (LEVELS - 1)
        cells = pooled(sound.picture, 2 * rows, columns)[::-1]
        levels = _levels((cells + self._brightness_db - bottom) / step)
        self._levels = levels
        axis = self.rich_style + self.get_component_rich_style("spectrogram--axis")
        names = self.names(sound, rows)
        draw = _ink_row if self.app.no_color else _colour_row
        dark = self.app.current_theme.dark
        strips = [
            Strip(
                [Segment(f"{names.get(y, ''):>{GUTTER - 1}} ", axis), *draw(levels[2 * y], levels[2 * y + 1], dark)],
                GUTTER + columns,
            )
            for y in range(rows)
        ]
        return [*self._boxed(strips, sound, columns), self.axis(sound, columns)]

    def names(self, sound: Sight, rows: int) -> dict[int, str]:
        """Return which row carries the name of which frequency, at least two rows apart."""
        names: dict[int, str] = {}
        for hertz in reversed(_HERTZ):
            if not sound.band_hz[0] <= hertz <= sound.band_hz[-1]:
                continue
            row = _row_of(hertz, sound, rows)
            if all(abs(row - taken) > 1 for taken in names):
                names[row] = f"{hertz // 1000}k" if hertz >= 1000 else str(hertz)
        return names

    def axis(self, sound: Sight, columns: int) -> Strip:
        """Return the line under the picture."""
        axis = self.rich_style + self.get_component_rich_style("spectrogram--axis")
        moments = time_axis(sound.duration_s, columns, sound.start_s)
        return Strip([Segment(" " * GUTTER + moments, axis)], GUTTER + columns)

    def _boxed(self, strips: list[Strip], sound: Sight, columns: int) -> list[Strip]:
        """Draw the edges of the marked part over the picture."""
        box = self._box
        inside = box.columns(columns) if box is not None else range(0)
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
                    strips[y] = over(strips[y], column, letter, self.playhead_style(y, column))
        return strips

    def _writing(self, width: int, height: int) -> list[Strip]:
        self._levels = np.zeros((0, 0), np.intp)
        words = self.rich_style + self.get_component_rich_style("spectrogram--words")
        lines = [piece for line in self._words for piece in _folded(line, max(8, width - 2 * GUTTER))]
        above = max(0, (height - len(lines)) // 2)
        blank = Strip.blank(width, self.rich_style)
        written = [Strip([Segment(fit(" " * GUTTER + line, width), words)], width) for line in lines]
        return ([blank] * above + written + [blank] * height)[:height]


def _levels(brightness: Float32) -> Levels:
    """Round to steps of brightness, staying on the step of the cell before while within reach of it.

    A cell is so off by three quarters of a step at most instead of half, and the picture changes colour a fifth less
    often: each change costs some forty bytes.
    """
    near = brightness.clip(0, LEVELS - 1)
    levels: Levels = np.rint(near).astype(np.intp)
    for column in range(1, levels.shape[1]):
        before = levels[:, column - 1]
        stays = np.abs(near[:, column] - before) < _REACH
        levels[stays, column] = before[stays]
    return levels


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


def _row_of(hertz: float, sound: Sight, rows: int) -> int:
    """Return the row of the picture in which a frequency lies."""
    band = float(np.interp(hertz, sound.band_hz, np.arange(len(sound.band_hz))))
    return rows - 1 - min(rows - 1, int((band + 0.5) / len(sound.band_hz) * rows))


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
