"""Which clips to ask about first: strategies of active learning, over arrays.

A strategy gets a `Pool` (what is known of the clips that wait) and says which clips to ask for, the most telling first.
`rank` makes a whole order of it: the strategy's choice, one clip of each group before a second of any, then the rest.
Everything is deterministic under the seed.

References
----------
Settles 2009 (random, entropy, margin); Sener and Savarese 2018 (k-centre); Zhao et al. 2017 (medoids, for sounds);
Ash et al. 2020 (BADGE); Hacohen et al. 2022 (few labels: ask for what is typical, not for what is odd).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from labeltool.errors import LabeltoolError
from labeltool.type_aliases import Float32, Float64, Int64

DEFAULT = "default"
BY_INT8 = "int8"
"""The one strategy that needs the int8 network's answers."""

# Strategies that compare clips with each other look at so many at most: the distances of 4,096 take 64 MB.
_MOST_COMPARED = 4096


@dataclass(frozen=True, slots=True)
class Pool:
    """What is known of the clips that may be asked about.

    Attributes
    ----------
    embeddings : (clips, features) float32
        Clips that sound alike lie close: a network's last features, or `describe`.
    groups
        One a clip; clips of one group are near-duplicates.
    answered : (answered clips, features) float32
        The embeddings of clips that have an answer.
    probabilities : (clips, labels) float32, optional
        The newest model's; None before the first.
    int8_probabilities : (clips, labels) float32, optional
        The same model's as the chip computes them.
    """

    embeddings: Float32
    groups: Sequence[str]
    answered: Float32
    probabilities: Float32 | None = None
    int8_probabilities: Float32 | None = None

    def __len__(self) -> int:
        return len(self.embeddings)


Strategy = Callable[[Pool, int, np.random.Generator], Int64]
"""Pool, how many are wanted (1 to all), randomness: to the clips to ask for, first to be asked first, no clip twice."""


def rank(name: str, pool: Pool, *, seed: int, count: int) -> Int64:
    """Order a whole pool for asking.

    Parameters
    ----------
    name
        One of `STRATEGIES`.
    count
        How many answers are expected before there is a new model: so many are chosen together, and among them one clip
        of each group comes before a second of any, as far as four times as many candidates allow.

    Returns
    -------
    (clips,) int64
        Every index of the pool once, the first to be asked first.

    Raises
    ------
    LabeltoolError
        When there is no such strategy.
    """
    asked = strategy(name)
    if len(pool) == 0:
        return np.empty(0, np.int64)
    rng = np.random.default_rng([seed, len(pool)])
    count = min(count, len(pool))
    if len(pool.answered) > _MOST_COMPARED:
        some = rng.permutation(len(pool.answered))[:_MOST_COMPARED]
        pool = replace(pool, answered=pool.answered[some])
    head = asked(pool, count, rng)
    rest = margin(pool, len(pool), rng) if pool.probabilities is not None else rng.permutation(len(pool))
    order = np.concatenate([head, rest[~np.isin(rest, head)]])
    return _spread(order, pool.groups, count)


def strategy(name: str) -> Strategy:
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
    """Ask in a shuffle: what the others must beat."""
    return rng.permutation(len(pool))


def entropy(pool: Pool, count: int, rng: np.random.Generator) -> Int64:
    """Ask where the probabilities are spread over most labels."""
    if pool.probabilities is None:
        return medoid(pool, count, rng)
    held = np.maximum(pool.probabilities.astype(np.float64), 1e-12)
    return _largest_first(-(held * np.log(held)).sum(axis=1), rng)


def margin(pool: Pool, count: int, rng: np.random.Generator) -> Int64:
    """Ask where the two most probable labels are nearest to each other."""
    if pool.probabilities is None:
        return medoid(pool, count, rng)
    return _largest_first(-margins(pool.probabilities), rng)


def k_centre(pool: Pool, count: int, rng: np.random.Generator) -> Int64:
    """Ask for what is farthest from all that is answered or asked for (greedy k-centre, "coreset")."""
    compared = _compared(pool, rng)
    points = pool.embeddings[compared].astype(np.float64)
    # Before the first answer, the middle of all clips stands for it.
    centres = pool.answered if len(pool.answered) else points.mean(axis=0, keepdims=True)
    nearest = _distances(points, centres).min(axis=1)
    chosen: list[int] = []
    for _ in range(min(count, len(points))):
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, _distances(points, points[chosen[-1:]])[:, 0])
        nearest[chosen] = -1.0
    return compared[chosen]


def medoid(pool: Pool, count: int, rng: np.random.Generator) -> Int64:
    """Ask for what stands for most others: greedy k-medoids, given what is answered."""
    return _medoids(pool, np.ones(len(pool)), count, rng)


