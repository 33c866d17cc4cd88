"""From patches to the clip: one rule for the float network, the int8 network and the chip.

A clip's score is a weighted mean of its patches' log-probabilities, normalised to sum to one. The weight grows with how
loud a patch is, for a silent patch knows nothing of the label. Both sums run: the chip needs neither the clip's length
nor its maximum, only two accumulators per label.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labeltool.errors import LabeltoolError

Float32 = npt.NDArray[np.float32]

# Half an int8 step of a softmax output (1/256): what the chip calls 0 is anything up to here.
_SMALLEST_PROBABILITY = 1.0 / 512.0
# Taught on mixtures, a network underrates itself on clean sound: best on ESC-10, folds 1 to 4, each left out in turn.
_USUAL_TEMPERATURE = 0.6


@dataclass(frozen=True, slots=True)
class ClipRule:
    """How patches make a clip.

    Attributes
    ----------
    loudness_exponent
        A patch weighs `10 ** (loudness_exponent * loudness_db / 10)`; its loudness is a mean over bands in decibels,
        so 0 is the plain mean of the patches and 1 weighs by the geometric mean of their powers.
    temperature
        Calibration (Guo et al. 2017): the mean log-probabilities are divided by it before they are normalised.
    """

    loudness_exponent: float = 1.0
    temperature: float = _USUAL_TEMPERATURE

    def to_dict(self) -> dict[str, float]:
        """Return the fields as JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, described: Mapping[str, Any]) -> ClipRule:
        """Make the rule that `to_dict` described.

        Raises
        ------
        LabeltoolError
            When the fields are not those of a rule.
        """
        try:
            return cls(**{name: float(value) for name, value in described.items()})
        except (TypeError, ValueError) as error:
            raise LabeltoolError(f"not a clip rule: {error}", remedy="made by a newer version?") from error


def clip_scores(patch_probabilities: Float32, patch_loudness_db: Float32, rule: ClipRule) -> Float32:
    """Score a clip from its patches.

    Parameters
    ----------
    patch_probabilities : (patches, labels) float32
        The network's softmax outputs, float or dequantised int8; at least one patch.
    patch_loudness_db : (patches,) float32
        `Frontend.loudness_db` of the same patches, decibels.
    rule
        The model's.

    Returns
    -------
    (labels,) float32
        Calibrated probabilities, summing to one.
    """
    if len(patch_probabilities) == 0:
        raise ValueError("a clip needs at least one patch")
    # The largest loudness is taken off only to keep the powers in range; it cancels in the ratio.
    relative = patch_loudness_db.astype(np.float64) - patch_loudness_db.max()
    weights = 10.0 ** (rule.loudness_exponent * relative / 10.0)
    logs = np.log(np.maximum(patch_probabilities.astype(np.float64), _SMALLEST_PROBABILITY))
    mean = weights @ logs / weights.sum()
    return softmax(mean[None], rule.temperature).reshape(-1)


def softmax(logits: npt.NDArray[np.floating[Any]], temperature: float = 1.0) -> Float32:
    """Normalise rows of logits, `(rows, labels)`, divided by a temperature."""
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max(axis=-1, keepdims=True)
    powers = np.exp(scaled)
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), dtype=np.float32)


def calibrate(clip_scores: Float32, targets: Float32) -> float:
    """Find the temperature that makes clip scores honest (Guo et al. 2017).

    Parameters
    ----------
    clip_scores : (clips, labels) float32
        Scores at temperature one.
    targets : (clips, labels) float32

    Returns
    -------
    float
        The temperature of least cross-entropy in a grid from 0.2 to 5, held towards 0.6 as if by eight clips: a handful
        that happen to be right must not make the network cocksure.
    """
    logits = np.log(np.maximum(clip_scores.astype(np.float64), 1e-12))
    grid = np.geomspace(0.2, 5.0, 97)
    losses = []
    for temperature in grid:
        probabilities = softmax(logits, float(temperature))
        doubt = 8.0 * np.log(temperature / _USUAL_TEMPERATURE) ** 2
        losses.append(doubt - (targets * np.log(np.maximum(probabilities, 1e-12))).sum())
    return float(grid[int(np.argmin(losses))])
