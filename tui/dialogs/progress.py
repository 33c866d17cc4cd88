"""Progress: annotation speed, clips of each label against the goal, what the models measured, the training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from labeltool.annotation.progress import CurvePoint, LabelProgress, Progress
from labeltool.annotation.speed import AnnotationStatistics, LabelsSaved
from labeltool.tui.state import State
from labeltool.tui.text import bar, fit, format_left, one_line

_NAME_WIDTH = 30
_COLUMN = 12
_LABEL_CELLS, _BAR_CELLS = 20, 16
_LEVELS = "▁▂▃▄▅▆▇█"
_MAX_POINTS = 16
_RENEW_S = 1.0


@dataclass(frozen=True, slots=True)
class ProgressFacts:
    """What the page shows.

    Attributes
    ----------
    session, total
        Of this session, and of all labels of the annotator in the project.
    clips_per_minute
        Of this session, as the header shows it.
    progress
        Of the project's labels and models.
    goal
        The clips that each label should have; 0: no goal.
    saved
        The result of the last simulation; None before the first.
    """

    session: AnnotationStatistics
    total: AnnotationStatistics
    clips_per_minute: float | None
    progress: Progress
    goal: int
    saved: LabelsSaved | None


class ProgressScreen(ModalScreen[None]):
    """A page of numbers; Escape, `P` or `q` closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,P,q,enter", "dismiss(None)", "close", show=False)]

    def __init__(self, facts: ProgressFacts, state: State) -> None:
        super().__init__()
        self._facts = facts
        self._state = state
        self._now = Static(id="progress-now")

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="progress") as page:
            page.border_title = "Progress"
            page.border_subtitle = "↑ ↓ scroll   Esc closes"
            yield self._now
            yield Static(Content("\n").join(_lines(self._facts)), id="progress-numbers")

    def on_mount(self) -> None:
        self._show_now()
        self.set_interval(_RENEW_S, self._show_now)

    def _show_now(self) -> None:
        lines = [*_suggester_line(self._state), *_training_line(self._state)]
        self._now.update(Content("\n").join([*lines, Content("")]))
        self._now.display = bool(lines)


def _suggester_line(state: State) -> Iterator[Content]:
    suggester = state.model.suggester if state.model is not None else None
    if suggester is not None:
        text = ": ".join(part for part in (one_line(suggester.source), suggester.accuracy_text) if part)
        yield Content.assemble(("Suggestions  ", "bold $primary"), (text, "$foreground"))


def _training_line(state: State) -> Iterator[Content]:
    training = state.training
    if training is not None and not training.over:
        share = bar(training.done / training.total, _BAR_CELLS) if training.total else "…"
        left_s = training.left_now_s
        left = f" {format_left(left_s)}" if left_s is not None else ""
        yield Content.assemble(
            ("Training  ", "bold $primary"),
            (f"{training.stage or 'starting'} ", "$foreground"),
            (share, "$accent"),
            (f"{left}   Ctrl+t stops it", "$quiet"),
        )


def _lines(facts: ProgressFacts) -> Iterator[Content]:
    yield Content.styled(" " * _NAME_WIDTH + f"{'session':>{_COLUMN}}{'total':>{_COLUMN}}", "$quiet")
    speeds = (facts.clips_per_minute, facts.total.clips_per_minute)
    for name, of_session, total in (
        ("clips labelled", f"{facts.session.answers:,}", f"{facts.total.answers:,}"),
        ("clips per minute", *("–" if speed is None else f"{speed:.1f}" for speed in speeds)),
        ("median time per clip", _seconds(facts.session.median_ms), _seconds(facts.total.median_ms)),
        ("first suggestion right", _percent(facts.session.first_right), _percent(facts.total.first_right)),
    ):
        yield Content.assemble(
            (f"{name:<{_NAME_WIDTH}}", "$foreground"),
            (f"{of_session:>{_COLUMN}}", "bold $accent"),
            (f"{total:>{_COLUMN}}", "$foreground"),
        )
    yield Content("")
    yield from _label_lines(facts.progress, facts.goal)
    yield from _model_lines(facts.progress)
    yield Content("")
    yield from (Content.styled(line, "$quiet") for line in _labels_saved(facts.saved))


def _label_lines(progress: Progress, goal: int) -> Iterator[Content]:
    reached = sum(one.clips >= goal for one in progress.labels)
    text = f"{reached} of {len(progress.labels)} labels have {goal} clips, {progress.missing(goal):,} clips to go"
    yield Content.assemble(("Labels  ", "bold $primary"), (text if goal else "", "$foreground"))
    if any(one.curve for one in progress.labels):
        head = f"{'':{_LABEL_CELLS}} {'clips':>6} {'':{_BAR_CELLS + 2}}recall, model by model"
        yield Content.styled(head, "$quiet")
    most = max((one.clips for one in progress.labels), default=0)
    for one in progress.labels:
        yield _label_line(one, goal, goal or max(1, most))
    if not progress.labels:
        yield Content.styled("no labels yet", "$quiet")


def _label_line(one: LabelProgress, goal: int, full: int) -> Content:
    done = bool(goal) and one.clips >= goal
    recall = f"  {_sparkline(one.curve)} {_percent(one.curve[-1].share)}" if one.curve else ""
    return Content.assemble(
        (f"{fit(one.label, _LABEL_CELLS)} ", "$foreground"),
        (f"{one.clips:>6,} ", "bold $foreground"),
        (bar(min(1.0, one.clips / full), _BAR_CELLS), "$success" if done else "$primary"),
        ("✓" if done else " ", "$success"),
        (recall, "$quiet"),
    )


def _model_lines(progress: Progress) -> Iterator[Content]:
    if progress.curve:
        yield Content("")
        yield Content.styled("Accuracy on validation clips, by the labels a model was trained on", "bold $primary")
        for point in progress.curve[-_MAX_POINTS:]:
            yield Content.assemble(
                (f"{point.labels_seen:>7,} labels {point.share:>5.0%} ", "$foreground"),
                (bar(point.share, _BAR_CELLS * 2), "$primary"),
            )
    if progress.confusions:
        yield Content("")
        yield Content.styled(f"Most confused on validation clips, by model {progress.model}", "bold $primary")
        for pair in progress.confusions:
            yield Content.assemble(
                (f"{pair.clips:>7,} × ", "bold $foreground"),
                (f"{fit(pair.label, _LABEL_CELLS)} predicted as ", "$foreground"),
                (fit(pair.predicted, _LABEL_CELLS), "$foreground"),
            )


def _sparkline(curve: Sequence[CurvePoint]) -> str:
    return "".join(_LEVELS[round(point.share * (len(_LEVELS) - 1))] for point in curve[-_MAX_POINTS:])


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"


def _seconds(milliseconds: int | None) -> str:
    return "–" if milliseconds is None else f"{milliseconds / 1000:.1f} s"


def _labels_saved(saved: LabelsSaved | None) -> list[str]:
    if saved is None:
        return ["Labels saved by the query strategy: `labeltool simulate` measures them."]
    return [
        f"{saved.labels} labels chosen by {saved.strategy!r} are worth",
        f"{saved.labels_at_random} labels chosen at random (clip accuracy {saved.clip_accuracy:.0%}).",
    ]
