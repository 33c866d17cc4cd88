"""The backup of today: written by a thread when the app starts, so that no label waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from labeltool.project import Project


class DailyBackup:
    """The thread.

    Parameters
    ----------
    warn
        Gets why no backup was written, in one line; called in the thread.
    """

    def __init__(self, project: Project, warn: Callable[[str], None]) -> None:
        self._project = project
        self._warn = warn
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="labeltool-backup", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a backup that is not whole yet leaves nothing."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        problem = self._project.back_up_daily(self._stopped.is_set)
        if problem and not self._stopped.is_set():
            self._warn(problem)
