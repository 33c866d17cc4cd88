"""An estimate of how often suggestions are right on the clips that are not labelled, from the labelled ones.

Clips are not labelled at random: the ones asked about first are unlike each other and hard. The share of them that was
predicted rightly says little of the rest. What carries over is how far the probabilities can be trusted: by the
labelled clips, each predicted without its near-duplicates, they are corrected by one number (a shift of their log
odds), and the estimate is their mean over the rest.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from labeltool.type_aliases import Bools, Float64

MIN_LABELLED = 20
"""With fewer labelled clips there is no estimate."""

TOO_FEW_LABELS = "too few labels to say how often it is right"

# An interval that is wider than this is not shown.
_MAX_WIDTH = 0.5
# How far probabilities are off before any clip is labelled: the standard deviation of the shift, in log odds.
_PRIOR_DEVIATION = 1.5
# Of a normal distribution, nine tenths lie within as many standard deviations.
_NINE_TENTHS = 1.645
_MAX_SHIFT, _STEPS = 12.0, 30


@dataclass(frozen=True, slots=True)
class AccuracyEstimate:
    """The estimated share of the unlabelled clips whose first suggestion is right.

    Attributes
    ----------
    share, low, high
        0 to 1; the interval holds the true share nine times in ten.
    """

    share: float
    low: float
    high: float
    labelled: int

    def to_json(self) -> dict[str, Any]:
        """Return the fields."""
        return asdict(self)

    @property
    def is_wide(self) -> bool:
        """Whether it says next to nothing."""
        return self.high - self.low > _MAX_WIDTH

    def __str__(self) -> str:
        if self.is_wide:
            return TOO_FEW_LABELS
        return f"about {self.share:.0%} right on the rest ({self.low:.0%} to {self.high:.0%})"


def estimate_accuracy(held_out: Float64, is_right: Bools, rest: Float64) -> AccuracyEstimate | None:
    """Estimate how often the first suggestion is right on the rest; None with too few labelled clips.

    Parameters
    ----------
    held_out : (labelled clips,)
        The highest probability of each, predicted without it and its near-duplicates.
    is_right : (labelled clips,)
        Whether that label was right.
    rest : (clips,)
        The highest probability of each of some unlabelled clips.
    """
    if len(held_out) < MIN_LABELLED or not len(rest):
        return None
    odds = _log_odds(held_out)
    low_shift, high_shift = -_MAX_SHIFT, _MAX_SHIFT
    for _ in range(_STEPS):  # the most probable shift, by halving: the slope falls everywhere
        shift = (low_shift + high_shift) / 2.0
        slope = float((is_right - _share(odds + shift)).sum()) - shift / _PRIOR_DEVIATION**2
        low_shift, high_shift = (shift, high_shift) if slope > 0 else (low_shift, shift)
    expected = _share(odds + shift)
    precision = float((expected * (1.0 - expected)).sum()) + _PRIOR_DEVIATION**-2
    of_rest, deviation = _log_odds(rest), precision**-0.5
    each = _share(of_rest + shift)
    share = float(each.mean())
    # What the shift leaves open, and chance among the clips of the rest.
    chance = _NINE_TENTHS * float(np.sqrt((each * (1.0 - each)).sum())) / len(rest)
    low, high = (float(_share(of_rest + shift + by * deviation).mean()) for by in (-_NINE_TENTHS, _NINE_TENTHS))
    return AccuracyEstimate(
        round(share, 4),
        round(max(0.0, share - float(np.hypot(share - low, chance))), 4),
        round(min(1.0, share + float(np.hypot(high - share, chance))), 4),
        len(held_out),
    )


def _log_odds(shares: Float64) -> Float64:
    clipped = np.clip(shares, 0.01, 0.99)
    return np.asarray(np.log(clipped / (1.0 - clipped)), np.float64)


def _share(log_odds: Float64) -> Float64:
    return np.asarray(1.0 / (1.0 + np.exp(-log_odds)), np.float64)
