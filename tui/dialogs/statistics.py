"""Statistics: annotation speed, how often the first suggestion was right, labels saved by the query strategy."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from labeltool.annotation.speed import AnnotationStatistics, LabelsSaved

_NAME_WIDTH = 30
_COLUMN = 14


class StatisticsScreen(ModalScreen[None]):
    """A page of numbers; Escape, `P` or `q` closes it.

    Parameters
    ----------
    session, total
        Of this session, and of all labels of the annotator in the project.
    saved
        The result of the last simulation; None before the first.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,P,q,enter", "dismiss(None)", "close", show=False)]

    def __init__(self, session: AnnotationStatistics, total: AnnotationStatistics, saved: LabelsSaved | None) -> None:
        super().__init__()
        self._session = session
        self._total = total
        self._saved = saved

    def compose(self) -> ComposeResult:
        """Lay out the page."""
        with Vertical(id="statistics") as page:
            page.border_title = "Statistics"
            page.border_subtitle = "Esc closes"
            yield Static(Content("\n").join(self._lines()))

    def _lines(self) -> list[Content]:
        heads = f"{'session':>{_COLUMN}}{'total':>{_COLUMN}}"
        lines = [Content.assemble((" " * _NAME_WIDTH, ""), (heads, "$quiet"))]
        lines += [
            Content.assemble(
                (f"{name:<{_NAME_WIDTH}}", "$foreground"),
                (f"{of_session:>{_COLUMN}}", "bold $accent"),
                (f"{total:>{_COLUMN}}", "$foreground"),
            )
            for name, of_session, total in zip(_NAMES, _values(self._session), _values(self._total), strict=True)
        ]
        return [*lines, Content(""), *(Content.styled(line, "$quiet") for line in _labels_saved(self._saved))]


_NAMES = ("clips labelled", "clips per minute", "median time per clip", "first suggestion right")


def _values(statistics: AnnotationStatistics) -> list[str]:
    """Return the values for `_NAMES`."""
    return [
        f"{statistics.answers:,}",
        "–" if statistics.clips_per_minute is None else f"{statistics.clips_per_minute:.1f}",
        "–" if statistics.median_ms is None else f"{statistics.median_ms / 1000:.1f} s",
        "–" if statistics.first_right is None else f"{statistics.first_right:.0%}",
    ]


def _labels_saved(saved: LabelsSaved | None) -> list[str]:
    if saved is None:
        return ["Labels saved by the query strategy:", "`labeltool simulate` measures them."]
    return [
        f"{saved.labels} labels chosen by {saved.strategy!r} are worth",
        f"{saved.labels_at_random} labels chosen at random (clip accuracy {saved.clip_accuracy:.0%}).",
    ]
