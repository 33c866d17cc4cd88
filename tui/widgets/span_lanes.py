"""The lanes under the picture: what stands on the stretch in sight, as blocks with their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

from labeltool.records import Value
from labeltool.store.spans import Kind, Mark, Span
from labeltool.tui.media.viewport import Window
from labeltool.tui.text import fit, shown
from labeltool.tui.widgets.header import Part
from labeltool.tui.widgets.time_axis import GUTTER

_FEWEST_LETTERS = 4
_GRID_S = 2e-6  # spans are stored in whole microseconds


@dataclass(frozen=True, slots=True)
class Block:
    """A span on its columns: `first` to `last` (not included) are its time, its name may reach on to `until`."""

    span: Span
    first: int
    last: int
    until: int


class Lanes(Widget):
    """As many lanes as there are lines; what overlaps lies one under the other."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._spans: Sequence[Span] = ()
        self._window: Window | None = None
        self._mark: Mark | None = None

    def show(self, spans: Sequence[Span], window: Window, mark: Mark | None) -> None:
        """Show what stands in a window; where the mark lies on a span exactly, that one is lit."""
        self._spans, self._window, self._mark = spans, window, mark
        self.refresh()

    def render(self) -> Content:
        """Return the lanes."""
        width, height = self.size
        columns = width - GUTTER
        if self._window is None or columns < 1 or height < 1:
            return Content("")
        lanes, left_out = arrange(self._spans, self._window, columns, height)
        lines = []
        for y, lane in enumerate(lanes):
            more = f"+{left_out}" if left_out and y == height - 1 else ""
            parts: list[Part] = [(f"{more:>{GUTTER - 1}} ", "$quiet")]
            at = 0
            for block in lane:
                parts += [(" " * (block.first - at), ""), *self._drawn(block)]
                at = block.until
            lines.append(Content.assemble(*parts))
        return Content("\n").join(lines)

    def _drawn(self, block: Block) -> list[Part]:
        span = block.span
        style = _STYLES.get(span.value, "$quiet") if span.kind is Kind.VERDICT else _STYLES[span.kind]
        if self._mark is not None and is_of(span, self._mark):
            style = "bold $accent"
        heard = span.kind is Kind.VERDICT and span.value is Value.PRESENT
        name, room = name_of(span), block.until - block.first
        # Of a name that has no room for its first letters nothing is shown.
        told = f"▏{name}" if room > min(cell_len(shown(name)), _FEWEST_LETTERS) else "▏"
        inside, beyond = _parted(fit(told, room), block.last - block.first)
        return [(inside, f"{'reverse' if heard else 'underline'} {style}"), (beyond, style)]


_STYLES: dict[Value | Kind | None, str] = {
    Value.PRESENT: "$primary",
    Kind.NOTE: "$warning",
    Kind.SUGGESTION: "$secondary",
}


def arrange(spans: Sequence[Span], window: Window, columns: int, height: int) -> tuple[list[list[Block]], int]:
    """Lay spans out on lanes.

    What was heard finds its place before what a model holds, and a block before another one's name.

    Returns
    -------
    lanes : list of `height` lists
        Their blocks from left to right.
    left_out : int
        How many spans found no place.
    """
    in_sight = [span for span in spans if span.end_s >= window.start_s and span.start_s < window.end_s]
    taken = [bytearray(columns) for _ in range(height)]
    placed: list[list[tuple[int, int, Span]]] = [[] for _ in range(height)]
    left_out = 0
    for span in sorted(in_sight, key=_rank):
        first = min(columns - 1, int(max(0.0, window.share(span.start_s)) * columns))
        last = max(first + 1, ceil(min(1.0, window.share(span.end_s)) * columns))
        lane = next((y for y in range(height) if not any(taken[y][first:last])), None)
        if lane is None:
            left_out += 1
            continue
        taken[lane][first:last] = b"\1" * (last - first)
        placed[lane].append((first, last, span))
    return [_named(sorted(lane, key=lambda block: block[0]), columns) for lane in placed], left_out


def _rank(span: Span) -> int:
    """Return when a span finds its place: what is not there comes last."""
    if span.value is Value.ABSENT:
        return 3
    return (Kind.VERDICT, Kind.NOTE, Kind.SUGGESTION).index(span.kind)


def _named(lane: list[tuple[int, int, Span]], columns: int) -> list[Block]:
    nexts = [*(first for first, _, _ in lane[1:]), columns]
    return [
        Block(span, first, last, max(last, min(following, first + 1 + cell_len(shown(name_of(span))))))
        for (first, last, span), following in zip(lane, nexts, strict=False)  # an empty lane has no next
    ]


def name_of(span: Span) -> str:
    """Name what stands on a span in a few words."""
    if span.kind is Kind.NOTE:
        return f"✎ {span.text}"
    if span.kind is Kind.SUGGESTION:
        return f"{span.text} {span.probability or 0:.0%} ?"
    if span.text is None:
        return "✗ none of these" if span.value is Value.ABSENT else "? cannot tell"
    return {Value.PRESENT: "", Value.ABSENT: "✗ ", Value.UNSURE: "? "}[span.value or Value.PRESENT] + span.text


def _parted(text: str, cells: int) -> tuple[str, str]:
    """Part a line after so many cells; a wide letter that would stand on both sides goes to the right."""
    at = used = 0
    while at < len(text) and used + cell_len(text[at]) <= cells:
        used += cell_len(text[at])
        at += 1
    return text[:at] + " " * (cells - used), text[at:]


def is_of(span: Span, mark: Mark) -> bool:
    """Tell whether a span has the bounds of a mark, which may not lie on the grid that spans are stored on."""
    return max(abs(span.start_s - mark.start_s), abs(span.end_s - mark.end_s)) < _GRID_S
