"""The waveform under the picture: lowest and highest sample of each half column, in braille dots."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from labeltool.tui.media.clip_picture import Sight
from labeltool.tui.widgets.time_axis import GUTTER
from labeltool.tui.widgets.time_track import Box, Track
from labeltool.type_aliases import Float32

# Bit of each dot of a braille letter, by row and column (Unicode's order).
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
_BRAILLE = 0x2800
_LEAST_PEAK = 0.02  # what is quieter than this is drawn as quiet, not blown up to full height


class Waveform(Track):
    """Time to the right, on the spectrogram's axis."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"waveform--wave", "waveform--marked", "waveform--playhead"}

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._playhead_style = Style.null()

    def show(self, sound: Sight | None, box: Box | None = None) -> None:
        """Draw a sound, a part of it marked; None leaves the place empty."""
        self._sound, self._box = sound, box
        self.repaint()

    def paint(self, columns: int, rows: int) -> list[Strip]:
        """Return the wave."""
        if self._sound is None or columns <= 0:
            return []
        wave = self.rich_style + self.get_component_rich_style("waveform--wave")
        marked = self.rich_style + self.get_component_rich_style("waveform--marked")
        inside = self._box.columns(columns) if self._box is not None else range(0)
        first, last = (inside.start, inside.stop) if inside else (0, 0)
        return [
            Strip(
                [
                    Segment(" " * GUTTER + row[:first], wave),
                    *([Segment(row[first:last], marked)] if inside else []),
                    Segment(row[last:], wave),
                ],
                GUTTER + columns,
            )
            for row in braille(self._sound.envelope, columns, rows)
        ]

    def playhead_style(self, row: int, column: int) -> Style | None:
        """Return the playhead's colour."""
        if self.app.no_color:
            return Style.null()
        return self._playhead_style


def braille(envelope: Float32, columns: int, rows: int) -> list[str]:
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
