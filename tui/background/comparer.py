"""Comparing clips behind the screen, and grouping those that wait for an answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from labeltool.project import Project
from labeltool.tui.background.task import Behind

# So many clips that have not been compared are listened to before they are grouped: an archive is not waited for, and
# so many settle in which directions sounds differ.
_HEARD_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class Groups:
    """Clips that sound alike, the largest group first, in each its middle first; `by` says how they were compared."""

    by: str
    clips: Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True)
class Comparison:
    """How far it is, or how it ended: so many clips were `added`, `groups` made, or it met a `failure`."""

    done: int = 0
    total: int = 0
    added: int = 0
    groups: Groups | None = None
    failure: str = ""
    over: bool = True


class Comparer:
    """Has clips compared that have not been, and tells of it through `tell`, called in a thread."""

    def __init__(self, project: Project, tell: Callable[[Comparison], None]) -> None:
        self._tell = tell
        self._behind = Behind(project, self._hear, lambda told: tell(Comparison(failure=told)), task="similar")
        # Clips that wait, where all of them are listened to.
        self._waiting: int | None = None
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

    def group(self, count: int) -> bool:
        """Begin to make so many groups at most of the clips without an answer; False while something runs."""
        if self.busy:
            return False
        self._waiting = None
        return self._behind.start(clusters=count, most=_HEARD_AT_ONCE)

    def stop(self) -> None:
        """End what runs; what it has compared stays."""
        self._behind.stop()

    def _hear(self, message: dict[str, Any]) -> None:
        if message["event"] == "progress":
            self._tell(Comparison(message["done"], message["total"], over=False))
        elif message["event"] == "done":
            result = message["result"]
            if self._waiting is not None:
                self._in_vain = max(0, self._waiting - result["added"])
            groups = None
            if "clusters" in result:
                groups = Groups(result["by"], [one["clips"] for one in result["clusters"]])
            self._tell(Comparison(added=result["added"], groups=groups))
