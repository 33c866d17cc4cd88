"""The palette: find a label or an action by a few letters, or make a new label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.events import Click
from textual.message import Message
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input

from labeltool.records import label_name
from labeltool.tui.label_choices import is_name, search, starts_word
from labeltool.tui.text import fit, truncate

_NONE: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class _Names:
    """What a palette finds; the fields are as for `Palette`."""

    labels: Sequence[str]
    new: Sequence[str]
    predicted: Sequence[str]
    allows_new: bool
    synonyms: Mapping[str, Sequence[str]]
    keys: Mapping[str, str]


class Choices(Widget):
    """Shows the names that match, one of them selected.

    The order is: a label of that name, labels with a word that starts so, classes predicted for the clip, what is typed
    as a new label, labels that only have these letters somewhere, as `train` has `rain`, and then other classes: of
    hundreds of them one has a word that starts with nearly any letters.
    """

    class Clicked(Message):
        """A name was clicked, and is the one chosen."""

    def __init__(self, names: _Names, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._names = names
        self._known = set(names.labels)
        self._new_names = [name for name in dict.fromkeys([*names.predicted, *names.new]) if name not in self._known]
        self._matches: list[str] = [*names.labels, *self._new_names]
        self._new = ""
        self._new_place = len(self._matches)
        self._selected = 0

    def find(self, query: str) -> None:
        """Show the names that match the letters."""
        names = self._names
        name = label_name(query)
        # Two labels may differ in case only.
        labels = sorted(search(query, names.labels, names.synonyms), key=lambda one: one != name)
        classes = search(query, self._new_names, in_words=True)
        self._matches = [*labels, *classes]
        self._new = name if names.allows_new and name not in self._known and name not in self._new_names else ""
        if self._new:
            meant = [one for one in labels if starts_word(query, one)] + [one for one in classes if is_name(query, one)]
            meant += [one for one in names.predicted if one in classes and starts_word(query, one)]
            self._matches = list(dict.fromkeys([*meant, *self._matches]))
            self._new_place = len(dict.fromkeys(meant))
        self._selected = 0
        self.refresh()

    def move(self, steps: int) -> None:
        """Move the selection."""
        self._selected = min(max(0, self._selected + steps), max(0, self._count - 1))
        self.refresh()

    @property
    def chosen(self) -> str | None:
        """The selected name, or the new label; None where there is none."""
        return self._shown[self._selected] if self._selected < self._count else None

    @property
    def _first(self) -> int:
        """The place of the name in the first line."""
        return max(0, min(self._selected - self.size.height // 2, self._count - self.size.height))

    def on_click(self, event: Click) -> None:
        """Choose the name under the mouse."""
        if self._first + event.y < self._count:
            self._selected = self._first + event.y
            self.post_message(self.Clicked())

    def render(self) -> Content:
        """Return as many lines as fit, the selected one among them."""
        width, height = self.size
        first = self._first
        lines = []
        for place, name in list(enumerate(self._shown))[first : first + height]:
            is_new = name not in self._known
            key = self._names.keys.get(name, "")
            mark = " + new label: " if is_new else " "
            text = fit(f"{mark}{truncate(name, width)}", width - cell_len(key) - 1) + key + " "
            style = "bold reverse $accent" if place == self._selected else "$success" if is_new else "$foreground"
            lines.append(Content.styled(text, style))
        if not lines:
            text = "No labels yet: type a name" if self._names.allows_new else "No match"
            lines.append(Content.styled(text, "$quiet"))
        return Content("\n").join(lines)

    @property
    def _shown(self) -> list[str]:
        """The names that match, with the new label among them."""
        new = [self._new] if self._new else []
        return [*self._matches[: self._new_place], *new, *self._matches[self._new_place :]]

    @property
    def _count(self) -> int:
        return len(self._matches) + bool(self._new)


class Palette(ModalScreen[str | None]):
    """Finds a name; returns the one chosen, None on Escape.

    Parameters
    ----------
    title
        The title of the box.
    labels
        The names, in the order for no letters.
    allows_new
        Whether letters that are no name can be a new label.
    new
        Names that make a label; they come after the others.
    predicted
        Those of them that a model predicts for the clip, the most probable first.
    synonyms
        Other words by which names are found.
    keys
        The keys of names, shown at the right.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "close", show=False),
        Binding("down,ctrl+n", "move(1)", "next", show=False, priority=True),
        Binding("up,ctrl+p", "move(-1)", "previous", show=False, priority=True),
        Binding("pagedown", "move(8)", "further", show=False, priority=True),
        Binding("pageup", "move(-8)", "back", show=False, priority=True),
    ]

    def __init__(
        self,
        title: str,
        labels: Sequence[str],
        *,
        allows_new: bool = True,
        new: Sequence[str] = (),
        predicted: Sequence[str] = (),
        synonyms: Mapping[str, Sequence[str]] = _NONE,
        keys: Mapping[str, str] = _NONE,
    ) -> None:
        super().__init__()
        self._title = title
        self._names = _Names(labels, new, predicted, allows_new, synonyms, keys)

    def compose(self) -> ComposeResult:
        """Lay out the box."""
        with Vertical(id="palette") as box:
            box.border_title = Content(self._title)
            box.border_subtitle = "↑ ↓ choose   Enter accept   Esc cancel"
            placeholder = "a few letters, or a new label" if self._names.allows_new else "a few letters"
            yield Input(placeholder=placeholder, id="palette-input")
            yield Choices(self._names, id="palette-choices")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Search again with every letter."""
        self.query_one(Choices).find(event.value)

    def on_choices_clicked(self) -> None:
        """Return the name that was clicked."""
        self.dismiss(self.query_one(Choices).chosen)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Return the selected name."""
        chosen = self.query_one(Choices).chosen
        if chosen is not None:
            self.dismiss(chosen)

    def action_move(self, steps: int) -> None:
        """Move the selection."""
        self.query_one(Choices).move(steps)
