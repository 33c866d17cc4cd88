"""Query strategies of active learning: which unlabelled clips to label first.

A strategy is a function of the form `QueryStrategy`: it gets a `Pool`, all that is known of the unlabelled clips, and
returns which of them to label, the most informative first. To add one, write its function here and give it a name in
`STRATEGIES`; `--strategy` and the setting `query_strategy` accept it from then on. Another distribution adds one
through an entry point of the group `labeltool.strategies` (`util/plugins.py`): its name, and the function.

`rank` makes a whole queue of a strategy: its choice, one clip of each group before a second of any, then the rest.
Everything is deterministic under the seed.

References
----------
Settles 2009 (random, entropy, margin); Sener and Savarese 2018 (k-centre); Zhao et al. 2017 (medoids, for sounds);
Ash et al. 2020 (BADGE); Hacohen et al. 2022 (with few labels, query typical clips, not outliers).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt

from labeltool.errors import LabeltoolError
from labeltool.type_aliases import Float32, Float64, Int64
from labeltool.util.plugins import Registry

DEFAULT = "default"
BY_INT8 = "int8"
"""The one strategy that needs the int8 network's probabilities."""

# Strategies that compare clips with each other compare at most this many: the distances of 4,096 take 64 MB.
_MAX_COMPARED = 4096


@dataclass(frozen=True, slots=True)
class Pool:
    """The unlabelled clips, and what is known of them.

    Attributes
    ----------
    embeddings : (clips, features) float32
        Similar clips lie close: a network's last features, or `descriptors.describe`.
    groups
        The group of each clip; clips of one group are near-duplicates.
    labelled : (labelled clips, features) float32
        The embeddings of the clips that are labelled.
    probabilities : (clips, labels) float32, optional
        The newest model's; None before the first.
    int8_probabilities : (clips, labels) float32, optional
        The same model's, as the MCU computes them.
    """

    embeddings: Float32
    groups: Sequence[str]
    labelled: Float32
    probabilities: Float32 | None = None
    int8_probabilities: Float32 | None = None

    def __len__(self) -> int:
        return len(self.embeddings)


class QueryStrategy(Protocol):
    """A function that chooses clips of a pool."""

    def __call__(self, pool: Pool, count: int, rng: np.random.Generator, /) -> Int64:
        """Return indices of the clips to label, the most informative first, none twice.

        Parameters
        ----------
        count
            Number of clips that are wanted, 1 to all; a strategy may return more, or fewer.
        rng
            The only source of randomness.
        """


def rank(name: str, pool: Pool, *, seed: int, count: int) -> Int64:
    """Order a whole pool by a strategy.

    Parameters
    ----------
    count
        Number of labels that are expected before the next model. This many clips are chosen together, and among them
        one clip of each group comes before a second of any, as far as four times as many candidates allow.

    Returns
    -------
    (clips,) int64
        Every index of the pool once, the first to be labelled first.

    Raises
    ------
    LabeltoolError
        When there is no such strategy, or that of a plug-in does not return indices of the pool.
    """
    strategy = find_strategy(name)
    if len(pool) == 0:
        return np.empty(0, np.int64)
    rng = np.random.default_rng([seed, len(pool)])
    count = min(count, len(pool))
    if len(pool.labelled) > _MAX_COMPARED:
        sample = rng.permutation(len(pool.labelled))[:_MAX_COMPARED]
        pool = replace(pool, labelled=pool.labelled[sample])
    chosen = np.asarray(strategy(pool, count, rng))
    if chosen.dtype.kind not in "iu" or len(np.intersect1d(chosen, np.arange(len(pool)))) != chosen.size:
        raise LabeltoolError(f"strategy {name!r} does not return indices of the pool, none twice")
    rest = margin(pool, len(pool), rng) if pool.probabilities is not None else rng.permutation(len(pool))
    order = np.concatenate([chosen, rest[~np.isin(rest, chosen)]])
    return _spread_groups(order, pool.groups, count)


def find_strategy(name: str) -> QueryStrategy:
    """Return a strategy by name.

    Raises
    ------
    LabeltoolError
        When there is none of that name.
    """
    try:
        return STRATEGIES[name]
    except KeyError:
        raise LabeltoolError(f"no strategy {name!r}", remedy="there are " + ", ".join(STRATEGIES)) from None


