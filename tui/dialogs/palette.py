"""The palette: find a label or an action by a few letters, or make a new label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Input

from labeltool.records import label_name
from labeltool.tui.dialogs.prompts import Box
from labeltool.tui.label_choices import is_name, search, starts_word
from labeltool.tui.text import fit, truncate
from labeltool.tui.widgets.lists.select_list import SelectList

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


class Choices(SelectList):
    """Shows the names that match, one of them selected.

    The order is: a label of that name, labels with a word that starts so, classes predicted for the clip, what is typed
    as a new label, labels that only have these letters somewhere, as `train` has `rain`, and then other classes: of
    hundreds of them one has a word that starts with nearly any letters.
    """

    def __init__(self, names: _Names, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._names = names
        self._known = set(names.labels)
        self._new_names = [name for name in dict.fromkeys([*names.predicted, *names.new]) if name not in self._known]
        self._shown: list[str] = [*names.labels, *self._new_names]

    def find(self, query: str) -> None:
        names = self._names
        name = label_name(query)
        # Two labels may differ in case only.
        labels = sorted(search(query, names.labels, names.synonyms), key=lambda one: one != name)
        classes = search(query, self._new_names, in_words=True)
        self._shown = [*labels, *classes]
        if name and names.allows_new and name not in self._known and name not in self._new_names:
            meant = [one for one in labels if starts_word(query, one)] + [one for one in classes if is_name(query, one)]
            meant += [one for one in names.predicted if one in classes and starts_word(query, one)]
            self._shown = list(dict.fromkeys([*meant, name, *self._shown]))
        self.move_to(0)

    @property
    def count(self) -> int:
        return len(self._shown)

    @property
    def chosen(self) -> str | None:
        """The selected name, or the new label; None where there is none."""
        return self._shown[self.place] if self._shown else None

    def line(self, place: int, width: int) -> Content:
        name = self._shown[place]
        is_new = name not in self._known
        key = self._names.keys.get(name, "")
        mark = " + new label: " if is_new else " "
        end = f"  {key} " if key else " "
        text = fit(f"{mark}{truncate(name, width)}", width - cell_len(end)) + end
        style = "bold reverse $accent" if place == self.place else "$success" if is_new else "$foreground"
        return Content.styled(text, style)

    def empty(self) -> Content:
        return Content.styled("No labels yet: type a name" if self._names.allows_new else "No match", "$quiet")


class Palette(Box[str | None]):
    """Finds a name; returns the one chosen, None on Escape.

    Parameters
    ----------
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
    placeholder
        What to type; "" for a few letters, and a new label where there can be one.
    """

    BOX, SUBTITLE = "palette", "↑ ↓ choose   Enter accept   Esc cancel"

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
        placeholder: str = "",
    ) -> None:
        placeholder = placeholder or ("a few letters, or a new label" if allows_new else "a few letters")
        names = _Names(labels, new, predicted, allows_new, synonyms, keys)
        choices = Choices(names, id="palette-choices")
        super().__init__(title, Input(placeholder=placeholder, id="palette-input"), choices)

    def on_input_changed(self, event: Input.Changed) -> None:
        self.query_one(Choices).find(event.value)

    def on_select_list_clicked(self) -> None:
        self.dismiss(self.query_one(Choices).chosen)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        chosen = self.query_one(Choices).chosen
        if chosen is not None:
            self.dismiss(chosen)