def uncertain_medoids(pool: Pool, count: int, rng: np.random.Generator) -> Int64:
    """Ask for what stands for most *doubtful* others.

    Greedy k-medoids again, but a clip counts by how doubtful the model is of it, (1 - margin) squared: a batch covers
    what is not known, with no two questions about one thing, and odd ones out that stand only for themselves wait.
    Before the first model every clip counts the same.
    """
    if pool.probabilities is None:
        return medoid(pool, count, rng)
    return _medoids(pool, (1.0 - margins(pool.probabilities)) ** 2, count, rng)


def badge(pool: Pool, count: int, rng: np.random.Generator) -> Int64:
    """Ask by the gradients that the likeliest answers would have: large ones, unlike each other (k-means++).

    The gradient of the last layer is the outer product of (probabilities - likeliest label) and the embedding; its
    distances come from the two factors' and it is never written out.
    """
    if pool.probabilities is None:
        return medoid(pool, count, rng)
    compared = _compared(pool, rng)
    held = pool.probabilities[compared].astype(np.float64)
    errors = held - np.eye(held.shape[1])[held.argmax(axis=1)]
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


def int8(pool: Pool, count: int, rng: np.random.Generator) -> Int64:
    """Ask where the int8 network answers otherwise than the float one, then where their probabilities differ most."""
    if pool.probabilities is None or pool.int8_probabilities is None:
        return medoid(pool, count, rng)
    apart = np.abs(pool.probabilities.astype(np.float64) - pool.int8_probabilities).sum(axis=1)
    otherwise = pool.probabilities.argmax(axis=1) != pool.int8_probabilities.argmax(axis=1)
    return _largest_first(apart + 2.0 * otherwise, rng)


STRATEGIES: dict[str, Strategy] = {
    DEFAULT: uncertain_medoids,
    "random": random,
    "entropy": entropy,
    "margin": margin,
    "k-centre": k_centre,
    "medoid": medoid,
    "badge": badge,
    BY_INT8: int8,
}
"""What `--strategy` and the setting `asking` may name."""


def margins(probabilities: Float32) -> Float64:
    """Return by how much the most probable label leads: `(clips, labels)` to `(clips,)`, 0 to 1."""
    two = np.partition(probabilities.astype(np.float64), -2, axis=1)[:, -2:]
    return np.asarray(two[:, 1] - two[:, 0])


def _medoids(pool: Pool, weights: Float64, count: int, rng: np.random.Generator) -> Int64:
    """Choose greedily what lowers most the weighted sum of distances to the nearest clip answered or chosen."""
    compared = _compared(pool, rng)
    points, weights = pool.embeddings[compared], weights[compared].astype(np.float32)
    apart = _distances(points, points)
    # Before the first answer everything is as far from one as can be.
    nearest = _distances(points, pool.answered).min(axis=1) if len(pool.answered) else np.full(len(points), apart.max())
    chosen: list[int] = []
    for _ in range(min(count, len(points))):
        gains = weights @ np.maximum(nearest[:, None] - apart, 0.0)
        gains[chosen] = -1.0
        chosen.append(int(gains.argmax()))
        nearest = np.minimum(nearest, apart[:, chosen[-1]])
    return compared[chosen]


def _compared(pool: Pool, rng: np.random.Generator) -> Int64:
    """Return the clips to compare with each other: all, or the least sure, or before the first model a sample."""
    order = rng.permutation(len(pool)) if pool.probabilities is None else margin(pool, len(pool), rng)
    return np.sort(order[:_MOST_COMPARED])


def _distances(points: npt.NDArray[np.floating], centres: npt.NDArray[np.floating]) -> Float32:
    """Return Euclidean distances, `(points, centres)` float32."""
    squares = (points**2).sum(axis=1)[:, None] + (centres**2).sum(axis=1)[None] - 2.0 * points @ centres.T
    return np.asarray(np.sqrt(np.maximum(squares, 0.0)), np.float32)


def _largest_first(values: Float64, rng: np.random.Generator) -> Int64:
    """Sort, the largest first; what is equal in a shuffle, for the order of import clusters by label."""
    return np.lexsort((rng.permutation(len(values)), -values))


def _spread(order: Int64, groups: Sequence[str], count: int) -> Int64:
    """Bring one clip of each group before a second of any into the first `count`, from four times as many."""
    window = order[: 4 * count]
    seen: dict[str, int] = {}
    rounds = np.empty(len(window), np.int64)
    for place, index in enumerate(window):
        rounds[place] = seen.get(groups[index], 0)
        seen[groups[index]] = rounds[place] + 1
    return np.concatenate([window[np.argsort(rounds, kind="stable")], order[4 * count :]])