def random(pool: Pool, count: int, rng: np.random.Generator) -> Int64:
    """Choose at random: the baseline."""
    return rng.permutation(len(pool))


def entropy(pool: Pool, count: int, rng: np.random.Generator) -> Int64:
    """Choose by the entropy of the probabilities, the highest first."""
    if pool.probabilities is None:
        return medoid(pool, count, rng)
    probabilities = np.maximum(pool.probabilities.astype(np.float64), 1e-12)
    return _largest_first(-(probabilities * np.log(probabilities)).sum(axis=1), rng)


def margin(pool: Pool, count: int, rng: np.random.Generator) -> Int64:
    """Choose by the difference between the two most probable labels, the smallest first."""
    if pool.probabilities is None:
        return medoid(pool, count, rng)
    return _largest_first(-margins(pool.probabilities), rng)


def k_centre(pool: Pool, count: int, rng: np.random.Generator) -> Int64:
    """Choose the clip farthest from all labelled and chosen ones, again and again (greedy k-centre, "coreset")."""
    compared = _compared(pool, rng)
    points = pool.embeddings[compared].astype(np.float64)
    # Before the first label, the mean of all clips stands for the labelled ones.
    centres = pool.labelled if len(pool.labelled) else points.mean(axis=0, keepdims=True)
    nearest = _distances(points, centres).min(axis=1)
    chosen: list[int] = []
    for _ in range(min(count, len(points))):
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, _distances(points, points[chosen[-1:]])[:, 0])
        nearest[chosen] = -1.0
    return compared[chosen]


def medoid(pool: Pool, count: int, rng: np.random.Generator) -> Int64:
    """Choose clips that represent most others: greedy k-medoids, given the labelled clips."""
    return _medoids(pool, np.ones(len(pool)), count, rng)


def uncertain_medoids(pool: Pool, count: int, rng: np.random.Generator) -> Int64:
    """Choose clips that represent most *uncertain* others.

    Greedy k-medoids again, but a clip is weighted by the model's uncertainty, (1 - margin) squared: a batch covers what
    the model cannot tell apart, without two clips of one kind, and outliers come late. Before the first model every
    clip weighs the same.
    """
    if pool.probabilities is None:
        return medoid(pool, count, rng)
    return _medoids(pool, (1.0 - margins(pool.probabilities)) ** 2, count, rng)


def badge(pool: Pool, count: int, rng: np.random.Generator) -> Int64:
    """Choose large and different gradients of the last layer, for the most probable labels (BADGE, by k-means++).

    The gradient is the outer product of (probabilities - most probable label) and the embedding; its distances are
    computed from the two factors, and it is never formed.
    """
    if pool.probabilities is None:
        return medoid(pool, count, rng)
    compared = _compared(pool, rng)
    probabilities = pool.probabilities[compared].astype(np.float64)
    errors = probabilities - np.eye(probabilities.shape[1])[probabilities.argmax(axis=1)]
    features = pool.embeddings[compared].astype(np.float64)
    squares = (errors**2).sum(axis=1) * (features**2).sum(axis=1)
    nearest, chosen = squares.copy(), [int(squares.argmax())]
    while True:
        last = chosen[-1]
        products = (errors @ errors[last]) * (features @ features[last])
        nearest = np.minimum(nearest, np.maximum(squares + squares[last] - 2.0 * products, 0.0))
        nearest[chosen] = 0.0
        if len(chosen) == min(count, len(compared)) or not nearest.any():
            return compared[chosen]
        chosen.append(int(rng.choice(len(compared), p=nearest / nearest.sum())))


def int8_disagreement(pool: Pool, count: int, rng: np.random.Generator) -> Int64:
    """Choose clips for which int8 and float predict different labels, then those whose probabilities differ most."""
    if pool.probabilities is None or pool.int8_probabilities is None:
        return medoid(pool, count, rng)
    difference = np.abs(pool.probabilities.astype(np.float64) - pool.int8_probabilities).sum(axis=1)
    disagrees = pool.probabilities.argmax(axis=1) != pool.int8_probabilities.argmax(axis=1)
    return _largest_first(difference + 2.0 * disagrees, rng)


