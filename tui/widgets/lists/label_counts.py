"""A column of labels with counts, one of them selected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.content import Content

from labeltool.tui.text import fit
from labeltool.tui.widgets.lists.select_list import SelectList


class LabelCounts(SelectList):
    """Shows labels with the number of clips of each."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._counts: Mapping[str, int] = {}
        self._labels: Sequence[str] = ()

    @property
    def count(self) -> int:
        return len(self._labels)

    @property
    def selected(self) -> str:
        return self._labels[self.place]

    def show(self, counts: Mapping[str, int], selected: str) -> None:
        """Show labels in their order, one of them selected."""
        self._counts, self._labels = counts, list(counts)
        self.move_to(self._labels.index(selected) if selected in counts else 0)

    def line(self, place: int, width: int) -> Content:
        label, selected = self._labels[place], place == self.place
        count = f" {self._counts[label]:,}"
        text = fit(f"{'▸' if selected else ' '} {label}", max(0, width - len(count))) + count
        return Content.styled(text, "bold $accent" if selected else "$foreground")
