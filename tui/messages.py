"""What the app's threads report to its screens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message

from labeltool.tui.background.class_agreement import Agreement
from labeltool.tui.background.comparer import Comparison
from labeltool.tui.background.prefetch import Delivery
from labeltool.tui.background.trainer import TrainingProgress

if TYPE_CHECKING:
    from labeltool.tasks.evaluate import EvaluateResult


class Prefetched(Message):
    """Clips, counts or the model's state were read."""

    def __init__(self, delivery: Delivery) -> None:
        super().__init__()
        self.delivery = delivery


class BackupFailed(Message):
    """No backup was written today."""

    def __init__(self, problem: str) -> None:
        super().__init__()
        self.problem = problem


class PretrainedChanged(Message):
    """Fetching a pretrained model made progress or ended; `name` is that of a model that was added."""

    def __init__(self, progress: str = "", *, name: str = "", failure: str = "") -> None:
        super().__init__()
        self.progress, self.name, self.failure = progress, name, failure


class TrainingChanged(Message):
    """A training made progress or ended."""

    def __init__(self, training: TrainingProgress) -> None:
        super().__init__()
        self.training = training


class SimilarityChanged(Message):
    """Indexing or clustering clips made progress or ended."""

    def __init__(self, comparison: Comparison) -> None:
        super().__init__()
        self.comparison = comparison


class AgreementMeasured(Message):
    """The agreement of a pretrained model's classes with the labels was measured."""

    def __init__(self, agreement: Agreement) -> None:
        super().__init__()
        self.agreement = agreement


class Evaluated(Message):
    """A model was evaluated; `failure` says why not."""

    def __init__(self, result: EvaluateResult | None, failure: str = "") -> None:
        super().__init__()
        self.result, self.failure = result, failure


class Exported(Message):
    """An export made progress, or ended.

    Attributes
    ----------
    progress
        How far it is, in words.
    folders
        Where the products are; none before the end.
    notes
        What else a person should know of the result.
    failure
        Why nothing was exported; "" where it was not so.
    """

    def __init__(
        self, progress: str = "", *, folders: tuple[str, ...] = (), notes: tuple[str, ...] = (), failure: str = ""
    ) -> None:
        super().__init__()
        self.progress, self.folders, self.notes, self.failure = progress, folders, notes, failure


class SuggestionsChanged(Message):
    """A pretrained model made new suggestions."""

    def __init__(self, training: TrainingProgress) -> None:
        super().__init__()
        self.training = training


class PointedAt(Message):
    """The mouse is over a moment of a sound; `share` is None when it has left.

    Attributes
    ----------
    share
        The moment, as a share of what is on the screen.
    hertz, decibels
        The frequency under the mouse and its level; None where the widget shows no frequencies.
    """

    def __init__(self, share: float | None, hertz: float | None = None, decibels: float | None = None) -> None:
        super().__init__()
        self.share, self.hertz, self.decibels = share, hertz, decibels


class ClickedAt(Message):
    """A moment of a sound was clicked; `in_whole` where the widget always shows the whole recording."""

    def __init__(self, share: float, in_whole: bool) -> None:
        super().__init__()
        self.share, self.in_whole = share, in_whole


class Dragged(Message):
    """The mouse goes over a part of a sound; `over` when the button was released."""

    def __init__(self, start: float, end: float, over: bool) -> None:
        super().__init__()
        self.start, self.end, self.over = start, end, over


class Wheeled(Message):
    """The wheel was turned over a sound, up (`steps` 1) or down (-1); `share` and `height` say where, 0 to 1."""

    def __init__(self, steps: int, share: float, height: float, *, ctrl: bool, shift: bool) -> None:
        super().__init__()
        self.steps, self.share, self.height = steps, share, height
        self.ctrl, self.shift = ctrl, shift
