"""The stopwatch: how fast the answers come, how often the model was right first, what its questions save."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from labeltool.annotation.pace import LabelsSaved, Pace

_NAME_WIDTH = 30
_COLUMN = 14


class Stopwatch(ModalScreen[None]):
    """A page of figures; Escape, `P` or `q` closes it.

    Parameters
    ----------
    sitting, ever
        Of this sitting, and of all the annotator ever answered here.
    saved
        What the last simulation said of the questions; None before the first.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,P,q,enter", "dismiss(None)", "close", show=False)]

    def __init__(self, sitting: Pace, ever: Pace, saved: LabelsSaved | None) -> None:
        super().__init__()
        self._sitting = sitting
        self._ever = ever
        self._saved = saved

    def compose(self) -> ComposeResult:
        """Lay the page out."""
        with Vertical(id="stopwatch") as page:
            page.border_title = "Stopwatch"
            page.border_subtitle = "Esc closes"
            yield Static(Content("\n").join(self._lines()))

    def _lines(self) -> list[Content]:
        heads = f"{'this sitting':>{_COLUMN}}{'ever':>{_COLUMN}}"
        lines = [Content.assemble((" " * _NAME_WIDTH, ""), (heads, "$quiet"))]
        lines += [
            Content.assemble(
                (f"{name:<{_NAME_WIDTH}}", "$foreground"),
                (f"{sitting:>{_COLUMN}}", "bold $accent"),
                (f"{ever:>{_COLUMN}}", "$foreground"),
            )
            for name, sitting, ever in zip(_FIGURES, _figures(self._sitting), _figures(self._ever), strict=True)
        ]
        return [*lines, Content(""), *(Content.styled(line, "$quiet") for line in _what_questions_save(self._saved))]


_FIGURES = ("clips answered", "clips a minute", "median time an answer", "first suggestion was right")


def _figures(pace: Pace) -> list[str]:
    """Return what stands beside `_FIGURES`."""
    return [
        f"{pace.answers:,}",
        "–" if pace.clips_per_minute is None else f"{pace.clips_per_minute:.1f}",
        "–" if pace.median_ms is None else f"{pace.median_ms / 1000:.1f} s",
        "–" if pace.first_right is None else f"{pace.first_right:.0%}",
    ]


def _what_questions_save(saved: LabelsSaved | None) -> list[str]:
    if saved is None:
        return ["What the questions save against asking at random:", "`labeltool simulate` finds out."]
    return [
        f"{saved.labels} labels asked for by {saved.strategy!r} teach as much as",
        f"{saved.labels_at_random} labels asked for at random ({saved.clip_accuracy:.0%} of clips right).",
    ]
