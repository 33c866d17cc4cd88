"""Agreement of annotators on the clips that two or more of them labelled, corrected for chance.

Cohen's kappa (1960) of two annotators, Fleiss' kappa (1971) of the clips that equally many labelled, Krippendorff's
alpha for nominal data (2004) of all. Each is a function of sums over clips, so that one group of clips can be omitted
without counting again: the intervals come from that (jackknife, Efron 1981), on the scale log(1 - value), where they
cover best with few clips (`benchmarks/agreement.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from labeltool.annotation.people.by_annotator import ClipVerdicts, present_labels, verdicts_by_annotator
from labeltool.records import Value
from labeltool.store import Store
from labeltool.type_aliases import Float64, Int64

CONFIDENCE = 0.95
"""Of all intervals here."""

_NO_SPREAD = 1e-9

NOT_RATED = -1
"""In an array of ratings: the annotator did not rate the clip."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """A coefficient of agreement, 1 for perfect and 0 for that of chance.

    Attributes
    ----------
    value, low, high
        The coefficient and its interval; None where it is not defined, as where everybody always chose the same. The
        interval alone is None where it cannot be estimated: of one group, or where it makes no difference which is
        omitted.
    same
        The share of pairs of ratings that are the same, 0 to 1.
    """

    value: float | None
    low: float | None
    high: float | None
    same: float
    clips: int


@dataclass(frozen=True, slots=True)
class LabelAgreement:
    """Krippendorff's alpha of whether a label is present; `present` is the number of clips where anybody gave it."""

    label: str
    present: int
    alpha: Agreement


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """Cohen's kappa of two annotators."""

    annotators: tuple[str, str]
    kappa: Agreement


@dataclass(frozen=True, slots=True)
class ProjectAgreement:
    """See `project_agreement`.

    Attributes
    ----------
    clips
        Clips that two or more people labelled.
    fleiss
        Of those among them that equally many people labelled, as most were; `raters` is how many.
    by_label, by_pair
        The lowest agreement first.
    """

    clips: int
    annotators: tuple[str, ...]
    alpha: Agreement
    fleiss: Agreement
    raters: int
    by_label: tuple[LabelAgreement, ...]
    by_pair: tuple[PairAgreement, ...]


def project_agreement(store: Store) -> ProjectAgreement | None:
    """Return how far people agree on the clips that two or more of them labelled; None where there is no such clip.

    What was imported, accepted automatically or settled by rule is nobody's rating. A rating of a clip is the set of
    labels that the annotator gave it, empty for "none of these". For somebody who gave a clip labels, every
    other label counts as absent, unless they were unsure of it.
    """
    rated = ratings_by_clip(store)
    if not rated:
        return None
    rows = store.connection.execute("SELECT c.id, r.group_name FROM clips c JOIN recordings r ON r.id = c.recording_id")
    groups = dict(rows.fetchall())
    clusters = np.unique([groups[clip_id] for clip_id in rated], return_inverse=True)[1]
    annotators = sorted({who for ratings in rated.values() for who in ratings})
    codes = _codes([{who: one.labels for who, one in ratings.items()} for ratings in rated.values()], annotators)
    raters = (codes != NOT_RATED).sum(axis=1)
    usual = int(np.bincount(raters).argmax())
    labels = sorted({label for ratings in rated.values() for one in ratings.values() for label in one.labels})
    by_label = [_of_label(label, list(rated.values()), annotators, clusters) for label in labels]
    pairs = ((pair, codes[:, [annotators.index(who) for who in pair]]) for pair in combinations(annotators, 2))
    by_pair = [
        PairAgreement(pair, cohen_kappa(two, clusters)) for pair, two in pairs if (two != NOT_RATED).all(axis=1).any()
    ]
    return ProjectAgreement(
        clips=len(rated),
        annotators=tuple(annotators),
        alpha=krippendorff_alpha(codes, clusters),
        fleiss=fleiss_kappa(codes[raters == usual], clusters[raters == usual]),
        raters=usual,
        by_label=tuple(sorted(by_label, key=lambda one: _order(one.alpha))),
        by_pair=tuple(sorted(by_pair, key=lambda one: _order(one.kappa))),
    )


