"""Where long work runs: a small protocol, so that other machines can do it as well as processes of this one.

An executor starts a task and returns a job; the job reports progress, returns the task's typed result, and can be
stopped. `labeltool.tasks.process` runs jobs in local processes. A job is given the engine that works on its many items
(`labeltool.parallel.engine`): more processes of this machine, or Dask's workers on others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from labeltool.parallel.engine import LOCAL, Engine
from labeltool.project import Project
from labeltool.tasks.registry import Task
from labeltool.type_aliases import Progress
from labeltool.util import lifetime

if TYPE_CHECKING:
    from pathlib import Path

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Job(Protocol[R_co]):
    """A task that was started.

    Attributes
    ----------
    log
        Where what the task's libraries write is kept; None without a project.
    """

    log: Path | None

    def wait(self, report: Progress) -> R_co:
        """Report progress until the task has ended, and return its result.

        Raises
        ------
        LabeltoolError
            When the task failed, with its reason, or its process died.
        JobStopped
            After `stop`.
        """

    def stop(self) -> None:
        """End the task; what it had not finished leaves no trace."""


class JobStopped(Exception):
    """The job was stopped before it had a result."""


class Executor(Protocol):
    """Starts tasks."""

    def start(
        self,
        project: Project | None,
        task: Task[R],
        *,
        niceness: int = 0,
        engine: Engine = LOCAL,
        **options: Any,
    ) -> Job[R]:
        """Start a task.

        Parameters
        ----------
        project
            None for a task that needs none.
        niceness
            Above 0 the task gives way to a screen in front of it.
        engine
            What works on the many items of the task.
        options
            The task's keyword arguments, as JSON values.
        """


def run(project: Project | None, task: Task[R], report: Progress, *, engine: Engine = LOCAL, **options: Any) -> R:
    """Run a task by the default executor, and end it when this is interrupted, by Ctrl-C say.

    Raises
    ------
    LabeltoolError
        When it failed.
    """

    def noted(stage: str, done: int, total: int, text: str = "", /) -> None:
        if task.writes and text.startswith(lifetime.KEPT):
            lifetime.keep(text)
        report(stage, done, total, text)

    job = default_executor().start(project, task, engine=engine, **options)
    try:
        return job.wait(noted)
    finally:
        job.stop()  # one that is done has ended already


def default_executor() -> Executor:
    """Return the executor of this installation: processes of this machine."""
    from labeltool.tasks.process import LocalProcesses

    return LocalProcesses()
