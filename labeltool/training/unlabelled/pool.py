"""Unlabelled clips to train on too, with estimated targets.

The estimates come from a teacher model (`linear_probe`) or from similar labelled clips (`label_propagation`). Targets
are probabilities: an uncertain clip has uncertain targets.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from labeltool.type_aliases import Float32, Float64
from labeltool.util.lazy_frames import pick

# Least share of the patches that are drawn from labelled clips, however large a pool without a teacher model is.
_LABELLED_SHARE = 1 / 3


@dataclass(frozen=True, slots=True)
class Pool:
    """Unlabelled clips.

    Attributes
    ----------
    frames : (frames, columns) float32 each
    groups
        One a clip: clips of validation groups are not trained on.
    targets : (clips, labels) float32, optional
        How far each label is present; None: nothing is known of any clip.
    absent : (clips, labels) float32, optional
        How far each is not, under a sigmoid; see `heads`.
    cross_predicted : (labelled clips to train on, labels) float32, optional
        The estimate for each labelled clip from clips of other groups, to compare with its labels; NaN without one.
    distillation_targets : (moments, width) float32 each, optional
        See `labeltool.training.unlabelled.distillation`.
    schedule_weight
        What a clip adds to the length of the schedule, as a share of what a labelled one adds: estimates need less
        training than labels.
    """

    frames: Sequence[Float32] = ()
    groups: Sequence[str] = ()
    targets: Float32 | None = None
    absent: Float32 | None = None
    distillation_targets: Sequence[Float32] | None = None
    schedule_weight: float = 1.0
    cross_predicted: Float32 | None = None

    def __len__(self) -> int:
        return len(self.frames)

    def without(self, groups: Collection[str]) -> Pool:
        """Return the pool less the clips of some groups."""
        kept = [index for index, group in enumerate(self.groups) if group not in groups]
        moments = self.distillation_targets
        return replace(
            self,
            frames=pick(self.frames, kept),
            groups=[self.groups[i] for i in kept],
            targets=None if self.targets is None else self.targets[kept],
            absent=None if self.absent is None else self.absent[kept],
            distillation_targets=None if moments is None else [moments[i] for i in kept],
        )

    def label_targets(self, n_labels: int) -> tuple[Float32, Float32]:
        """Return how far each label is present and absent, `(clips, labels)` float32 each, 0 where nothing is known."""
        nothing = np.zeros((len(self), n_labels), np.float32)
        return (nothing if self.targets is None else self.targets, nothing if self.absent is None else self.absent)


def draw_weights(n_labelled: int, pool: Pool, targets: Float32) -> Float64:
    """Return how often clips are drawn, `(n_labelled + pool,)`: the labelled ones' weights, then the pool's.

    A clip with distillation targets weighs the largest probability that is estimated for it, a labelled clip one: its
    targets do not depend on the label, and on ESC-10 98 of 100 estimates are right. Without them a clip with an
    estimate weighs one, and labelled clips one, or more where the pool would leave them less than a third of the
    patches.

    Parameters
    ----------
    targets : (pool, columns) float32
        The estimates; all zero for a clip that is never drawn.
    """
    certainty = targets.max(axis=1, initial=0.0).astype(np.float64)
    if pool.distillation_targets is not None:
        return np.concatenate([np.ones(n_labelled), certainty])
    weights = np.sign(certainty)
    at_least = _LABELLED_SHARE / (1 - _LABELLED_SHARE) * float(weights.sum()) / n_labelled
    return np.concatenate([np.full(n_labelled, max(1.0, at_least)), weights])
