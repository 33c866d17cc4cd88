"""The lanes under the waveform: the labels, notes and suggestions in the viewport, as named blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

from labeltool.records import Value
from labeltool.store.spans import Kind, Region, Span
from labeltool.tui.media.viewport import Viewport
from labeltool.tui.text import fit, one_line
from labeltool.tui.widgets.lists.clip_list import Part
from labeltool.tui.widgets.suggestions import describe_verdict
from labeltool.tui.widgets.time_axis import GUTTER, columns_of

_MIN_NAME_CELLS = 4
_GRID_S = 2e-6  # regions are stored in whole microseconds


@dataclass(frozen=True, slots=True)
class Block:
    """A span on the columns of a lane.

    Attributes
    ----------
    first, last
        The columns of its time; `last` is not included.
    until
        The end of the columns for its name, which may be longer than its time.
    """

    span: Span
    first: int
    last: int
    until: int


class SpanLanes(Widget):
    """Shows one lane a line; spans that overlap are on different lanes."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._spans: Sequence[Span] = ()
        self._viewport: Viewport | None = None
        self._selected: Region | None = None

    def show(self, spans: Sequence[Span], viewport: Viewport, selected: Region | None) -> None:
        """Show the spans in a viewport; those with the bounds of the selected region are highlighted."""
        self._spans, self._viewport, self._selected = spans, viewport, selected
        self.refresh()

    def render(self) -> Content:
        width, height = self.size
        columns = columns_of(width)
        if self._viewport is None or columns < 1 or height < 1:
            return Content("")
        lanes, skipped = arrange(self._spans, self._viewport, columns, height)
        lines = []
        for y, lane in enumerate(lanes):
            more = f"+{skipped}" if skipped and y == height - 1 else ""
            parts: list[Part] = [(f"{more:>{GUTTER - 1}} ", "$quiet")]
            at = 0
            for block in lane:
                parts += [(" " * (block.first - at), ""), *self._block_parts(block)]
                at = block.until
            lines.append(Content.assemble(*parts))
        return Content("\n").join(lines)

    def _block_parts(self, block: Block) -> list[Part]:
        span = block.span
        style = _STYLES.get(span.value, "$quiet") if span.kind is Kind.VERDICT else _STYLES[span.kind]
        if self._selected is not None and has_bounds(span, self._selected):
            style = "bold $accent"
        present = span.kind is Kind.VERDICT and span.value is Value.PRESENT
        name, cells = span_text(span), block.until - block.first
        # A name of which not even the first letters fit is not shown.
        text = f"▏{name}" if cells > min(cell_len(one_line(name)), _MIN_NAME_CELLS) else "▏"
        inside, beyond = _split(fit(text, cells), block.last - block.first)
        return [(inside, f"{'reverse' if present else 'underline'} {style}"), (beyond, style)]


_STYLES: dict[Value | Kind | None, str] = {
    Value.PRESENT: "$primary",
    Kind.NOTE: "$warning",
    Kind.SUGGESTION: "$secondary",
}


def arrange(spans: Sequence[Span], viewport: Viewport, columns: int, height: int) -> tuple[list[list[Block]], int]:
    """Arrange spans on lanes.

    Labels are placed before suggestions, and a block takes precedence over the name of another one.

    Returns
    -------
    lanes : list of `height` lists
        The blocks from left to right.
    skipped : int
        The number of spans that did not fit.
    """
    visible = [span for span in spans if span.end_s >= viewport.start_s and span.start_s < viewport.end_s]
    occupied = [bytearray(columns) for _ in range(height)]
    placed: list[list[tuple[int, int, Span]]] = [[] for _ in range(height)]
    skipped = 0
    for span in sorted(visible, key=_rank):
        first = min(columns - 1, int(max(0.0, viewport.share(span.start_s)) * columns))
        last = max(first + 1, ceil(min(1.0, viewport.share(span.end_s)) * columns))
        lane = next((y for y in range(height) if not any(occupied[y][first:last])), None)
        if lane is None:
            skipped += 1
            continue
        occupied[lane][first:last] = b"\1" * (last - first)
        placed[lane].append((first, last, span))
    return [_blocks(sorted(lane, key=lambda block: block[0]), columns) for lane in placed], skipped


def _rank(span: Span) -> int:
    """Return the order in which spans are placed; rejected labels are last."""
    if span.value is Value.ABSENT:
        return 3
    return (Kind.VERDICT, Kind.NOTE, Kind.SUGGESTION).index(span.kind)


def _blocks(lane: list[tuple[int, int, Span]], columns: int) -> list[Block]:
    """Return the blocks of a lane, each with room for its name up to the next block."""
    next_firsts = [*(first for first, _, _ in lane[1:]), columns]
    return [
        Block(span, first, last, max(last, min(next_first, first + 1 + cell_len(one_line(span_text(span))))))
        for (first, last, span), next_first in zip(lane, next_firsts, strict=False)  # an empty lane has no next
    ]


def span_text(span: Span) -> str:
    """Return the name of a span's block: its label, note or suggestion."""
    if span.kind is Kind.NOTE:
        return f"✎ {span.text}"
    if span.kind is Kind.SUGGESTION:
        return f"{span.text} {span.probability or 0:.0%} ?"
    value = span.value or Value.PRESENT
    return span.text if span.text is not None and value is Value.PRESENT else describe_verdict(span.text, value)


def _split(text: str, cells: int) -> tuple[str, str]:
    """Split a line after some cells; a wide letter on the boundary goes to the right part."""
    at = used = 0
    while at < len(text) and used + cell_len(text[at]) <= cells:
        used += cell_len(text[at])
        at += 1
    return text[:at] + " " * (cells - used), text[at:]


def has_bounds(span: Span, region: Region) -> bool:
    """Return whether a span has the bounds of a region, to the microsecond in which bounds are stored."""
    return max(abs(span.start_s - region.start_s), abs(span.end_s - region.end_s)) < _GRID_S
