"""What the app's threads report to its screens."""

from __future__ import annotations

from textual.message import Message

from labeltool.tui.background.class_agreement import Agreement
from labeltool.tui.background.comparer import Comparison
from labeltool.tui.background.prefetch import Delivery
from labeltool.tui.background.trainer import TrainingProgress


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


class SuggestionsChanged(Message):
    """A pretrained model made new suggestions."""

    def __init__(self, training: TrainingProgress) -> None:
        super().__init__()
        self.training = training
