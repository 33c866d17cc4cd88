"""What clips without a verdict can teach: labels for them that are believed the more, the surer they are.

Self-training by a curriculum (Cascante-Bonilla et al. 2021, "Curriculum labeling"): the network labels whole clips,
which it does far better than single patches; the surest are learnt from first, in the end all of them, and each review
judges all anew, so that an early error can be taken back. Targets stay soft: a doubtful clip teaches its doubt.

Under a softmax only: where each label is judged for itself a network's own word made it no better
(`benchmarks/NOTES.md`), and a pool teaches by a teacher's word or not at all.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]

REVIEWS = (0.25, 0.375, 0.5, 0.625, 0.75, 0.875)
"""When a network that starts anew labels the pool, as shares of its schedule; before the first it knows too little."""

# The other fifth of the pool is never believed: there may be sounds in it that have no label yet.
_BELIEVED_AT_MOST = 0.8
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
        How far each label is present by a teacher's word; without, the network being trained labels them itself (under
        a softmax only).
    absent : (clips, labels) float32, optional
        How far each is not, under a sigmoid; see `labeltool.heads`.
    hints : (moments, width) float32 each, optional
        See `labeltool.hints`.
    """

    log_mels: Sequence[Float32] = ()
    groups: Sequence[str] = ()
    targets: Float32 | None = None
    absent: Float32 | None = None
    hints: Sequence[Float32] | None = None

    def __len__(self) -> int:
        return len(self.log_mels)

    def without(self, groups: Collection[str]) -> Pool:
        """Return the pool less the clips of some groups."""
        kept = [index for index, group in enumerate(self.groups) if group not in groups]
        targets, absent = (None if told is None else told[kept] for told in (self.targets, self.absent))
        hints = None if self.hints is None else [self.hints[i] for i in kept]
        return Pool([self.log_mels[i] for i in kept], [self.groups[i] for i in kept], targets, absent, hints)

    def told(self, n_labels: int) -> Belief:
        """Return the teacher's word on every clip; without a teacher that nothing is known of any."""
        nothing = np.zeros((len(self), n_labels), np.float32)
        present = nothing if self.targets is None else self.targets
        absent = nothing if self.absent is None else self.absent
        return Belief(present, absent, np.any(present + absent, axis=1).astype(np.float64))


@dataclass(frozen=True, slots=True)
class Belief:
    """What is taken to be known of the clips of a pool.

    Attributes
    ----------
    present, absent : (clips, labels) float32
        As in `labeltool.heads`.
    weights : (clips,) float64
        How often each is drawn: 1, or 0 for never.
    """

    present: Float32
    absent: Float32
    weights: npt.NDArray[np.float64]


def believed(scores: Float32, share: float) -> Belief:
    """Believe the surest clips.

    Parameters
    ----------
    scores : (clips, labels) float32
        Probabilities of whole clips.
    share
        0 to 1, how far the curriculum is.
    """
    weights = np.zeros(len(scores), np.float64)
    weights[np.argsort(-scores.max(axis=1), kind="stable")[: int(np.ceil(share * _BELIEVED_AT_MOST * len(scores)))]] = 1
    return Belief(scores, np.zeros_like(scores), weights)


def draw_weights(n_labelled: int, pool: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Put the weights of labelled clips before a pool's, `(n_labelled + pool,)`: no pool drowns what people said."""
    at_least = _LABELLED_SHARE / (1 - _LABELLED_SHARE) * float(pool.sum()) / n_labelled
    return np.concatenate([np.full(n_labelled, max(1.0, at_least)), pool])
