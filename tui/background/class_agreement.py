"""Holding an ear's classes against the answers so far, behind the screen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labeltool.pretrained.class_mapping import Mapped
from labeltool.project import Project
from labeltool.tui.background.task import Behind


@dataclass(frozen=True, slots=True)
class LabelFigures:
    """Of how many clips a label was said, in how many of them each class is heard, and what is proposed for it."""

    clips: int
    heard: Sequence[int]
    proposed: Mapped


@dataclass(frozen=True, slots=True)
class Agreement:
    """How an ear's classes agree with the answers so far.

    Attributes
    ----------
    clips, heard
        How many clips have an answer, and in how many of them each class is heard.
    failure
        Why nothing could be told.
    """

    clips: int = 0
    heard: Sequence[int] = ()
    labels: Mapping[str, LabelFigures] | None = None
    failure: str = ""


class Mapper:
    """Has answered clips heard by an ear's classes, and tells of the end through `tell`, called in a thread."""

    def __init__(self, project: Project, tell: Callable[[Agreement], None]) -> None:
        self._tell = tell
        self._behind = Behind(project, self._hear, lambda told: tell(Agreement(failure=told)), task="agreement")

    def start(self, ear: str) -> bool:
        """Begin; False while something runs."""
        return self._behind.start(name=ear)

    def stop(self) -> None:
        """End what runs."""
        self._behind.stop()

    def _hear(self, message: dict[str, Any]) -> None:
        if message["event"] == "done":
            told = message["result"]
            labels = {
                label: LabelFigures(one["clips"], one["heard"], Mapped(label, tuple(one["proposed"]), one["from"]))
                for label, one in told["labels"].items()
            }
            self._tell(Agreement(told["clips"], told["heard"], labels))