def _order(one: Agreement) -> float:
    return 2.0 if one.value is None else one.value


@dataclass(frozen=True, slots=True)
class Rating:
    """The labels that an annotator gave a clip, and those that they were unsure of."""

    labels: frozenset[str]
    unsure: frozenset[str]


def ratings_by_clip(store: Store) -> dict[int, dict[str, Rating]]:
    """Return what each annotator gave each clip that two or more people labelled."""
    given = verdicts_by_annotator(store, only_people=True)
    return {clip_id: found for clip_id, one in given.items() if len(found := _ratings(one)) > 1}


def _ratings(given: ClipVerdicts) -> dict[str, Rating]:
    """Return what each annotator gave a clip; without those who only gave what it is not, or that they cannot tell."""
    ratings = {}
    for who, verdicts in given.by_annotator.items():
        present = present_labels(verdicts)
        whole = verdicts.get(None)
        if present or (whole is not None and whole.value == Value.ABSENT):
            unsure = [label for label, one in verdicts.items() if label is not None and one.value == Value.UNSURE]
            ratings[who] = Rating(frozenset(present), frozenset(unsure))
    return ratings


def _codes(ratings: Sequence[Mapping[str, Hashable]], annotators: Sequence[str]) -> Int64:
    """Return ratings as numbers, (clips, annotators), `NOT_RATED` where there is none; equal ones have one number."""
    numbers: dict[Hashable, int] = {}
    codes = np.full((len(ratings), len(annotators)), NOT_RATED, np.int64)
    column = {who: place for place, who in enumerate(annotators)}
    for row, of_clip in zip(codes, ratings, strict=True):
        for who, rating in of_clip.items():
            row[column[who]] = numbers.setdefault(rating, len(numbers))
    return codes


def _of_label(
    label: str, rated: Sequence[Mapping[str, Rating]], annotators: Sequence[str], clusters: Int64
) -> LabelAgreement:
    codes = _codes(
        [{who: label in one.labels for who, one in ratings.items() if label not in one.unsure} for ratings in rated],
        annotators,
    )
    present = sum(any(label in one.labels for one in ratings.values()) for ratings in rated)
    return LabelAgreement(label, present, krippendorff_alpha(codes, clusters))


# -- coefficients


def cohen_kappa(codes: Int64, clusters: Int64) -> Agreement:
    """Return Cohen's kappa, with its interval.

    Parameters
    ----------
    codes
        (clips, 2): the category that each of two annotators chose, from 0, or `NOT_RATED`.
    clusters
        (clips,): the number of each clip's group. Clips of a group are not independent: the interval is over groups.
    """
    codes, clusters = _rated_twice(codes, clusters)
    chosen = _one_hot(codes)
    same = (codes[:, 0] == codes[:, 1]).astype(np.float64)

    def kappa(sums: Float64) -> Float64:
        clips, same, first, second = sums[..., 0], sums[..., 1], *np.split(sums[..., 2:], 2, axis=-1)
        by_chance = (first * second).sum(axis=-1) / clips**2
        return _over_chance(same / clips, by_chance)

    return _estimate(np.column_stack([np.ones(len(codes)), same, chosen[:, 0], chosen[:, 1]]), clusters, kappa, same)


def fleiss_kappa(codes: Int64, clusters: Int64) -> Agreement:
    """Return Fleiss' kappa of clips that all have equally many ratings, whoever gave them; else as `cohen_kappa`."""
    codes, clusters = _rated_twice(codes, clusters)
    counts = _one_hot(codes).sum(axis=1)
    raters = counts.sum(axis=1)
    if len(set(raters)) > 1:
        raise ValueError("Fleiss' kappa is of clips with equally many ratings")
    same = (counts * (counts - 1)).sum(axis=1) / (raters * (raters - 1))

    def kappa(sums: Float64) -> Float64:
        clips = sums[..., 0]
        by_chance = ((sums[..., 2:] / clips[..., None]) ** 2).sum(axis=-1)
        return _over_chance(sums[..., 1] / clips, by_chance)

    parts = np.column_stack([np.ones(len(codes)), same, counts / raters[:, None]])
    return _estimate(parts, clusters, kappa, same)


