"""What clips without a verdict can teach: labels for them that are believed the more, the surer they are.

Self-training by a curriculum (Cascante-Bonilla et al. 2021, "Curriculum labeling"): the network labels whole clips,
which it does far better than single patches; the surest are learnt from first, in the end all of them, and each review
judges all anew, so that an early error can be taken back. Targets stay soft: a doubtful clip teaches its doubt.
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

# The last so many of the pool are never believed: there may be sounds among them that have no label yet.
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
        What a teacher says of them, rows summing to one; without, the network being trained labels them itself.
    """

    log_mels: Sequence[Float32] = ()
    groups: Sequence[str] = ()
    targets: Float32 | None = None

    def __len__(self) -> int:
        return len(self.log_mels)

    def without(self, groups: Collection[str]) -> Pool:
        """Return the pool less the clips of some groups."""
        kept = [index for index, group in enumerate(self.groups) if group not in groups]
        targets = None if self.targets is None else self.targets[kept]
        return Pool([self.log_mels[i] for i in kept], [self.groups[i] for i in kept], targets)


def believed(scores: Float32, share: float) -> npt.NDArray[np.bool_]:
    """Choose the surest clips.

    Parameters
    ----------
    scores : (clips, labels) float32
        Probabilities of whole clips.
    share
        0 to 1, how far the curriculum is.

    Returns
    -------
    (clips,) bool
    """
    sure = scores.max(axis=1)
    chosen = np.zeros(len(scores), np.bool_)
    chosen[np.argsort(-sure, kind="stable")[: int(np.ceil(share * _BELIEVED_AT_MOST * len(scores)))]] = True
    return chosen


def draw_weights(n_labelled: int, chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Weigh labelled clips and pool clips, `(n_labelled + pool,)`, so that no pool drowns what people said."""
    n_chosen = int(chosen.sum())
    at_least = _LABELLED_SHARE / (1 - _LABELLED_SHARE) * n_chosen / n_labelled
    return np.concatenate([np.full(n_labelled, max(1.0, at_least)), chosen.astype(np.float64)])
