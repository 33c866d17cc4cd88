"""A pretrained model in the app: the classifier over its embeddings, and what was read of the project's clips."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from labeltool.active_learning.accuracy_estimate import AccuracyEstimate
from labeltool.active_learning.live_model import LiveModel
from labeltool.active_learning.proposals import ProposalPool
from labeltool.active_learning.suggester_state import Kind, SuggesterState
from labeltool.errors import LabeltoolError
from labeltool.pretrained import class_mapping
from labeltool.pretrained.card import PretrainedCard
from labeltool.pretrained.class_mapping import LabelMapping
from labeltool.pretrained.class_names import classes_by_name
from labeltool.pretrained.model import ClipDescription
from labeltool.records import LabelledClip, StoredClip

# The estimate is made again after this share of the labels.
_ESTIMATE_AFTER = 0.02


@dataclass(slots=True)
class OpenedModel:
    """A pretrained model of the project, the classifier over its embeddings, and what was read of clips so far.

    Attributes
    ----------
    mark
        The last journal row that is included.
    is_read
        Whether the labelled clips of before were looked for.
    unread
        Labelled clips that are not described yet, or still to be read.
    pool, pool_unread
        Some unlabelled clips, to compare with, and those of them that are still to be read.
    """

    name: str
    folder: Path
    card: PretrainedCard
    model: LiveModel = field(default_factory=LiveModel)
    mark: str = ""
    is_read: bool = False
    labels: tuple[str, ...] = ()
    by_hand: dict[str, tuple[int, ...]] = field(default_factory=dict)
    by_name: dict[str, tuple[int, ...]] = field(default_factory=dict)
    written_ns: int = 0
    unread: dict[int, LabelledClip] = field(default_factory=dict)
    ready: list[tuple[LabelledClip, ClipDescription]] = field(default_factory=list)
    pool: dict[int, ClipDescription] = field(default_factory=dict)
    pool_unread: list[StoredClip] = field(default_factory=list)
    compared: ProposalPool = field(
        default_factory=lambda: ProposalPool(np.zeros((0, 0), np.float32), np.zeros((0, 0), np.float32))
    )
    estimate: AccuracyEstimate | None = None
    estimated: int = 0
    origin: tuple[int, str | None] | None = None

    def read_mapping(self) -> None:
        """Read which classes the user lets suggest which labels, where the file is another than the last time."""
        path = self.folder / class_mapping.MAPPING_FILE
        written_ns = path.stat().st_mtime_ns if path.exists() else 0
        if written_ns != self.written_ns:
            self.written_ns = written_ns
            with suppress(LabeltoolError):  # the Mapping view says what is wrong with the file
                self.by_hand = class_mapping.read_mapping(self.folder, self.card.classes)

    def mapped(self, labels: Sequence[str]) -> list[LabelMapping]:
        """Return the classes that suggest labels, by hand or by name; comparing names takes long, so it is kept."""
        for label in labels:
            if label not in self.by_name:
                self.by_name[label] = classes_by_name(self.card.classes, label)
        return [
            LabelMapping(label, self.by_hand[label], "by hand")
            if label in self.by_hand
            else LabelMapping(label, self.by_name[label], "by name")
            for label in labels
        ]

    @property
    def state(self) -> SuggesterState:
        """What suggests labels, on how many labels."""
        count = len(self.model)
        kind: Kind = "embeddings" if count else "classes"
        return SuggesterState(kind, self.name, count, len(self.unread) + len(self.ready), self.estimate)

    @property
    def is_estimate_due(self) -> bool:
        """Whether labels were added or removed since the last estimate, enough to change it."""
        return abs(len(self.model) - self.estimated) > _ESTIMATE_AFTER * len(self.model)

    def renew(self) -> None:
        """Let suggestions include all that was read."""
        self.read_mapping()
        self.model.renew(self.labels, self.mapped)

    def renew_estimate(self) -> None:
        """Estimate how often suggestions are right on the clips that are not labelled."""
        labelled = set(self.model.classifier.keys)
        rest = [description for clip_id, description in self.pool.items() if clip_id not in labelled]
        self.estimate, self.estimated = self.model.estimate(rest), len(self.model)
