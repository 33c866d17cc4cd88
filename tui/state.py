"""What every view shows: labelled clips, the newest model, the number of clips of each label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from labeltool.settings import Settings
from labeltool.store.clips import Counts
from labeltool.store.labels import ProjectLabel
from labeltool.tui.background.comparer import Groups
from labeltool.tui.background.model_state import ModelState
from labeltool.tui.background.trainer import TrainingProgress
from labeltool.tui.media.graphics import Graphics
from labeltool.tui.media.look import Look


@dataclass(slots=True)
class State:
    """The app reads the counts from the store now and then; the screens update them in between.

    Attributes
    ----------
    labelled, clips
        The number of clips with a verdict, and of all clips.
    model
        The newest model; None until it was read.
    training
        The progress of the training that runs, or the result of the last one.
    groups
        The newest clusters of unlabelled clips; None before the first time.
    split_groups
        The newest clusters of the clips of a label that is split.
    autoplay
        Whether a clip plays when it appears.
    read_only
        Why nothing can be labelled, as the project cannot be written; "" where it can.
    """

    settings: Settings = field(default_factory=Settings)
    labelled: int = 0
    clips: int = 0
    label_counts: dict[str, int] = field(default_factory=dict)
    labels: Sequence[ProjectLabel] = ()
    model: ModelState | None = None
    training: TrainingProgress | None = None
    groups: Groups | None = None
    split_groups: Groups | None = None
    autoplay: bool = True
    graphics: Graphics = Graphics.NONE
    look: Look = field(default_factory=Look)
    read_only: str = ""

    @property
    def has_two_classes(self) -> bool:
        """Whether there is something to train on: two labels, or one label and clips without it."""
        counts = [count for count in self.label_counts.values() if count > 0]
        return len(counts) > 1 or self.labelled > sum(counts) > 0

    def set_counts(self, counts: Counts) -> None:
        """Replace the updated counts by those read from the store."""
        self.labelled, self.clips, self.label_counts = counts.labelled, counts.clips, dict(counts.labels)

    def count_label(self, label: str | None, change: int) -> None:
        """Add to the count of a label: 1, or -1 where it was undone."""
        if label is not None:
            self.label_counts[label] = max(0, self.label_counts.get(label, 0) + change)
