"""The waveform under the picture: lowest and highest sample of each half column, in braille dots."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt
from rich.segment import Segment
from textual.events import Resize
from textual.geometry import Region
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from labeltool.tui.sound import Sound
from labeltool.tui.timeline import GUTTER

# Bit of each dot of a braille letter, by row and column (Unicode's order).
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
_BRAILLE = 0x2800
_LEAST_PEAK = 0.02  # what is quieter than this is drawn as quiet, not blown up to full height


class Waveform(Widget):
    """Time to the right, on the spectrogram's axis."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"waveform--wave", "waveform--playhead"}

    playhead: reactive[float | None] = reactive(None, repaint=False)
    """Where the playhead stands, 0 to 1; None hides it."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._sound: Sound | None = None
        self._rows: list[str] = []
        self._column: int | None = None

    def show(self, sound: Sound | None) -> None:
        """Draw a sound; None leaves the place empty."""
        self._sound = sound
        self._redraw()

    def on_resize(self, event: Resize) -> None:
        """Draw for the new size."""
        self._redraw()

    def watch_playhead(self, playhead: float | None) -> None:
        """Refresh the two columns that change."""
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
        if y >= len(self._rows):
            return Strip.blank(self.size.width, self.rich_style)
        wave = self.get_component_rich_style("waveform--wave")
        row = self._rows[y]
        if self._column is None or self._column >= len(row):
            segments = [Segment(row, wave)]
        else:
            playhead = self.get_component_rich_style("waveform--playhead")
            at = self._column
            segments = [Segment(row[:at], wave), Segment("│", playhead), Segment(row[at + 1 :], wave)]
        return Strip([Segment(" " * GUTTER, self.rich_style), *segments], GUTTER + len(row))

    def _redraw(self) -> None:
        width, height = self.size
        self._column = None
        self._rows = []
        if self._sound is not None and width > GUTTER and height:
            self._rows = braille(self._sound.envelope, width - GUTTER, height)
        self.refresh()


def braille(envelope: npt.NDArray[np.float32], columns: int, rows: int) -> list[str]:
    """Draw an envelope `(2, bins)` of lowest and highest samples as `rows` lines of `columns` braille letters."""
    bins = envelope.shape[1]
    wide, high = 2 * columns, 4 * rows
    first = (np.arange(wide) * bins / wide).astype(np.intp)
    low, top = np.minimum.reduceat(envelope[0], first), np.maximum.reduceat(envelope[1], first)
    peak = max(float(np.abs(envelope).max()), _LEAST_PEAK)
    # Dot rows count downwards; silence is one line of dots in the middle.
    begins = np.rint((1 - top / peak) / 2 * (high - 1)).astype(int)
    ends = np.rint((1 - low / peak) / 2 * (high - 1)).astype(int)
    places = np.arange(high)[:, None]
    dots = (places >= np.minimum(begins, ends)) & (places <= np.maximum(begins, ends))
    letters = (dots.reshape(rows, 4, columns, 2) * _DOTS[None, :, None, :]).sum(axis=(1, 3)) + _BRAILLE
    return ["".join(map(chr, row)) for row in letters.tolist()]
