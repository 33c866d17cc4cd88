"""A background task: one child process at a time, read by a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.tasks.executor import Job, JobStopped, default_executor
from labeltool.tasks.registry import Task
from labeltool.type_aliases import Progress

R = TypeVar("R")

_NICENESS = 10  # the app's own process goes first


class BackgroundTask(Generic[R]):
    """Runs a task of `labeltool.tasks.registry`. All three functions are called in a thread.

    Parameters
    ----------
    task
        The task.
    on_progress
        Gets the progress.
    on_result
        Gets the result.
    on_failure
        Gets why the task failed, in one line that names the log.
    options
        The task's options.
    """

    def __init__(
        self,
        project: Project,
        task: Task[R],
        *,
        on_progress: Progress,
        on_result: Callable[[R], None],
        on_failure: Callable[[str], None],
        **options: Any,
    ) -> None:
        self._project = project
        self._task, self._options = task, options
        self._on_progress, self._on_result, self._on_failure = on_progress, on_result, on_failure
        self._lock = threading.Lock()
        self._job: Job[R] | None = None
        self._thread: threading.Thread | None = None
        self._stopping = False

    @property
    def busy(self) -> bool:
        """Whether the task runs."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, **options: Any) -> bool:
        """Start the task, with further options for this run; False if it runs already."""
        if self.busy:
            return False
        name = f"labeltool-{self._task.name}"
        self._thread = threading.Thread(target=self._run, args=({**self._options, **options},), name=name, daemon=True)
        self._thread.start()
        return True

    def stop(self) -> None:
        """Stop the task; what it had not finished leaves no trace."""
        with self._lock:
            self._stopping = True
            job = self._job
        if job is not None:
            job.stop()
        if self._thread is not None:
            self._thread.join()

    def _run(self, options: dict[str, Any]) -> None:
        try:
            with self._lock:
                if self._stopping:
                    return
                executor = default_executor()
                job = self._job = executor.start(self._project, self._task, niceness=_NICENESS, **options)
            self._on_result(job.wait(self._on_progress))
        except JobStopped:
            pass
        except LabeltoolError as error:
            self._on_failure(self._one_line(error))
        finally:
            self._job = None

    def _one_line(self, error: LabeltoolError) -> str:
        """Return the error with its log; paths in the project are relative to it, to be short."""
        text = str(error)
        if self._job is not None and str(self._job.log) not in text:
            text += f"; log: {self._job.log}"
        return text.replace(f"{self._project.directory}/", "")