def _accept(name: str, loaded: object) -> QueryStrategy:
    if not callable(loaded):
        raise TypeError("is no function")
    return cast(QueryStrategy, loaded)


STRATEGIES: Registry[QueryStrategy] = Registry(
    "labeltool.strategies",
    {
        DEFAULT: uncertain_medoids,
        "random": random,
        "entropy": entropy,
        "margin": margin,
        "k-centre": k_centre,
        "medoid": medoid,
        "badge": badge,
        BY_INT8: int8_disagreement,
    },
    _accept,
)
"""The registry: every strategy by the name that `--strategy` and the setting `query_strategy` accept."""

SUMMARIES = {
    DEFAULT: "uncertain clips that represent many others",
    "random": "by chance",
    "entropy": "the least certain ones over all labels",
    "margin": "the least certain ones between two labels",
    "k-centre": "the clips farthest from all labelled ones",
    "medoid": "clips that represent many others",
    "badge": "uncertain clips that differ from each other",
    BY_INT8: "clips on which the int8 model differs from the float one",
}
"""What each chooses first, in a few words; those of plug-ins have none."""


def margins(probabilities: Float32) -> Float64:
    """Return the difference between the two most probable labels: `(clips, labels)` to `(clips,)`, 0 to 1."""
    two = np.partition(probabilities.astype(np.float64), -2, axis=1)[:, -2:]
    return np.asarray(two[:, 1] - two[:, 0])


def _medoids(pool: Pool, weights: Float64, count: int, rng: np.random.Generator) -> Int64:
    """Choose greedily what most lowers the weighted sum of distances to the nearest labelled or chosen clip."""
    compared = _compared(pool, rng)
    points, weights = pool.embeddings[compared], weights[compared].astype(np.float32)
    distances = _distances(points, points)
    # Before the first label, every clip is as far from one as two clips can be.
    if len(pool.labelled):
        nearest = _distances(points, pool.labelled).min(axis=1)
    else:
        nearest = np.full(len(points), distances.max())
    chosen: list[int] = []
    nearer = np.empty_like(distances)
    for _ in range(min(count, len(points))):
        np.maximum(np.subtract(nearest[:, None], distances, out=nearer), 0.0, out=nearer)
        gains = weights @ nearer
        gains[chosen] = -1.0
        chosen.append(int(gains.argmax()))
        nearest = np.minimum(nearest, distances[:, chosen[-1]])
    return compared[chosen]


def _compared(pool: Pool, rng: np.random.Generator) -> Int64:
    """Return the clips to compare with each other: all, or the most uncertain, or before the first model a sample."""
    order = rng.permutation(len(pool)) if pool.probabilities is None else margin(pool, len(pool), rng)
    return np.sort(order[:_MAX_COMPARED])


def _distances(points: npt.NDArray[np.floating], centres: npt.NDArray[np.floating]) -> Float32:
    """Return Euclidean distances, `(points, centres)` float32."""
    distances = (points**2).sum(axis=1)[:, None] + (centres**2).sum(axis=1)[None]
    distances -= 2.0 * points @ centres.T
    np.sqrt(np.maximum(distances, 0.0, out=distances), out=distances)
    return np.asarray(distances, np.float32)


def _largest_first(values: Float64, rng: np.random.Generator) -> Int64:
    """Sort, the largest first; equal values in random order, because the order of import clusters by label."""
    return np.lexsort((rng.permutation(len(values)), -values))


def _spread_groups(order: Int64, groups: Sequence[str], count: int) -> Int64:
    """Bring one clip of each group before a second of any into the first `count`, out of four times as many."""
    window = order[: 4 * count]
    seen: dict[str, int] = {}
    rounds = np.empty(len(window), np.int64)
    for position, index in enumerate(window):
        rounds[position] = seen.get(groups[index], 0)
        seen[groups[index]] = rounds[position] + 1
    return np.concatenate([window[np.argsort(rounds, kind="stable")], order[4 * count :]])
