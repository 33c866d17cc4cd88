"""Labelled clips as arrays: what `fit` trains on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from labeltool.audio.frontend import Frontend
from labeltool.networks.heads import Head
from labeltool.type_aliases import Float32, Int64
from labeltool.util.lazy_frames import frame_counts, pick


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Labelled clips to train and to validate on.

    Attributes
    ----------
    frames : (frames, columns) float32 each
        One array a clip, at least `frontend.patch_frames` frames: log-mels, samples or embeddings.
    present : (clips, labels) float32
        How far each label is present; under a softmax rows sum to one, or to zero where only `absent` is known.
    absent : (clips, labels) float32
        How far each label is known to be absent, beside what the head implies; see `heads`.
    groups
        One a clip: clips of one group are never split between training and validation.
    head
        "softmax": one label a clip; "sigmoid": any number of them.
    distillation_targets : (moments, width) float32 each, optional
        One array a clip: what a teacher model computes of its moments (`unlabelled.distillation`), to be
        predicted beside the labels while training; those of validation clips are not used. A pool then has them too.
    """

    frontend: Frontend
    frames: Sequence[Float32]
    present: Float32
    absent: Float32
    groups: Sequence[str]
    label_names: Sequence[str]
    head: Head = "softmax"
    distillation_targets: Sequence[Float32] | None = None

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def patch_count(self) -> int:
        """Number of patches of all clips."""
        return int(self.frontend.patch_counts(frame_counts(self.frames)).sum())

    def only(self, clips: Int64) -> TrainingData:
        """Return the data of some of the clips, given by index, in that order."""
        targets = self.distillation_targets
        return replace(
            self,
            frames=pick(self.frames, clips),
            present=self.present[clips],
            absent=self.absent[clips],
            groups=[self.groups[i] for i in clips],
            distillation_targets=None if targets is None else [targets[i] for i in clips],
        )
