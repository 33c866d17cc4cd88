"""The spectrogram: half blocks on the Line API, painted from cached strips, with a playhead of one column."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from labeltool.tui.media.clip_picture import Picture, resize
from labeltool.tui.text import fit
from labeltool.tui.theme import LEVELS, SHADES, cell_styles, playhead_styles
from labeltool.tui.widgets.time_axis import GUTTER, time_axis
from labeltool.tui.widgets.time_track import Box, TimeTrack, over
from labeltool.type_aliases import Float32

Levels = npt.NDArray[np.intp]

CONTRASTS = (1.0, 0.75, 0.55, 1.4)
"""Shares of the spectrogram's range of decibels that are spread over the colours."""

BRIGHTNESS_STEP_DB = 4.0
_MAX_BRIGHTNESS_DB = 40.0

_HYSTERESIS = 0.75

_NAMED_HZ = (100, 200, 500, 1000, 2000, 4000, 8000, 16000)


class Spectrogram(TimeTrack):
    """Shows time to the right, frequency (mel scale) upwards, and level as brightness."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"spectrogram--axis", "spectrogram--text"}

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._text: tuple[str, ...] = ()
        self._levels: Levels = np.zeros((0, 0), np.intp)
        self._contrast = 0
        self._brightness_db = 0.0

    def show(self, sound: Picture, box: Box | None = None) -> None:
        """Show a sound, with a part of it outlined."""
        self._sound, self._text, self._box = sound, (), box
        self.repaint()

    def show_text(self, *lines: str) -> None:
        """Show lines of plain text in place of a spectrogram."""
        self._sound, self._text = None, lines
        self.repaint()

    def next_contrast(self) -> str:
        """Change to the next contrast and return its name."""
        self._contrast = (self._contrast + 1) % len(CONTRASTS)
        self.repaint()
        return ("normal", "strong", "very strong", "soft")[self._contrast]

    def brighten(self, steps: int) -> float:
        """Make the spectrogram brighter (below zero: darker), and return the shift in decibels."""
        shifted = self._brightness_db + steps * BRIGHTNESS_STEP_DB
        self._brightness_db = min(max(-_MAX_BRIGHTNESS_DB, shifted), _MAX_BRIGHTNESS_DB)
        self.repaint()
        return self._brightness_db

    def paint(self, columns: int, rows: int) -> list[Strip]:
        """Return the spectrogram with its axes, or the text in its place."""
        if self._sound is not None and rows > 1 and columns > 0:
            return self._spectrogram(self._sound, columns, rows - 1)
        return self._text_lines(columns + GUTTER, rows)

    def playhead_style(self, row: int, column: int) -> Style | None:
        """Return the playhead's style over a cell; None over the axis."""
        if 2 * row >= len(self._levels):
            return None
        if self.app.no_color:
            return Style.null()
        return playhead_styles(self.app.current_theme.dark)[int(self._levels[2 * row, column])]

    def _spectrogram(self, sound: Picture, columns: int, rows: int) -> list[Strip]:
        bottom = sound.loudest_db - (sound.loudest_db - sound.quiet_db) * CONTRASTS[self._contrast]
        step = (sound.loudest_db - bottom) / (LEVELS - 1)
        cells = resize(sound.mel_db, 2 * rows, columns)[::-1]
        levels = _levels((cells + self._brightness_db - bottom) / step)
        self._levels = levels
        axis = self.rich_style + self.get_component_rich_style("spectrogram--axis")
        names = self.names(sound, rows)
        draw = _shade_row if self.app.no_color else _colour_row
        dark = self.app.current_theme.dark
        strips = [
            Strip(
                [Segment(f"{names.get(y, ''):>{GUTTER - 1}} ", axis), *draw(levels[2 * y], levels[2 * y + 1], dark)],
                GUTTER + columns,
            )
            for y in range(rows)
        ]
        return [*self._outlined(strips, sound, columns), self.axis(sound, columns)]

    def names(self, sound: Picture, rows: int) -> dict[int, str]:
        """Return the frequencies to name by their rows, at least two rows apart."""
        names: dict[int, str] = {}
        for hertz in reversed(_NAMED_HZ):
            if not sound.band_hz[0] <= hertz <= sound.band_hz[-1]:
                continue
            row = _row_of(hertz, sound, rows)
            if all(abs(row - other) > 1 for other in names):
                names[row] = f"{hertz // 1000}k" if hertz >= 1000 else str(hertz)
        return names

    def axis(self, sound: Picture, columns: int) -> Strip:
        """Return the line under the spectrogram."""
        axis = self.rich_style + self.get_component_rich_style("spectrogram--axis")
        moments = time_axis(sound.duration_s, columns, sound.start_s)
        return Strip([Segment(" " * GUTTER + moments, axis)], GUTTER + columns)

    def _outlined(self, strips: list[Strip], sound: Picture, columns: int) -> list[Strip]:
        """Draw the outline of a part over the spectrogram."""
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

    def _text_lines(self, width: int, height: int) -> list[Strip]:
        self._levels = np.zeros((0, 0), np.intp)
        style = self.rich_style + self.get_component_rich_style("spectrogram--text")
        lines = [piece for line in self._text for piece in _wrapped(line, max(8, width - 2 * GUTTER))]
        above = max(0, (height - len(lines)) // 2)
        blank = Strip.blank(width, self.rich_style)
        strips = [Strip([Segment(fit(" " * GUTTER + line, width), style)], width) for line in lines]
        return ([blank] * above + strips + [blank] * height)[:height]


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


def _colour_row(upper: Levels, lower: Levels, dark: bool) -> list[Segment]:
    """Return one row of half blocks, with cells of equal colours in one segment."""
    styles = cell_styles(dark)
    segments = []
    for first, last in _runs(upper * LEVELS + lower):
        above, below = int(upper[first]), int(lower[first])
        segments.append(Segment((" " if above == below else "▀") * (last - first), styles[above][below]))
    return segments


def _shade_row(upper: Levels, lower: Levels, dark: bool) -> list[Segment]:
    """Return one row for a terminal without colours: the brighter half of each cell as a shade character."""
    shades = np.maximum(upper, lower) * (len(SHADES) - 1) // (LEVELS - 1)
    return [Segment("".join(SHADES[shade] for shade in shades), Style.null())]


def _runs(keys: Levels) -> Iterator[tuple[int, int]]:
    changes = [0, *(np.flatnonzero(np.diff(keys)) + 1).tolist(), len(keys)]
    return pairwise(changes)


def _row_of(hertz: float, sound: Picture, rows: int) -> int:
    """Return the row of a frequency."""
    band = float(np.interp(hertz, sound.band_hz, np.arange(len(sound.band_hz))))
    return rows - 1 - min(rows - 1, int((band + 0.5) / len(sound.band_hz) * rows))


def _wrapped(line: str, width: int) -> list[str]:
    """Wrap a line to pieces of at most `width` letters, at spaces if there are any."""
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
