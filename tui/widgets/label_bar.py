"""The two lines under a long recording: the selected region, and the labels for it with their keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

from labeltool.store.checked import CheckedPart
from labeltool.tui.label_choices import LabelChoice, by_probability
from labeltool.tui.media.selection import Edge, Selection
from labeltool.tui.text import truncate
from labeltool.tui.theme import label_colour
from labeltool.tui.widgets.key_hints import clickable
from labeltool.tui.widgets.lists.clip_list import Part
from labeltool.tui.widgets.suggestions import LabelMode, label_action
from labeltool.tui.widgets.time_axis import GUTTER, moment_name

_MAX_LABEL_CELLS = 22
_BETWEEN_LABELS = 3
_PRECISION_S = 0.001
_CUT = "…"
_WHOLE_S = 1e-4  # a part that ends so little before the recording is all of it
_MODES = {LabelMode.LABEL: "", LabelMode.ADD: "add: ", LabelMode.ABSENT: "reject: "}


class LabelBar(Widget):
    """Shows two lines."""

    auto_links = False

    def __init__(self, key_names: Mapping[str, str], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._key_names = key_names
        self._selection = Selection()
        self._choices: Sequence[LabelChoice] | None = None  # before a recording is open
        self._first: LabelChoice | None = None
        self._mode = LabelMode.LABEL
        self._present: Sequence[str] = ()
        self._checked = ""

    def show_checked(self, text: str) -> None:
        """Show how far the recording is checked, beside the region."""
        self._checked = text
        self.refresh()

    def show(
        self,
        selection: Selection,
        choices: Sequence[LabelChoice],
        mode: LabelMode,
        present: Sequence[str],
        *,
        first: LabelChoice | None,
    ) -> None:
        """Show the selected region, the labels that one key gives, and which of them are present on the region."""
        self._selection, self._choices, self._mode, self._present = selection, choices, mode, present
        self._first = first
        self.refresh()

    def render(self) -> Content:
        checked = Content.assemble((f"   {self._checked}", "$quiet")) if self._checked else Content()
        return Content("\n").join([self._region() + checked, self._labels()])

    def _region(self) -> Content:
        selection = self._selection
        indent: Part = (" " * GUTTER, "")
        if not selection.started:
            return Content.assemble(
                indent, ("i", "bold $accent"), (" sets the start, ", "$quiet"), ("o", "bold $accent"),
                (" the end, ", "$quiet"), ("Tab", "bold $accent"), (" selects the next label or suggestion", "$quiet"),
            )  # fmt: skip
        start, end = (
            "…" if moment_s is None else moment_name(moment_s, _PRECISION_S)
            for moment_s in (selection.start_s, selection.end_s)
        )
        parts: list[Part] = [indent, (f"{start} – {end}", "bold $accent")]
        if selection.region is not None:
            parts.append((f"   {selection.region.end_s - selection.region.start_s:.3f} s", "$foreground"))
        if selection.low_hz is not None and selection.high_hz is not None:
            for edge, hertz in ((Edge.BOTTOM, selection.low_hz), (Edge.TOP, selection.high_hz)):
                style = "bold reverse $accent" if selection.edge is edge else "$foreground"
                parts += [("   " if edge is Edge.BOTTOM else " – ", "$foreground"), (f"{hertz:.0f}", style)]
            parts.append((" Hz", "$foreground"))
        return Content.assemble(*parts)

    def _labels(self) -> Content:
        free = self.size.width - GUTTER
        mode = _MODES[self._mode]
        parts: list[Part] = [(" " * GUTTER, ""), (mode, "bold $warning")]
        free -= cell_len(mode)
        if self._choices is None:
            return Content()
        if not self._choices:
            parts.append(("no labels yet: / makes one", "$quiet"))
        shown: dict[LabelChoice, list[Part]] = {}
        for choice in by_probability(self._choices):
            shown[choice] = self._label(choice)
            free -= _cells(shown[choice])
        cut = free < -_BETWEEN_LABELS
        while shown and free < (len(_CUT) if cut else -_BETWEEN_LABELS):
            free += _cells(shown.popitem()[1])  # the least probable one
        labels = [
            clickable(Content.assemble(*shown[choice]), label_action(choice))
            for choice in self._choices
            if choice in shown
        ]
        return Content().join([Content.assemble(*parts), *labels, Content.styled(_CUT if cut else "", "$quiet")])

    def _label(self, choice: LabelChoice) -> list[Part]:
        key = ("⏎" if choice == self._first else "") + self._key_names.get(choice.key, "")
        label = ("+ " if choice.is_new else "") + choice.label
        probability = f" {choice.probability:.0%}" if choice.probability is not None else ""
        return [
            ("▌" if choice.colour else "", label_colour(choice.colour, dark=self.app.current_theme.dark)),
            (f"{key} ", "bold $accent" if self._selection.region is not None else "$quiet"),
            (truncate(label, _MAX_LABEL_CELLS), "bold $success" if choice.label in self._present else "$foreground"),
            (probability, "$primary"),
            (" " * _BETWEEN_LABELS, ""),
        ]


def checked_text(parts: Sequence[CheckedPart], duration_s: float) -> str:
    """Return how far a recording is checked: `☑ checked`, `☑ 2 parts checked`, or nothing."""
    if any(part.clip.end_s - part.clip.start_s > duration_s - _WHOLE_S for part in parts):
        return "☑ checked"
    return f"☑ {len(parts)} part{'s' * (len(parts) > 1)} checked" if parts else ""


def _cells(parts: Sequence[Part]) -> int:
    return sum(cell_len(text) for text, _ in parts)
