"""The strip at the top: the whole recording, its labels and suggestions as ticks, and the window shown below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from textual.strip import Strip

from labeltool.records import Value
from labeltool.store.spans import Kind, Span
from labeltool.tui.media.clip_picture import Picture
from labeltool.tui.state import State
from labeltool.tui.widgets.spectrogram import Spectrogram
from labeltool.tui.widgets.time_axis import FRAME, GUTTER
from labeltool.tui.widgets.time_track import Box

_EMPTY, _SUGGESTED, _LABELLED = range(3)


class Overview(Spectrogram):
    """A spectrogram of few rows, with ticks and, in brackets or as a cross, the window in place of the time axis."""

    shows_whole = True
    has_pixels = False

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *("overview--line", "overview--window", "overview--labelled", "overview--suggested")
    }

    def __init__(self, state: State, *, id: str | None = None) -> None:
        super().__init__(state, id=id)
        self._spans: Sequence[Span] = ()
        self._window = Box(0.0, 1.0)

    def show_spans(self, spans: Sequence[Span]) -> None:
        self._spans = spans
        self.repaint()

    def show_window(self, whole: Picture, start: float, end: float) -> None:
        """Show the whole recording, and the window from `start` to `end`, as shares of its length."""
        self._window = Box(start, end)
        self.show(whole)

    def names(self, sound: Picture, rows: int) -> dict[int, str]:
        """Return the name of the strip, which has too few rows for frequencies."""
        return {0: "all"}

    def axis(self, sound: Picture, columns: int) -> Strip:
        ticks = [_EMPTY] * columns
        for span in self._spans:
            tick = _tick(span)
            for column in Box(span.start_s / sound.duration_s, span.end_s / sound.duration_s).columns(columns):
                ticks[column] = max(ticks[column], tick)
        styles = [
            self.rich_style + self.get_component_rich_style(f"overview--{name}")
            for name in ("line", "suggested", "labelled", "window")
        ]
        window = self._window.columns(columns)
        line = [Segment(" " * GUTTER, self.rich_style)]
        for column, tick in enumerate(ticks):
            inside = column in window
            letter = ("━" if inside else "─") if tick == _EMPTY else "▪" if tick == _LABELLED else "▫"
            if inside and column in (window[0], window[-1]):
                letter = "╋" if len(window) == 1 else "┣" if column == window[0] else "┫"
            line.append(Segment(letter, styles[-1 if inside else tick]))
        return Strip([*line, Segment(" " * FRAME, self.rich_style)], GUTTER + columns + FRAME).simplify()


def _tick(span: Span) -> int:
    if span.kind is Kind.SUGGESTION:
        return _SUGGESTED
    return _EMPTY if span.kind is Kind.VERDICT and span.value is Value.ABSENT else _LABELLED
