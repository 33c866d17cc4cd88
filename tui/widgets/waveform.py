"""The waveform under the spectrogram: the lowest and highest sample of each half column, in braille dots."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from labeltool.tui.media.clip_picture import Picture
from labeltool.tui.widgets.time_axis import FRAME, GUTTER
from labeltool.tui.widgets.time_track import Box, Painting, TimeTrack, frame_edges
from labeltool.type_aliases import Float32

# The bit of each dot of a braille character, by row and column (Unicode's order).
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
_BRAILLE = 0x2800
_MIN_PEAK = 0.02  # a sound with a lower peak is not scaled up to full height


class Waveform(TimeTrack):
    """Shows time to the right, on the spectrogram's axis."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *("waveform--wave", "waveform--marked", "waveform--playhead", "waveform--frame")
    }

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._playhead_style = Style.null()

    def show(self, sound: Picture | None, box: Box | None = None) -> None:
        """Draw a sound, with a part of it highlighted; None leaves the widget empty."""
        self._sound, self._box = sound, box
        self.repaint()

    def show_box(self, box: Box | None) -> None:
        self._box = box
        self.repaint()

    def paint(self, sound: Picture | None, box: Box | None, columns: int, rows: int) -> Painting:
        if sound is None or columns <= 0:
            return Painting()
        wave = self.rich_style + self.get_component_rich_style("waveform--wave")
        marked = self.rich_style + self.get_component_rich_style("waveform--marked")
        frame = self.rich_style + self.get_component_rich_style("waveform--frame")
        self._playhead_style = self.rich_style + self.get_component_rich_style("waveform--playhead")
        inside = box.columns(columns) if box is not None else range(0)
        first, last = (inside.start, inside.stop) if inside else (0, 0)
        left, right = frame_edges(sound)
        strips = [
            Strip(
                [
                    Segment(" " * (GUTTER - 1) + left, frame),
                    Segment(row[:first], wave),
                    *([Segment(row[first:last], marked)] if inside else []),
                    Segment(row[last:], wave),
                    Segment(right, frame),
                ],
                GUTTER + columns + FRAME,
            )
            for row in braille(sound.envelope, columns, rows)
        ]
        return Painting(strips)

    def playhead_cell(self, row: int, column: int) -> tuple[str, Style] | None:
        return "│", Style.null() if self.app.no_color else self._playhead_style


def braille(envelope: Float32, columns: int, rows: int) -> list[str]:
    """Draw an envelope `(2, bins)` of lowest and highest samples as `rows` lines of `columns` braille characters."""
    bins = envelope.shape[1]
    width, height = 2 * columns, 4 * rows
    first = (np.arange(width) * bins / width).astype(np.intp)
    low, high = np.minimum.reduceat(envelope[0], first), np.maximum.reduceat(envelope[1], first)
    peak = max(float(np.abs(envelope).max()), _MIN_PEAK)
    # Rows of dots count downwards; silence is one line of dots in the middle.
    tops = np.rint((1 - high / peak) / 2 * (height - 1)).astype(int)
    bottoms = np.rint((1 - low / peak) / 2 * (height - 1)).astype(int)
    places = np.arange(height)[:, None]
    dots = (places >= np.minimum(tops, bottoms)) & (places <= np.maximum(tops, bottoms))
    characters = (dots.reshape(rows, 4, columns, 2) * _DOTS[None, :, None, :]).sum(axis=(1, 3)) + _BRAILLE
    return ["".join(map(chr, row)) for row in characters.tolist()]
