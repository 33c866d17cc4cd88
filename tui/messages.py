"""What the app's threads report to its screens, and the mouse to its views."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING

from textual.message import Message

from labeltool.tui.background.comparer import Comparison
from labeltool.tui.background.prefetch import Delivery
from labeltool.tui.background.trainer import TrainingProgress

if TYPE_CHECKING:
    from labeltool.pretrained.project_classes import AgreementResult
    from labeltool.tasks.evaluate import EvaluateResult


@dataclass
class Prefetched(Message):
    """Clips, counts or the model's state were read."""

    delivery: Delivery


@dataclass
class BackupFailed(Message):
    """No backup was written today."""

    problem: str


@dataclass
class PretrainedChanged(Message):
    """Fetching a pretrained model made progress or ended; `name` is that of a model that was added."""

    progress: str = ""
    _: KW_ONLY
    name: str = ""
    failure: str = ""


@dataclass
class TrainingChanged(Message):
    """A training made progress or ended."""

    training: TrainingProgress


@dataclass
class SimilarityChanged(Message):
    """Indexing or clustering clips made progress or ended."""

    comparison: Comparison


@dataclass
class AgreementMeasured(Message):
    """The agreement of a pretrained model's classes with the labels was measured; `failure` says why not."""

    result: AgreementResult | None
    failure: str = ""


@dataclass
class Evaluated(Message):
    """A model was evaluated; `failure` says why not."""

    result: EvaluateResult | None
    failure: str = ""


@dataclass
class Exported(Message):
    """An export made progress, or ended."""

    progress: str = ""
    _: KW_ONLY
    folders: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    failure: str = ""


@dataclass
class SuggestionsChanged(Message):
    """A pretrained model made new suggestions."""

    training: TrainingProgress


@dataclass
class PointedAt(Message):
    """The mouse is over a moment of a sound; `share` is None when it has left.

    Attributes
    ----------
    share
        The moment, as a share of what is on the screen.
    hertz, decibels
        The frequency under the mouse and its level; None where the widget shows no frequencies.
    """

    share: float | None
    hertz: float | None = None
    decibels: float | None = None


@dataclass
class ClickedAt(Message):
    """A moment of a sound was clicked; `in_whole` where the widget always shows the whole recording."""

    share: float
    in_whole: bool


@dataclass
class Dragged(Message):
    """The mouse goes over a part of a sound; `over` when the button was released."""

    start: float
    end: float
    over: bool


@dataclass
class Wheeled(Message):
    """The wheel was turned over a sound, up (`steps` 1) or down (-1); `share` and `height` say where, 0 to 1."""

    steps: int
    share: float
    height: float
    _: KW_ONLY
    ctrl: bool
    shift: bool
