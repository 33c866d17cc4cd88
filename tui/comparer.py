"""Comparing clips behind the screen: one child process at a time, heard out by a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from labeltool.child import Child
from labeltool.errors import LabeltoolError
from labeltool.project import Project

_NICENESS = 10  # the person in front of the screen goes first


@dataclass(frozen=True, slots=True)
class Comparison:
    """How it ended: so many clips were `added`, or it met a `failure`."""

    added: int = 0
    failure: str = ""


class Comparer:
    """Has clips compared that have not been, and tells of the end through `tell`, called in a thread."""

    def __init__(self, project: Project, tell: Callable[[Comparison], None]) -> None:
        self._project = project
        self._tell = tell
        self._lock = threading.Lock()
        self._child: Child | None = None
        self._thread: threading.Thread | None = None
        self._stopping = False
        # So many clips could not be heard the last time: they alone are no reason to begin again.
        self._in_vain = 0

    @property
    def busy(self) -> bool:
        """Whether clips are being compared."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, waiting: int) -> None:
        """Begin, if so many clips that wait are worth it and nothing runs."""
        if self.busy or waiting == self._in_vain:
            return
        self._thread = threading.Thread(target=self._run, args=(waiting,), name="labeltool-comparer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End what runs; what it has compared stays."""
        with self._lock:
            self._stopping = True
            child = self._child
        if child is not None:
            child.stop()
        if self._thread is not None:
            self._thread.join()

    def _run(self, waiting: int) -> None:
        try:
            with self._lock:
                if self._stopping:
                    return
                child = self._child = Child.start(self._project, "similar", niceness=_NICENESS)
            for message in child.messages():
                if message["event"] == "done":
                    added = message["result"]["added"]
                    self._in_vain = max(0, waiting - added)
                    self._tell(Comparison(added))
        except LabeltoolError as error:
            self._tell(Comparison(failure=str(error)))
        finally:
            self._child = None
