"""The products that a project can be exported as, to choose some."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from labeltool.tasks.export_products import Product
from labeltool.tui.dialogs.prompts import Box
from labeltool.tui.text import fit
from labeltool.tui.widgets.lists.select_list import SelectList

_NAME_CELLS = 17


class ProductList(SelectList):
    """Shows products, one of them selected, some of them chosen."""

    def __init__(self, products: Sequence[Product], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._products = products
        self._chosen: set[str] = set()

    @property
    def count(self) -> int:
        return len(self._products)

    @property
    def selected(self) -> Product:
        return self._products[self.place]

    @property
    def chosen(self) -> list[str]:
        """The names of the chosen products; where none is, of the selected one."""
        return [one.name for one in self._products if one.name in self._chosen] or [self.selected.name]

    def toggle(self) -> None:
        """Choose the selected product, or not any more."""
        self._chosen ^= {self.selected.name}
        self.refresh()

    def line(self, place: int, width: int) -> Content:
        one = self._products[place]
        mark = "✓" if one.name in self._chosen else " "
        start = f" {mark} {fit(one.name, _NAME_CELLS)} "
        fits = cell_len(start) + max(cell_len(each.help) for each in self._products) <= width
        text = fit(start + one.help if fits else start, width)  # that of the selected one is below, too
        return Content.styled(text, "bold reverse $accent" if place == self.place else "$foreground")


class ExportDialog(Box[list[str] | None]):
    """Returns the names of the products to export; None on Escape."""

    BOX, SUBTITLE = "export", "Space choose   Enter export   Esc cancel"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss(None)", "close", show=False),
        Binding("up", "move(-1)", "previous", show=False),
        Binding("down", "move(1)", "next", show=False),
        Binding("space", "choose", "choose", show=False),
        Binding("enter", "export", "export", show=False),
    ]

    def __init__(self, products: Sequence[Product], folder: str) -> None:
        self._list = ProductList(products, id="products")
        self._facts = Static(id="product-facts")
        super().__init__(f"Export to {folder}", self._list, self._facts)

    def on_mount(self) -> None:
        self._show_facts()

    def action_move(self, steps: int) -> None:
        super().action_move(steps)
        self._show_facts()

    def action_choose(self) -> None:
        """Choose the selected product, or not any more."""
        self._list.toggle()

    def on_select_list_clicked(self) -> None:
        self._list.toggle()
        self._show_facts()

    def action_export(self) -> None:
        self.dismiss(self._list.chosen)

    def _show_facts(self) -> None:
        one = self._list.selected
        names = ["frequency ranges" if what == "bands" else what for what in one.carries]
        carried = f"carries beside the labels: {', '.join(names)}" if names else ""
        needs = "needs a trained model" if one.needs_model else "needs no model"
        self._facts.update(Content("\n").join([Content(one.help), Content(f"{needs}; {carried}".rstrip("; "))]))
