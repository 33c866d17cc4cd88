"""Learning behind the screen: one child process a task at a time, watched by a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from labeltool.child import Child
from labeltool.errors import LabeltoolError
from labeltool.project import Project

_NICENESS = 10  # the person in front of the screen goes first


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


class Learner:
    """Starts trainings and tells of them through `tell`, called in a thread.

    Parameters
    ----------
    task
        What a training is: a task of `labeltool.worker` whose result names the `model`.
    options
        For it.
    """

    def __init__(self, project: Project, tell: Callable[[Training], None], *, task: str, **options: str) -> None:
        self._project = project
        self._tell = tell
        self._task = task
        self._options = options
        self._lock = threading.Lock()
        self._child: Child | None = None
        self._thread: threading.Thread | None = None
        self._stopping = False

    @property
    def busy(self) -> bool:
        """Whether a training runs."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> bool:
        """Start a training; False when one runs already."""
        if self.busy:
            return False
        self._thread = threading.Thread(target=self._run, name=f"labeltool-{self._task}", daemon=True)
        self._thread.start()
        return True

    def stop(self) -> None:
        """End a running training, which leaves no trace: its answers count towards the next."""
        with self._lock:
            self._stopping = True
            child = self._child
        if child is not None:
            child.stop()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            with self._lock:
                if self._stopping:
                    return
                child = self._child = Child.start(self._project, self._task, niceness=_NICENESS, **self._options)
            for message in child.messages():
                if message["event"] == "progress":
                    self._tell(Training(message["stage"], message["done"], message["total"]))
                elif message["event"] == "done":
                    # Suggestions may be by sound alone: by no model, and done with all the same.
                    self._tell(Training(model=message["result"]["model"] or 0))
        except LabeltoolError as error:
            self._tell(Training(failure=self._short(error)))
        finally:
            self._child = None

    def _short(self, error: LabeltoolError) -> str:
        """Say it in one line that names the log; paths in the project are named from there, so that it fits."""
        told = str(error)
        if self._child is not None and str(self._child.log) not in told:
            told += f"; log: {self._child.log}"
        return told.replace(f"{self._project.directory}/", "")
