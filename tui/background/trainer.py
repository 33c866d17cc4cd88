"""Learning behind the screen, and how it goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from labeltool.project import Project
from labeltool.tui.background.task import Behind


@dataclass(frozen=True, slots=True)
class Training:
    """How a training goes: `stage` with `done` of `total` (0: not known), or its end, well or with a `failure`."""

    stage: str = ""
    done: int = 0
    total: int = 0
    model: int | None = None
    failure: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing more comes."""
        return self.model is not None or bool(self.failure)


HANDFUL = 8
"""Answers after which a borrowed ear suggests anew; it takes seconds."""


class Learner(Behind):
    """Starts trainings and tells of them through `tell`, called in a thread.

    Parameters
    ----------
    task, options
        What a training is: a task of `labeltool.worker` whose result names the `model`, and options for it.
    """

    def __init__(self, project: Project, tell: Callable[[Training], None], *, task: str, **options: str) -> None:
        def hear(message: dict[str, Any]) -> None:
            if message["event"] == "progress":
                tell(Training(message["stage"], message["done"], message["total"]))
            elif message["event"] == "done":
                # Suggestions may be by sound alone: by no model, and done with all the same.
                tell(Training(model=message["result"]["model"] or 0))

        super().__init__(project, hear, lambda told: tell(Training(failure=told)), task=task, **options)
