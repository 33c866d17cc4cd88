"""The headings of a list's columns: the one it is sorted by is marked, a click sorts by another."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.widget import Widget

from labeltool.tui.text import fit
from labeltool.tui.widgets.key_hints import clickable


class ListHeading(Widget):
    """Shows one line of headings."""

    auto_links = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._columns: Sequence[tuple[str, str, int]] = ()
        self._sorted_by = ""
        self._descends = False

    def show(self, columns: Sequence[tuple[str, str, int]], sorted_by: str, *, descends: bool = False) -> None:
        """Show headings.

        Parameters
        ----------
        columns
            Of each column the order that a click sorts by, its heading and its cells.
        sorted_by
            The order of the list.
        descends
            Whether the highest comes first.
        """
        self._columns, self._sorted_by, self._descends = columns, sorted_by, descends
        self.refresh()

    def render(self) -> Content:
        parts = []
        for order, name, cells in self._columns:
            is_sorted = order == self._sorted_by
            arrow = "▾" if self._descends else "▴"
            text = fit(f"{name} {arrow}" if is_sorted and name else name, cells)
            parts.append(
                clickable(Content.styled(text, "bold $accent" if is_sorted else "$quiet"), f"sort_by({order!r})")
            )
        return Content("").join(parts)
