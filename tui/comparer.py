"""Comparing clips behind the screen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from labeltool.project import Project
from labeltool.tui.behind import Behind


@dataclass(frozen=True, slots=True)
class Comparison:
    """How it ended: so many clips were `added`, or it met a `failure`."""

    added: int = 0
    failure: str = ""


class Comparer:
    """Has clips compared that have not been, and tells of the end through `tell`, called in a thread."""

    def __init__(self, project: Project, tell: Callable[[Comparison], None]) -> None:
        self._tell = tell
        self._behind = Behind(project, self._hear, lambda told: tell(Comparison(failure=told)), task="similar")
        self._waiting = 0
        # So many clips could not be heard the last time: they alone are no reason to begin again.
        self._in_vain = 0

    @property
    def busy(self) -> bool:
        """Whether clips are being compared."""
        return self._behind.busy

    def start(self, waiting: int) -> None:
        """Begin, if so many clips that wait are worth it and nothing runs."""
        if self.busy or waiting == self._in_vain:
            return
        self._waiting = waiting
        self._behind.start()

    def stop(self) -> None:
        """End what runs; what it has compared stays."""
        self._behind.stop()

    def _hear(self, message: dict[str, Any]) -> None:
        if message["event"] == "done":
            added = message["result"]["added"]
            self._in_vain = max(0, self._waiting - added)
            self._tell(Comparison(added))
