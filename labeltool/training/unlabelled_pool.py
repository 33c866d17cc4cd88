"""Clips without a verdict that teach too, by another's word.

A borrowed ear's (`labeltool.teacher`), or that of the clips they sound like (`labeltool.kinship`). Targets stay soft: a
doubtful clip teaches its doubt.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from labeltool.type_aliases import Float32, Float64

# However large the pool is, so much of what is drawn comes from clips that people labelled.
_LABELLED_SHARE = 1 / 3


@dataclass(frozen=True, slots=True)
class Pool:
    """Clips without a verdict.

    Attributes
    ----------
    log_mels : (frames, n_mels) float32 each
    groups
        One a clip: those of validation clips are not learnt from.
    targets : (clips, labels) float32, optional
        How far each label is present; without, nothing is known of any clip.
    absent : (clips, labels) float32, optional
        How far each is not, under a sigmoid; see `labeltool.heads`.
    hints : (moments, width) float32 each, optional
        See `labeltool.hints`.
    worth
        By how much of itself each lengthens the schedule: what is only likely needs less time than what is known.
    """

    log_mels: Sequence[Float32] = ()
    groups: Sequence[str] = ()
    targets: Float32 | None = None
    absent: Float32 | None = None
    hints: Sequence[Float32] | None = None
    worth: float = 1.0

    def __len__(self) -> int:
        return len(self.log_mels)

    def without(self, groups: Collection[str]) -> Pool:
        """Return the pool less the clips of some groups."""
        kept = [index for index, group in enumerate(self.groups) if group not in groups]
        targets, absent = (None if told is None else told[kept] for told in (self.targets, self.absent))
        hints = None if self.hints is None else [self.hints[i] for i in kept]
        return Pool(
            [self.log_mels[i] for i in kept], [self.groups[i] for i in kept], targets, absent, hints, self.worth
        )

    def told(self, n_labels: int) -> tuple[Float32, Float32]:
        """Return how far each label is present and absent, `(clips, labels)` float32 each, 0 where nothing is known."""
        nothing = np.zeros((len(self), n_labels), np.float32)
        return (nothing if self.targets is None else self.targets, nothing if self.absent is None else self.absent)


def draw_weights(n_labelled: int, pool: Float64) -> Float64:
    """Put the weights of labelled clips before a pool's, `(n_labelled + pool,)`: no pool drowns what people said."""
    at_least = _LABELLED_SHARE / (1 - _LABELLED_SHARE) * float(pool.sum()) / n_labelled
    return np.concatenate([np.full(n_labelled, max(1.0, at_least)), pool])
