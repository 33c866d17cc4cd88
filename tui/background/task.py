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
    """Runs a task of `labeltool.tasks.registry`. All functions are called in a thread.

    Parameters
    ----------
    on_failure
        Gets why the task failed, in one line that names the log.
    on_cancelled
        Called when a run has ended because of `cancel`.
    """

    def __init__(
        self,
        project: Project,
        task: Task[R],
        *,
        on_progress: Progress = lambda *_: None,
        on_result: Callable[[R], None],
        on_failure: Callable[[str], None],
        on_cancelled: Callable[[], None] = lambda: None,
        niceness: int = _NICENESS,
        **options: Any,
    ) -> None:
        self._project = project
        self._niceness = niceness
        self._task, self._options = task, options
        self._on_progress, self._on_result, self._on_failure = on_progress, on_result, on_failure
        self._on_cancelled = on_cancelled
        self._lock = threading.Lock()
        self._job: Job[R] | None = None
        self._thread: threading.Thread | None = None
        self._stopping = self._cancelled = False

    @property
    def busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self, **options: Any) -> bool:
        """Start the task, with further options for this run; False if it runs already."""
        if self.busy:
            return False
        self._cancelled = False
        name = f"labeltool-{self._task.name}"
        self._thread = threading.Thread(target=self._run, args=({**self._options, **options},), name=name, daemon=True)
        self._thread.start()
        return True

    def cancel(self) -> bool:
        """Stop the run, so that another can follow; False where none runs. It takes a second at most."""
        with self._lock:
            self._cancelled = self.busy
            job = self._job
        if self._cancelled and job is not None:
            job.stop()
        return self._cancelled

    def stop(self) -> None:
        """Stop the task for good; what it had not finished leaves no trace."""
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
                if self._stopping or self._cancelled:
                    raise JobStopped
                executor = default_executor()
                job = self._job = executor.start(self._project, self._task, niceness=self._niceness, **options)
            self._on_result(job.wait(self._on_progress))
        except JobStopped:
            if self._cancelled and not self._stopping:
                self._on_cancelled()
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
