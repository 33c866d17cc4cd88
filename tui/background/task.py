"""Work behind the screen: one child process a task at a time, heard out by a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.tasks.process import Child

_NICENESS = 10  # the person in front of the screen goes first


class Behind:
    """Starts a task of `labeltool.worker` and passes on what it tells; both functions are called in a thread.

    Parameters
    ----------
    hear
        Gets each message of the child.
    fail
        Gets why it failed, in one line that names the log.
    task, options
        What to do.
    """

    def __init__(
        self,
        project: Project,
        hear: Callable[[dict[str, Any]], None],
        fail: Callable[[str], None],
        *,
        task: str,
        **options: Any,
    ) -> None:
        self._project = project
        self._hear, self._fail = hear, fail
        self._task, self._options = task, options
        self._lock = threading.Lock()
        self._child: Child | None = None
        self._thread: threading.Thread | None = None
        self._stopping = False

    @property
    def busy(self) -> bool:
        """Whether the task runs."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, **options: Any) -> bool:
        """Start the task, with options of this once beside its own; False when it runs already."""
        if self.busy:
            return False
        name = f"labeltool-{self._task}"
        self._thread = threading.Thread(target=self._run, args=({**self._options, **options},), name=name, daemon=True)
        self._thread.start()
        return True

    def stop(self) -> None:
        """End what runs; the task leaves nothing half done."""
        with self._lock:
            self._stopping = True
            child = self._child
        if child is not None:
            child.stop()
        if self._thread is not None:
            self._thread.join()

    def _run(self, options: dict[str, Any]) -> None:
        try:
            with self._lock:
                if self._stopping:
                    return
                child = self._child = Child.start(self._project, self._task, niceness=_NICENESS, **options)
            for message in child.messages():
                self._hear(message)
        except LabeltoolError as error:
            self._fail(self._short(error))
        finally:
            self._child = None

    def _short(self, error: LabeltoolError) -> str:
        """Say it in one line that names the log; paths in the project are named from there, so that it fits."""
        told = str(error)
        if self._child is not None and str(self._child.log) not in told:
            told += f"; log: {self._child.log}"
        return told.replace(f"{self._project.directory}/", "")
