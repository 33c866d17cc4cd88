"""Training in the background, and its progress."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from labeltool.project import Project
from labeltool.tasks.registry import Task
from labeltool.tui.background.task import BackgroundTask
from labeltool.util.files.locks import WAITING

if TYPE_CHECKING:
    from labeltool.tasks.retrain_result import RenewResult, RetrainResult

SUGGEST_AFTER = 8
"""Labels after which the head behind a pretrained trunk is trained anew, or a pretrained model makes new suggestions.

Either takes seconds.
"""


# Before so much of a stage its rate is not known: the first steps are slower, or are read from a cache.
_MIN_TIMED_S, _MIN_SHARE = 5.0, 0.1
_RATE_OVER_S = 30.0
_FOR_SUGGESTIONS = f"{WAITING} another suggester"


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """The progress or the result of a training.

    Attributes
    ----------
    stage, done, total
        `done` of `total` of a stage; a total of 0 is not known.
    model
        The id of the trained model, 0 if the suggestions come from no model; None before the end.
    left_s
        The time until the end of the stage at the report, by its own rate; None where that is not known.
    """

    stage: str = ""
    done: int = 0
    total: int = 0
    model: int | None = None
    failure: str = ""
    left_s: float | None = None
    stopped: bool = False
    reported_at: float = field(default_factory=time.monotonic, compare=False)

    @property
    def for_suggestions(self) -> bool:
        """Whether this training waits for suggestions that are being computed, by this app for the most part."""
        return self.stage.startswith(_FOR_SUGGESTIONS)

    @property
    def elsewhere(self) -> bool:
        """Whether another process trains, and this training waits for it."""
        return self.stage.startswith(WAITING) and not self.for_suggestions

    @property
    def left_now_s(self) -> float | None:
        """The time until the end of the stage; None where it is not known, or the estimate has passed."""
        left_s = None if self.left_s is None else self.left_s - (time.monotonic() - self.reported_at)
        return left_s if left_s is not None and left_s > 0 else None

    @property
    def over(self) -> bool:
        return self.model is not None or bool(self.failure) or self.stopped


class StageRate:
    """Estimates how long a stage still takes, by its own rate."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stage, self._first, self._since_s = "", 0, 0.0
        self._points: deque[tuple[float, int]] = deque()

    def left_s(self, stage: str, done: int, total: int) -> float | None:
        """Return the time that a stage still takes after another report of it; None before it is known."""
        now_s = self._clock()
        if stage != self._stage or done < self._first:
            self._stage, self._first, self._since_s = stage, done, now_s
            self._points.clear()
        self._points.append((now_s, done))
        while len(self._points) > 2 and self._points[1][0] <= now_s - _RATE_OVER_S:
            self._points.popleft()
        if now_s - self._since_s < _MIN_TIMED_S or done - self._first < max(1.0, _MIN_SHARE * total) or not total:
            return None
        then_s, done_then = self._points[0]
        return (now_s - then_s) / (done - done_then) * (total - done) if done > done_then else None


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
        self, project: Project, deliver: Callable[[TrainingProgress], None], *, task: Task[Any], **options: Any
    ) -> None:
        rate = StageRate()

        def report(stage: str, done: int, total: int, text: str = "", /) -> None:
            deliver(TrainingProgress(stage, done, total, left_s=rate.left_s(stage, done, total)))

        def finish(result: RetrainResult | RenewResult) -> None:
            deliver(TrainingProgress(model=result.model or 0))

        def fail(reason: str) -> None:
            deliver(TrainingProgress(failure=reason))

        super().__init__(
            project,
            task,
            on_progress=report,
            on_result=finish,
            on_failure=fail,
            on_cancelled=lambda: deliver(TrainingProgress(stopped=True)),
            **options,
        )
