"""The two lines under a long recording: the marked span, and the labels to take for it with their digits."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

from labeltool.tui.label_choices import Offer
from labeltool.tui.media.selection import Edge, Marking
from labeltool.tui.text import clip
from labeltool.tui.widgets.header import Part
from labeltool.tui.widgets.suggestions import Saying
from labeltool.tui.widgets.time_axis import GUTTER, moment_name

_LONGEST_LABEL = 22
_EXACT_S = 0.001


class LabelBar(Widget):
    """Two lines."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._marking = Marking()
        self._offers: Sequence[Offer] = ()
        self._saying = Saying.ANSWER
        self._heard: Sequence[str] = ()

    def show(self, marking: Marking, offers: Sequence[Offer], saying: Saying, heard: Sequence[str]) -> None:
        """Show the span as it is marked, the labels to take, how the next one is meant, and those that stand on it."""
        self._marking, self._offers, self._saying, self._heard = marking, offers, saying, heard
        self.refresh()

    def render(self) -> Content:
        """Return the lines."""
        return Content("\n").join([self._span(), self._labels()])

    def _span(self) -> Content:
        marking = self._marking
        indent: Part = (" " * GUTTER, "")
        if not marking.begun:
            return Content.assemble(
                indent, ("i", "bold $accent"), (" marks the beginning, ", "$quiet"), ("o", "bold $accent"),
                (" the end, ", "$quiet"), ("tab", "bold $accent"), (" goes to the next label or suggestion", "$quiet"),
            )  # fmt: skip
        ends = [
            "…" if moment_s is None else moment_name(moment_s, _EXACT_S)
            for moment_s in (marking.start_s, marking.end_s)
        ]
        parts: list[Part] = [indent, (f"{ends[0]} – {ends[1]}", "bold $accent")]
        if marking.mark is not None:
            parts.append((f"   {marking.mark.end_s - marking.mark.start_s:.3f} s", "$foreground"))
        if marking.low_hz is not None and marking.high_hz is not None:
            for edge, hertz in ((Edge.BOTTOM, marking.low_hz), (Edge.TOP, marking.high_hz)):
                style = "bold reverse $accent" if marking.edge is edge else "$foreground"
                parts += [("   " if edge is Edge.BOTTOM else " – ", "$foreground"), (f"{hertz:.0f}", style)]
            parts.append((" Hz", "$foreground"))
        return Content.assemble(*parts)

    def _labels(self) -> Content:
        room = self.size.width - GUTTER
        meant = {Saying.ALSO: "also: ", Saying.ABSENT: "it is not: "}.get(self._saying, "")
        parts: list[Part] = [(" " * GUTTER, ""), (meant, "bold $warning")]
        room -= cell_len(meant)
        if not self._offers:
            parts.append(("no labels yet: / makes one", "$quiet"))
        for place, offer in enumerate(self._offers, start=1):
            label = clip(offer.label, _LONGEST_LABEL)
            sure = f" {offer.probability:.0%}" if offer.probability is not None else ""
            long = cell_len(label) + len(sure) + 5
            if long - 3 > room:
                break
            room -= long
            standing = offer.label in self._heard
            parts += [
                (f"{place} ", "bold $accent" if self._marking.mark is not None else "$quiet"),
                (label, "bold $success" if standing else "$foreground"),
                (sure, "$primary"),
                ("   ", ""),
            ]
        return Content.assemble(*parts)
