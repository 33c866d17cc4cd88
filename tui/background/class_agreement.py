"""The agreement of a pretrained model's classes with the labels, measured in the background."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labeltool.pretrained.class_mapping import LabelMapping
from labeltool.project import Project
from labeltool.tasks.registry import AGREEMENT
from labeltool.tui.background.task import BackgroundTask

if TYPE_CHECKING:
    from labeltool.pretrained.project_classes import AgreementResult


@dataclass(frozen=True, slots=True)
class LabelAgreement:
    """How the classes agree with one label.

    Attributes
    ----------
    clips
        The number of clips on which the label is present.
    predicted
        For each class, in how many of those clips it is predicted.
    proposed
        The classes that are proposed for the label.
    """

    clips: int
    predicted: Sequence[int]
    proposed: LabelMapping


@dataclass(frozen=True, slots=True)
class Agreement:
    """How the classes agree with the labels.

    Attributes
    ----------
    clips, predicted
        The number of labelled clips, and for each class in how many of them it is predicted.
    labels
        The agreement with each label; None before it was measured.
    failure
        Why it could not be measured.
    """

    clips: int = 0
    predicted: Sequence[int] = ()
    labels: Mapping[str, LabelAgreement] | None = None
    failure: str = ""


class ClassAgreementTask:
    """Predicts the classes of the labelled clips and compares them with the labels.

    Parameters
    ----------
    deliver
        Gets the result; called in a thread.
    """

    def __init__(self, project: Project, deliver: Callable[[Agreement], None]) -> None:
        self._task = BackgroundTask(
            project,
            AGREEMENT,
            on_progress=lambda *_: None,
            on_result=lambda result: deliver(_agreement_from(result)),
            on_failure=lambda reason: deliver(Agreement(failure=reason)),
        )

    def start(self, pretrained: str) -> bool:
        """Start with a pretrained model, by its name; False if a measurement runs already."""
        return self._task.start(name=pretrained)

    def stop(self) -> None:
        """Stop the measurement."""
        self._task.stop()


def _agreement_from(result: AgreementResult) -> Agreement:
    labels = {
        label: LabelAgreement(counts.clips, counts.detections, LabelMapping(label, counts.proposed, counts.source))
        for label, counts in result.labels.items()
    }
    return Agreement(result.clips, result.detections, labels)
