"""Training in the background, and its progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labeltool.project import Project
from labeltool.tasks.registry import Task
from labeltool.tui.background.task import BackgroundTask
from labeltool.util.locks import WAITING

if TYPE_CHECKING:
    from labeltool.tasks.retrain_result import RenewResult, RetrainResult

SUGGEST_AFTER = 8
"""Labels after which the head behind a pretrained trunk is trained anew, or a pretrained model makes new suggestions.

Either takes seconds.
"""


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """The progress or the result of a training.

    Attributes
    ----------
    stage, done, total
        `done` of `total` of a stage; a total of 0 is not known.
    model
        The id of the trained model, 0 if the suggestions come from no model; None before the end.
    failure
        Why the training failed; empty if it did not.
    """

    stage: str = ""
    done: int = 0
    total: int = 0
    model: int | None = None
    failure: str = ""

    @property
    def elsewhere(self) -> bool:
        """Whether another process trains, and this training waits for it."""
        return self.stage.startswith(WAITING)

    @property
    def over(self) -> bool:
        """Whether the training has ended."""
        return self.model is not None or bool(self.failure)


class Trainer(BackgroundTask[Any]):
    """Trains a model, or lets a pretrained one make suggestions.

    Parameters
    ----------
    deliver
        Gets the progress and the result; called in a thread.
    task, options
        A task whose result has the id of the `model`, and its options.
    """

    def __init__(
        self, project: Project, deliver: Callable[[TrainingProgress], None], *, task: Task[Any], **options: str
    ) -> None:
        def report(stage: str, done: int, total: int, text: str = "", /) -> None:
            deliver(TrainingProgress(stage, done, total))

        def finish(result: RetrainResult | RenewResult) -> None:
            deliver(TrainingProgress(model=result.model or 0))

        def fail(reason: str) -> None:
            deliver(TrainingProgress(failure=reason))

        super().__init__(project, task, on_progress=report, on_result=finish, on_failure=fail, **options)
