"""The products that a project can be exported as, to choose some."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.events import Click
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Static

from labeltool.tasks.export_products import Product
from labeltool.tui.text import fit

_NAME_CELLS = 20


class ProductList(Widget):
    """Shows products, one of them selected, some of them chosen."""

    def __init__(self, products: Sequence[Product], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._products = products
        self._at = 0
        self._chosen: set[str] = set()

    @property
    def selected(self) -> Product:
        """The selected product."""
        return self._products[self._at]

    @property
    def chosen(self) -> list[str]:
        """The names of the chosen products; where none is, of the selected one."""
        return [one.name for one in self._products if one.name in self._chosen] or [self.selected.name]

    def move_to(self, place: int) -> None:
        """Select a product by its place."""
        self._at = min(max(0, place), len(self._products) - 1)
        self.refresh()

    def move(self, steps: int) -> None:
        """Move the selection."""
        self.move_to(self._at + steps)

    def toggle(self) -> None:
        """Choose the selected product, or not any more."""
        self._chosen ^= {self.selected.name}
        self.refresh()

    def render(self) -> Content:
        """Return as many lines as fit, the selected one among them."""
        width = self.size.width
        lines = []
        for place in self._visible():
            one = self._products[place]
            mark = "✓" if one.name in self._chosen else " "
            text = fit(f" {mark} {fit(one.name, _NAME_CELLS)} {one.help}", width)
            lines.append(Content.styled(text, "bold reverse $accent" if place == self._at else "$foreground"))
        return Content("\n").join(lines)

    def on_click(self, event: Click) -> None:
        """Choose the product under the mouse."""
        places = self._visible()
        if event.y < len(places):
            self.move_to(places[event.y])
            self.toggle()

    def _visible(self) -> range:
        height = max(1, self.size.height)
        first = max(0, min(self._at - height // 2, len(self._products) - height))
        return range(first, min(first + height, len(self._products)))


class ExportDialog(ModalScreen[list[str] | None]):
    """Returns the names of the products to export; None on Escape.

    Parameters
    ----------
    products
        All products, one at least.
    folder
        Where they are written, in words.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss(None)", "close", show=False),
        Binding("up", "move(-1)", "previous", show=False),
        Binding("down", "move(1)", "next", show=False),
        Binding("space", "choose", "choose", show=False),
        Binding("enter", "export", "export", show=False),
    ]

    def __init__(self, products: Sequence[Product], folder: str) -> None:
        super().__init__()
        self._list = ProductList(products, id="products")
        self._facts = Static(id="product-facts")
        self._folder = folder

    def compose(self) -> ComposeResult:
        """Lay out the box."""
        with Vertical(id="export") as box:
            box.border_title = Content(f"Export to {self._folder}")
            box.border_subtitle = "Space choose   Enter export   Esc cancel"
            yield self._list
            yield self._facts

    def on_mount(self) -> None:
        """Show what the first product is."""
        self._show_facts()

    def action_move(self, steps: int) -> None:
        """Move the selection."""
        self._list.move(steps)
        self._show_facts()

    def action_choose(self) -> None:
        """Choose the selected product, or not any more."""
        self._list.toggle()

    def on_click(self, event: Click) -> None:
        """Show what the product under the mouse is."""
        self.call_after_refresh(self._show_facts)

    def action_export(self) -> None:
        """Export the chosen products."""
        self.dismiss(self._list.chosen)

    def _show_facts(self) -> None:
        one = self._list.selected
        carried = f"carries beside the labels: {', '.join(one.carries)}" if one.carries else ""
        needs = "needs a trained model" if one.needs_model else "needs no model"
        self._facts.update(Content("\n").join([Content(one.help), Content(f"{needs}; {carried}".rstrip("; "))]))
