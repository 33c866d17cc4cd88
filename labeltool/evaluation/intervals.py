"""Shares with 95 % intervals, of what is not drawn one by one: clips by group, detections by stratum.

Both are Clopper and Pearson's exact interval for the number of independent draws that would have the same variance
(Korn & Graubard 1998, "Confidence intervals for proportions with small expected number of positive counts estimated
from survey data"). A bootstrap by group, or Wald's interval, has no width where all is right, which is where precision
is wanted; Wilson's covers less than 95 % near 0 and 1.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np

from labeltool.type_aliases import Bools, Float64, Int64

_TAIL = 0.025
# Added to the right and to the wrong ones for a variance: where five of five are right, the next may be wrong.
_SMOOTHING = 0.5
# Below this share of a population, drawing with and without replacement differ by less than a sixteenth of the width.
_SMALL_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Share:
    """A share, 0 to 1, and the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def width(self) -> float:
        """The width of the interval."""
        return self.high - self.low


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What was reviewed of a population's strata, (strata,) each; in each the reviewed ones were drawn at random."""

    sizes: Int64
    right: Int64
    wrong: Int64
    unsure: Int64

    @property
    def counts(self) -> Int64:
        """Number of the reviewed, (strata,)."""
        return self.right + self.wrong + self.unsure

    def from_stratum(self, first: int) -> Reviewed:
        """Return those of a stratum and of all after it."""
        return Reviewed(self.sizes[first:], self.right[first:], self.wrong[first:], self.unsure[first:])


def clustered_share(right: Bools, groups: Int64) -> Share | None:
    """Return the share of clips that are right; those of one group may be right or wrong together.

    The variance is that of a ratio of sums over groups, to which half a group that is right and half a one that is
    wrong are added: where all is right, groups count rather than clips, for nothing shows how alike their clips are.

    Parameters
    ----------
    right : (clips,) bool
    groups : (clips,) int64
        Number of each clip's group.
    """
    clips = len(right)
    if not clips:
        return None
    number = np.unique(groups, return_inverse=True)[1]
    sizes = np.bincount(number).astype(np.float64)
    count, mean = len(sizes), clips / len(sizes)
    share = float(right.mean())
    smoothed = (float(right.sum()) + _SMOOTHING * mean) / (clips + 2 * _SMOOTHING * mean)
    deviations = np.bincount(number, right.astype(np.float64)) - smoothed * sizes
    squares = float(np.square(deviations).sum()) + _SMOOTHING * mean**2 * (smoothed**2 + (1 - smoothed) ** 2)
    variance = squares * (count + 1) / count / (clips + 2 * _SMOOTHING * mean) ** 2
    # The last two factors make it the number of clips where each is a group of its own.
    independent = smoothed * (1 - smoothed) / variance * clips**2 / (clips + 2 * _SMOOTHING * mean) / max(clips - 1, 1)
    return Share(share, *_exact_interval(share, min(float(clips), independent)))


def stratified_share(reviewed: Reviewed) -> Share | None:
    """Return the share of a population that is right, by its strata; None where of one nothing was reviewed.

    The population is finite: once all was reviewed the interval has no width. What was reviewed without a decision
    counts as wrong for the lower end and as right for the upper one.
    """
    decided = reviewed.right + reviewed.wrong
    if (decided == 0).any():
        return None
    share = float(np.average(reviewed.right / decided, weights=reviewed.sizes))
    low, high = _stratified_interval(reviewed.sizes, reviewed.counts, reviewed.right)
    if reviewed.unsure.any():
        _, high = _stratified_interval(reviewed.sizes, reviewed.counts, reviewed.right + reviewed.unsure)
    return Share(share, min(low, share), max(high, share))


def _stratum_variances(sizes: Int64, counts: Int64, right: Int64) -> Float64:
    """Return the variance of each stratum's part of the share that is right, (strata,), from smoothed shares."""
    smoothed = (right + _SMOOTHING) / (counts + 2 * _SMOOTHING)
    left = (sizes - counts) / np.maximum(sizes - 1, 1)
    return np.asarray(np.square(sizes / sizes.sum()) * smoothed * (1 - smoothed) / counts * left, np.float64)


def _stratified_interval(sizes: Int64, counts: Int64, right: Int64) -> tuple[float, float]:
    total, drawn = int(sizes.sum()), int(counts.sum())
    share = float(np.average(right / counts, weights=sizes))
    of_strata = _stratum_variances(sizes, counts, right)
    variance = float(of_strata.sum())
    if variance == 0:
        return share, share
    # Satterthwaite: how well the strata with the most of the variance are known.
    freedom = variance**2 / float((np.square(of_strata) / np.maximum(counts - 1, 0.5)).sum())
    variance /= _widening(drawn - 1, max(1.0, min(freedom, drawn - 1.0)))
    smoothed = float(np.average((right + _SMOOTHING) / (counts + 2 * _SMOOTHING), weights=sizes))
    spread = smoothed * (1 - smoothed)
    effective = total * spread / (variance * (total - 1) + spread)  # without replacement
    if effective < _SMALL_SHARE * total:
        low, high = _exact_interval(share, effective * (total - 1) / (total - effective))
    else:
        low, high = _exact_finite_interval(share, max(1, int(effective)), total)
    return max(low, float(right.sum()) / total), min(high, 1 - float((counts - right).sum()) / total)


def _widening(freedom: float, known: float) -> float:
    """Return by what the effective number shrinks because its variance is known from `known` degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(max(freedom, 1.0), 1 - _TAIL) / stdtrit(known, 1 - _TAIL)) ** 2


def _exact_interval(share: float, effective: float) -> tuple[float, float]:
    """Return Clopper and Pearson's interval of a share of `effective` draws, which need not be a whole number."""
    from scipy.special import betaincinv

    right, wrong = share * effective, (1 - share) * effective
    low = 0.0 if right < 1e-9 else float(betaincinv(right, wrong + 1, _TAIL))
    high = 1.0 if wrong < 1e-9 else float(betaincinv(right + 1, wrong, 1 - _TAIL))
    return low, high


def _exact_finite_interval(share: float, drawn: int, total: int) -> tuple[float, float]:
    """Return the same for draws without replacement, from a population of `total`."""
    from scipy.stats import hypergeom

    at_least, at_most = int(np.floor(share * drawn + 1e-9)), int(np.ceil(share * drawn - 1e-9))
    low = bisect_left(range(total), True, key=lambda right: hypergeom.sf(at_least - 1, total, right, drawn) > _TAIL)
    high = (
        bisect_left(range(total + 1), True, key=lambda right: hypergeom.cdf(at_most, total, right, drawn) <= _TAIL) - 1
    )
    return low / total, high / total
