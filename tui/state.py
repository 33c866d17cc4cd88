"""What all ways to work show alike: how much is labelled, how the model fares, which labels are used most."""

from __future__ import annotations

from dataclasses import dataclass, field

from labeltool.store.clips import Counts
from labeltool.tui.background.comparer import Groups
from labeltool.tui.background.prefetch import ModelState
from labeltool.tui.background.trainer import Training


@dataclass(slots=True)
class State:
    """Kept by the app, added to by its screens between two counts.

    Attributes
    ----------
    labelled, clips
        How many clips have a verdict, and how many there are.
    used
        The project's labels with the number of clips that have them.
    model
        The newest model; None until the store was asked.
    training
        How the training under way goes, or how the last one ended.
    groups
        Open clips that sound alike, as they were grouped last; None before the first time.
    autoplay
        Whether clips play as they appear.
    """

    labelled: int = 0
    clips: int = 0
    used: dict[str, int] = field(default_factory=dict)
    model: ModelState | None = None
    training: Training | None = None
    groups: Groups | None = None
    autoplay: bool = True

    @property
    def tells_apart(self) -> bool:
        """Whether there are two things to learn from: labels, or one and clips without it."""
        counts = [count for count in self.used.values() if count > 0]
        return len(counts) > 1 or self.labelled > sum(counts) > 0

    def count(self, counts: Counts) -> None:
        """Take what was counted in the store in place of what was added up."""
        self.labelled, self.clips, self.used = counts.labelled, counts.clips, dict(counts.labels)

    def use(self, label: str | None, times: int) -> None:
        """Count a label said, or (-1) taken back."""
        if label is not None:
            self.used[label] = max(0, self.used.get(label, 0) + times)
