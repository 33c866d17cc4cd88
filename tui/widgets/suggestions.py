"""The panel beside the spectrogram: the labels with their keys, their probabilities, and the clip's annotations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from enum import Enum

from rich.cells import cell_len

from labeltool.records import Value
from labeltool.store.journal import JournalRow
from labeltool.tui.label_choices import LabelChoice, fitting
from labeltool.tui.text import bar, fit, truncate
from labeltool.tui.theme import label_colour
from labeltool.tui.widgets.lists.clip_list import Part
from labeltool.tui.widgets.painted import Line, TextLines

_MARKS = {Value.PRESENT: "✓", Value.ABSENT: "✗", Value.UNSURE: "?"}
_MAX_ROWS = 6
_LINES_OF_A_ROW = 3  # a blank line, the heading, and one row
_KEY_CELLS = 2
_MIN_DATE_CELLS = 36  # the width of a panel that has room for dates


class LabelMode(Enum):
    """What a label key does: replace the clip's labels, add a label, or reject one. The value is shown as a prompt."""

    LABEL = "What is it?"
    ADD = "Which label to add?"
    ABSENT = "Which label to reject?"


def label_action(choice: LabelChoice) -> str:
    """Return the action of a label's key, which a click on the label runs too; "" where it has no key."""
    return f"label_key({choice.key!r})" if choice.key else ""


class Suggestions(TextLines):
    """Shows the labels and the annotations."""

    def __init__(self, key_names: Mapping[str, str], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._key_names = key_names
        self._choices: tuple[LabelChoice, ...] = ()
        self._first: LabelChoice | None = None
        self._rows: tuple[JournalRow, ...] = ()
        self._source = ""
        self._mode = LabelMode.LABEL
        self._prompt = ""
        self._cleared = True

    def show(
        self,
        choices: tuple[LabelChoice, ...],
        rows: tuple[JournalRow, ...],
        *,
        first: LabelChoice | None,
        source: str,
        mode: LabelMode = LabelMode.LABEL,
        prompt: str = "",
    ) -> None:
        """Show labels and annotations.

        Parameters
        ----------
        rows
            The journal rows of the clip, oldest first.
        first
            The label that Enter accepts.
        prompt
            The line above the labels, in place of the mode's.
        """
        self._choices, self._first, self._rows, self._source = choices, first, rows, source
        self._mode, self._prompt = mode, prompt or mode.value
        self._cleared = False
        self.refresh()

    def clear(self) -> None:
        self._cleared = True
        self.refresh()

    def lines(self, width: int, height: int) -> Sequence[Line]:
        if self._cleared:
            return []
        title = "bold $accent" if self._mode is not LabelMode.LABEL else "bold $foreground"
        blank: Line = ((), "")
        lines: list[Line] = [([(fit(self._prompt, width), title)], ""), ([(fit(self._source, width), "$quiet")], "")]
        free = height - len(lines) - (_LINES_OF_A_ROW if self._rows else 0)
        shown = fitting(self._choices, free if len(self._choices) <= free else free - 1)
        spaced = height >= 2 + 2 * len(shown) + 4
        if spaced:
            lines.append(blank)
        marks = {row.label: _MARKS[Value(row.value)] for row in self._rows if row.label is not None and row.value}
        dark = self.app.current_theme.dark
        for choice in shown:
            mark = marks.get(choice.label, " ")
            lines.append((self._choice_line(choice, width, mark, dark=dark), label_action(choice)))
            if spaced:
                lines.append((_definition_line(choice, width), "") if choice.definition else blank)
        if len(shown) < len(self._choices):
            more = fit(f"… {len(self._choices) - len(shown)} more: their keys, or /", width)
            lines.append(([(more, "$quiet")], "find_label"))
        if self._rows:
            count = max(1, min(_MAX_ROWS, height - len(lines) - 2))
            lines += [blank, ([(fit("Annotations", width), "bold $foreground")], "")]
            lines += [(_row_line(row, width), "") for row in self._rows[-count:]]
        return lines

    def _choice_line(self, choice: LabelChoice, width: int, mark: str, *, dark: bool) -> list[Part]:
        """Return a label's line: whether Enter accepts it, its key, its colour, whether it is present, its name."""
        is_first = choice == self._first
        style = "bold $foreground" if is_first else "$success" if choice.is_new else "$foreground"
        if mark == "✗":
            style = "$quiet strike"
        start: list[Part] = [
            ("⏎" if is_first else " ", "bold $accent"),
            (fit(self._key_names.get(choice.key, ""), _KEY_CELLS), "bold $accent"),
            ("▌" if choice.colour else " ", label_colour(choice.colour, dark=dark)),
            (f"{mark} ", "$success"),
        ]
        width -= _KEY_CELLS + 4
        name = f"+ {choice.label}" if choice.is_new else choice.label
        if choice.probability is None:
            return [*start, (fit(name, width), style)]
        bar_cells = max(4, min(14, width // 4 - 3))
        return [
            *start,
            (fit(name, width - bar_cells - 6), style),
            (f" {choice.probability:4.0%} ", "$foreground" if is_first else "$quiet"),
            (bar(choice.probability, bar_cells), "$primary"),
        ]


def _definition_line(choice: LabelChoice, width: int) -> list[Part]:
    """Return what a label means, for the line below it."""
    return [(fit(" " * (_KEY_CELLS + 4) + choice.definition, width), "$quiet")]


def _row_line(row: JournalRow, width: int) -> list[Part]:
    source = f"{row.annotator} {row.created_at[:10]}" if width >= _MIN_DATE_CELLS else row.annotator
    source = truncate(source, width // 2)
    return [(fit(describe_row(row), width - cell_len(source) - 1), "$foreground"), (f" {source}", "$quiet")]


def describe_row(row: JournalRow) -> str:
    """Return a journal row as a short text: `✓ dog`, `✗ none of these`, `» skipped`, `✎ two dogs`."""
    if row.kind == "note":
        return f"✎ {row.note}"
    if row.kind == "rename":
        return f"{row.label} → {row.new_label}"
    if row.kind != "verdict":
        texts = {"skip": "» skipped", "checked": "☑ checked", "remove": f"− {row.recording}"}
        texts |= {
            "group": f"group {row.recording}",
            "lock": f"lock {row.recording}",
            "define": f"definition of {row.label}",
            "example": f"♪ {row.label}",
            "parent": f"parent of {row.label}",
            "retire": f"{row.label} retired",
            "split": f"split of {row.label}",
        }
        return texts.get(row.kind, "» bad audio")
    assert row.value is not None
    return describe_verdict(row.label, Value(row.value))


def describe_rows(rows: Sequence[JournalRow]) -> str:
    """Return the rows of one action as a short text: `✓ dog`, or for several clips `18 × ✓ dog, 2 × ✗ dog`."""
    if len({row.clip_id for row in rows}) == 1:
        return describe_row(rows[-1])
    counts = Counter(describe_row(row) for row in rows)
    return ", ".join(f"{count} × {text}" for text, count in counts.items())


def describe_verdict(label: str | None, value: Value) -> str:
    """Return a verdict as a short text; without a label it is about the whole clip."""
    if label is None:
        return "✗ none of these" if value is Value.ABSENT else "? cannot tell"
    return f"{_MARKS[value]} {label}"