def krippendorff_alpha(codes: Int64, clusters: Int64) -> Agreement:
    """Return Krippendorff's alpha for nominal data; any number of ratings a clip, otherwise as `cohen_kappa`."""
    codes, clusters = _rated_twice(codes, clusters)
    counts = _one_hot(codes).sum(axis=1)
    raters = counts.sum(axis=1)
    same = (counts * (counts - 1)).sum(axis=1) / (raters - 1)

    def alpha(sums: Float64) -> Float64:
        ratings, same, chosen = sums[..., 0], sums[..., 1], sums[..., 2:]
        by_chance = ratings**2 - (chosen**2).sum(axis=-1)
        return np.asarray(1 - (ratings - 1) * (ratings - same) / by_chance, np.float64)

    return _estimate(np.column_stack([raters, same, counts]), clusters, alpha, same / raters)


def _rated_twice(codes: Int64, clusters: Int64) -> tuple[Int64, Int64]:
    """Return the clips that have two ratings or more."""
    enough = (codes != NOT_RATED).sum(axis=1) >= 2
    return codes[enough], clusters[enough]


def _one_hot(codes: Int64) -> Float64:
    """Return 1 where an annotator chose a category, (clips, annotators, categories)."""
    return np.asarray(codes[..., None] == np.unique(codes[codes != NOT_RATED]), np.float64)


def _over_chance(same: Float64, by_chance: Float64) -> Float64:
    return np.asarray((same - by_chance) / (1 - by_chance), np.float64)


def _estimate(parts: Float64, clusters: Int64, value_of: Callable[[Float64], Float64], same: Float64) -> Agreement:
    """Return a coefficient and its interval.

    Parameters
    ----------
    parts
        (clips, n): what each clip adds to the sums, the second of which counts what is the same.
    value_of
        From sums, (..., n), to the coefficient, (...); not finite where it is not defined.
    same
        (clips,): the share of a clip's pairs of ratings that are the same.
    """
    if not len(parts):
        return Agreement(None, None, None, 0.0, 0)
    numbers = np.unique(clusters, return_inverse=True)[1]
    of_cluster = np.zeros((numbers.max() + 1, parts.shape[1]))
    np.add.at(of_cluster, numbers, parts)
    total = of_cluster.sum(axis=0)
    with np.errstate(all="ignore"):
        value = float(value_of(total))
        without_one = value_of(total - of_cluster)
        never_same = float(value_of(np.where(np.arange(len(total)) == 1, 0.0, total)))
    share = float(same.mean())
    if not np.isfinite(value):
        return Agreement(None, None, None, share, len(parts))
    return Agreement(value, *_interval(value, without_one, None if share < 1 else never_same), share, len(parts))


def _interval(value: float, without_one: Float64, never_same: float | None) -> tuple[float | None, float | None]:
    """Return the interval of a coefficient.

    Parameters
    ----------
    without_one
        (groups,): the coefficient without each of the groups.
    never_same
        Where all ratings are the same: the coefficient if none were and chance as it is. Else None.
    """
    from scipy.special import stdtrit  # a light command that shows no agreement need not pay for it

    groups, tail = len(without_one), (1 - CONFIDENCE) / 2
    if groups < 2:
        return None, None
    if never_same is not None:
        # The share of differences at which none is seen with a probability of `tail` (Clopper and Pearson 1934).
        return max(-1.0, 1 - (1 - tail ** (1 / groups)) * (1 - never_same)), 1.0
    if not np.isfinite(without_one).all():
        return None, None
    if np.ptp(without_one) < _NO_SPREAD:
        return None, None  # each group without another gives the same: nothing shows how far others would be
    spread = np.sqrt((groups - 1) / groups * ((without_one - without_one.mean()) ** 2).sum())
    step = float(stdtrit(groups - 1, 1 - tail) * spread / (1 - value))
    return max(-1.0, 1 - (1 - value) * float(np.exp(step))), 1 - (1 - value) * float(np.exp(-step))
