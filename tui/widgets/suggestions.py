"""The list of answers beside the picture: digits, labels, the model's probabilities, and what was said before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import Enum

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

from labeltool.records import Value
from labeltool.store.journal import JournalRow
from labeltool.tui.label_choices import Offer
from labeltool.tui.text import bar, clip, fit

_MARKS = {Value.PRESENT.value: "✓", Value.ABSENT.value: "✗", Value.UNSURE.value: "?"}
_MOST_SAID = 6
_DATED = 36  # a panel as wide as this has room for dates

Part = tuple[str, str]
"""Text and its style."""


class Saying(Enum):
    """What the next label means: the clip's answer, one of several, or what it is not."""

    ANSWER = "What is it?"
    ALSO = "What is it, among others?"
    ABSENT = "What is it not?"


class Suggestions(Widget):
    """Shows what the digits take."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._offers: tuple[Offer, ...] = ()
        self._said: tuple[JournalRow, ...] = ()
        self._source = ""
        self._saying = Saying.ANSWER
        self._asked = ""
        self._cleared = True

    def show(
        self,
        offers: tuple[Offer, ...],
        said: tuple[JournalRow, ...],
        *,
        source: str,
        saying: Saying = Saying.ANSWER,
        asked: str = "",
    ) -> None:
        """Show labels to take, what was said of the clip before, and (`source`) where the order comes from.

        `asked` stands above them, where the question is not `saying` itself.
        """
        self._offers, self._said, self._source, self._saying = offers, said, source, saying
        self._asked = asked or saying.value
        self._cleared = False
        self.refresh()

    def clear(self) -> None:
        """Show nothing."""
        self._cleared = True
        self.refresh()

    def render(self) -> Content:
        """Return the lines."""
        if self._cleared:
            return Content("")
        width = self.size.width
        title = "bold $accent" if self._saying is not Saying.ANSWER else "bold $foreground"
        lines: list[list[Part]] = [[(fit(self._asked, width), title)], [(fit(self._source, width), "$quiet")]]
        roomy = self.size.height >= 2 + 2 * len(self._offers) + 4
        marks = {row.label: _MARKS[row.value] for row in self._said if row.label is not None and row.value}
        if roomy:
            lines.append([])
        for place, offer in enumerate(self._offers, start=1):
            lines.append(self._row(place, offer, marks.get(offer.label, " "), width))
            if roomy:
                lines.append([])
        if self._said:
            room = max(1, min(_MOST_SAID, self.size.height - len(lines) - 2))
            lines += [[], [(fit("Said so far", width), "bold $foreground")]]
            lines += [_said_line(row, width) for row in self._said[-room:]]
        return Content("\n").join([Content.assemble(*parts) for parts in lines])

    def _row(self, place: int, offer: Offer, mark: str, width: int) -> list[Part]:
        long = max(4, min(14, width // 4 - 2))
        digit = "bold $accent"
        label = "bold $foreground" if place == 1 else "$foreground"
        if mark == "✗":
            label = "$quiet strike"
        if offer.probability is None:
            return [(f"{place} ", digit), (f"{mark} ", "$success"), (fit(offer.label, width - 4), label)]
        named = fit(offer.label, width - 4 - long - 6)
        share = f"{offer.probability:4.0%} "
        return [
            (f"{place} ", digit),
            (f"{mark} ", "$success"),
            (named, label),
            (f" {share}", "$foreground" if place == 1 else "$quiet"),
            (bar(offer.probability, long), "$primary"),
        ]


def what_was_said(row: JournalRow) -> str:
    """Say a row of the journal in a few words: `✓ dog`, `✗ none of these`, `» skipped`, `✎ two dogs`."""
    if row.kind == "note":
        return f"✎ {row.note}"
    if row.kind == "rename":
        return f"{row.label} → {row.new_label}"
    if row.kind != "verdict":
        return "» skipped" if row.kind == "skip" else "» bad audio"
    if row.label is None:
        return "✗ none of these" if row.value == Value.ABSENT.value else "? cannot tell"
    return f"{_MARKS[row.value or '']} {row.label}"


def what_an_act_said(rows: Sequence[JournalRow]) -> str:
    """Say the rows of an act in a few words: `✓ dog`, or `18 × ✓ dog, 2 × ✗ dog` where they speak of several clips."""
    if len({row.clip_id for row in rows}) == 1:
        return what_was_said(rows[-1])
    said = Counter(what_was_said(row) for row in rows)
    return ", ".join(f"{count} × {words}" for words, count in said.items())


def _said_line(row: JournalRow, width: int) -> list[Part]:
    who = clip(f"{row.annotator} {row.said_at[:10]}" if width >= _DATED else row.annotator, width // 2)
    return [(fit(what_was_said(row), width - cell_len(who) - 1), "$foreground"), (f" {who}", "$quiet")]
