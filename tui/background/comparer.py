"""Indexing the clips for similarity search in the background, and clustering the unlabelled ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labeltool.project import Project
from labeltool.tasks.registry import SIMILAR
from labeltool.tui.background.task import BackgroundTask

if TYPE_CHECKING:
    from labeltool.similarity.compare import SimilarResult

# The number of unindexed clips that are read before clustering: a large archive would take too long, and this many
# settle the directions in which sounds differ.
_MAX_NEW_CLIPS = 4096


@dataclass(frozen=True, slots=True)
class Groups:
    """Clusters of similar clips.

    Attributes
    ----------
    clips
        The clips of each cluster, the largest cluster first, in each the central clips first.
    split
        The label of whose split they are; "" for the unlabelled clips.
    """

    by: str
    clips: Sequence[Sequence[int]]
    split: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The progress or the result of indexing and clustering."""

    stage: str = ""
    done: int = 0
    total: int = 0
    added: int = 0
    groups: Groups | None = None
    failure: str = ""
    over: bool = True


class Comparer:
    """Indexes and clusters clips; `deliver` is called in a thread, with the progress and the result."""

    def __init__(self, project: Project, deliver: Callable[[Comparison], None]) -> None:
        self._deliver = deliver
        self._task = BackgroundTask(
            project,
            SIMILAR,
            on_progress=lambda stage, done, total, text="": deliver(Comparison(stage, done, total, over=False)),
            on_result=self._finish,
            on_failure=lambda reason: deliver(Comparison(failure=reason)),
        )
        # The number of unindexed clips, where all of them are read.
        self._unindexed: int | None = None
        self._split = ""
        # The number of clips that could not be read the last time: they alone are no reason to start again.
        self._unreadable = 0

    @property
    def busy(self) -> bool:
        return self._task.busy

    def start(self, unindexed: int) -> None:
        """Index the clips, unless a comparison runs or the unindexed ones cannot be read."""
        if self.busy or unindexed == self._unreadable:
            return
        self._unindexed = unindexed
        self._task.start()

    def group(self, count: int, split: str = "") -> bool:
        """Start to make at most `count` clusters, see `compare.compare`; False if a comparison runs."""
        if self.busy:
            return False
        self._unindexed, self._split = None, split
        return self._task.start(clusters=count, split=split, max_clips=_MAX_NEW_CLIPS)

    def stop(self) -> None:
        """Stop the comparison; the clips it has indexed stay indexed."""
        self._task.stop()

    def _finish(self, result: SimilarResult) -> None:
        if self._unindexed is not None:
            self._unreadable = max(0, self._unindexed - result.added)
        groups = None
        if result.clusters is not None:
            groups = Groups(result.by, [cluster.clips for cluster in result.clusters], self._split)
        self._deliver(Comparison(added=result.added, groups=groups))
