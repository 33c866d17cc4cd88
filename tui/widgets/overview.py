"""The strip at the top: the whole recording, what stands on it as ticks, and the stretch that is seen below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from textual.strip import Strip

from labeltool.records import Value
from labeltool.store.spans import Kind, Span
from labeltool.tui.media.clip_picture import Sight
from labeltool.tui.widgets.spectrogram import Spectrogram
from labeltool.tui.widgets.time_axis import GUTTER
from labeltool.tui.widgets.time_track import Box

_NOTHING, _SUGGESTED, _SAID = range(3)


class Overview(Spectrogram):
    """A spectrogram of few rows; in place of the time axis stand the ticks and, bracketed or as a cross, the window."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *("overview--line", "overview--window", "overview--said", "overview--suggested")
    }

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._spans: Sequence[Span] = ()
        self._window = Box(0.0, 1.0)

    def show_spans(self, spans: Sequence[Span]) -> None:
        """Show what stands on the recording."""
        self._spans = spans
        self.repaint()

    def show_window(self, whole: Sight, start: float, end: float) -> None:
        """Show the recording, and between which shares of it the stretch below lies."""
        self._window = Box(start, end)
        self.show(whole)

    def names(self, sound: Sight, rows: int) -> dict[int, str]:
        """Name the strip rather than frequencies: it has too few rows."""
        return {0: "all"}

    def axis(self, sound: Sight, columns: int) -> Strip:
        """Return the ticks and the window."""
        ticks = [_NOTHING] * columns
        for span in self._spans:
            tick = _tick(span)
            for column in Box(span.start_s / sound.duration_s, span.end_s / sound.duration_s).columns(columns):
                ticks[column] = max(ticks[column], tick)
        styles = [
            self.rich_style + self.get_component_rich_style(f"overview--{name}")
            for name in ("line", "suggested", "said", "window")
        ]
        window = self._window.columns(columns)
        line = [Segment(" " * GUTTER, self.rich_style)]
        for column, tick in enumerate(ticks):
            inside = column in window
            letter = ("━" if inside else "─") if tick == _NOTHING else "▪" if tick == _SAID else "▫"
            if inside and column in (window[0], window[-1]):
                letter = "╋" if len(window) == 1 else "┣" if column == window[0] else "┫"
            line.append(Segment(letter, styles[-1 if inside else tick]))
        return Strip(line, GUTTER + columns).simplify()


def _tick(span: Span) -> int:
    if span.kind is Kind.SUGGESTION:
        return _SUGGESTED
    return _NOTHING if span.kind is Kind.VERDICT and span.value is Value.ABSENT else _SAID
