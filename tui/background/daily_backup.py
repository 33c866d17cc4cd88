"""The backup of the day: written by a thread when the app starts and every day after, so that no label waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date

from labeltool.project import Project

_LOOK_EVERY_S = 600.0


class DailyBackup:
    """The thread; `warn` is called in it, with why no backup was written, in one line."""

    def __init__(self, project: Project, warn: Callable[[str], None]) -> None:
        self._project = project
        self._warn = warn
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="labeltool-backup", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a backup that is not whole yet leaves nothing."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        done_on: date | None = None
        while not self._stopped.is_set():
            today = date.today()
            if today != done_on and (problem := self._project.back_up_daily(self._stopped.is_set)):
                self._warn(problem)
            done_on = today
            self._stopped.wait(_LOOK_EVERY_S)
