"""Intervals of precision by score from a review: what they cover, and how many reviews they need.

    python benchmarks/thresholds.py [--repetitions 200] [--shapes ...]

Detections of one label get scores by a distribution and are right by a known function of the score. They are reviewed
as `labeltool evaluate --detections` asks, in tens, and answered by the truth. For each number of detections and each
shape a line of JSON: the share of intervals that cover the true precision of these detections, of all rows of the
table after 20, 50, 100 and 200 reviews, and of the row that covers least; the mean number of reviews until the
intervals of all rows are 0.15 wide at most, and until that of the lowest threshold alone is, and the same with
detections drawn from all by chance. The last lines are the intervals on labelled clips that are alike within their
groups.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from labeltool.evaluation.detection_review import Detection, LabelReview
from labeltool.evaluation.intervals import Reviewed, Share, clustered_share, stratified_share
from labeltool.records import Value
from labeltool.type_aliases import Bools, Float64

AT_ONCE = 10
BUDGETS = (20, 50, 100, 200)
WIDTH = 0.15
LOWEST = 0.1
MOST = 1000

SHAPES: dict[str, Callable[[Float64], Float64]] = {
    "logistic": lambda scores: 1 / (1 + np.exp(-8 * (scores - 0.5))),
    "steep": lambda scores: 1 / (1 + np.exp(-25 * (scores - 0.6))),
    "score says nothing": lambda scores: np.full_like(scores, 0.5),
    "nearly all right": lambda scores: np.full_like(scores, 0.97),
    "nearly all wrong": lambda scores: 0.02 + 0.3 * scores**3,
    "up and down": lambda scores: 0.5 + 0.45 * np.sin(12 * scores),
    "certain at the top": lambda scores: 0.6 + 0.395 * scores,
    "worse at the top": lambda scores: np.where(scores < 0.3, 0.995, 0.9),
}
SCORES = {"most low": (0.7, 2.0), "at both ends": (0.4, 0.3)}


@dataclass(frozen=True, slots=True)
class _Population:
    """Detections, and which of them are right, in the order of their ids."""

    detections: list[Detection]
    scores: Float64
    right: Bools

    @classmethod
    def drawn(cls, count: int, shape: str, scores: str, random: np.random.Generator) -> _Population:
        drawn = LOWEST + (1 - LOWEST) * random.beta(*SCORES[scores], count)
        right = random.random(count) < SHAPES[shape](drawn)
        order = random.random(count)
        return cls([Detection(i, float(drawn[i]), float(order[i]), None) for i in range(count)], drawn, right)

    def truth(self, threshold: float) -> float:
        return float(self.right[self.scores >= threshold].mean())

    def reviews(self) -> Iterator[LabelReview]:
        """Yield the review after each ten answers, until everything is reviewed."""
        detections = list(self.detections)
        while True:
            review = LabelReview("label", detections, lowest=LOWEST)
            yield review
            wanted = [one for _, one in review.next_detections(AT_ONCE)]
            if not wanted:
                return
            for one in wanted:
                verdict = Value.PRESENT if self.right[one.clip_id] else Value.ABSENT
                detections[one.clip_id] = replace(one, verdict=verdict)

    def drawn_by_chance(self, reviews: int, threshold: float) -> Share | None:
        """Return the precision above a threshold by the first detections of an order by chance."""
        first = np.argsort([one.order for one in self.detections])[:reviews]
        above = first[self.scores[first] >= threshold]
        total = int((self.scores >= threshold).sum())
        right = int(self.right[above].sum())
        counts = (np.array([number]) for number in (total, right, len(above) - right, 0))
        return stratified_share(Reviewed(*counts))


def simulate(count: int, shape: str, scores: str, repetitions: int) -> dict[str, object]:
    """Review many populations of one kind."""
    covered: dict[int, list[list[bool]]] = {budget: [] for budget in BUDGETS}
    needed: dict[str, list[tuple[int, int]]] = {"all": [], "lowest": []}
    for repetition in range(repetitions):
        population = _Population.drawn(count, shape, scores, np.random.default_rng([count, repetition]))
        done: dict[str, int] = {}
        for review in population.reviews():
            reviewed = int(review.reviewed.counts.sum())
            rows = review.rows(1.0)
            if reviewed in covered:
                truths = [population.truth(row.threshold) for row in rows]
                covered[reviewed].append(
                    [
                        row.precision is not None and row.precision.low - 1e-9 <= true <= row.precision.high + 1e-9
                        for row, true in zip(rows, truths, strict=True)
                        if row.precision is not None
                    ]
                )
            for name, wanted in {"all": rows, "lowest": rows[:1]}.items():
                if name not in done and _are_narrow([row.precision for row in wanted]):
                    done[name] = reviewed
                    by_chance = _needed_by_chance(population, [row.threshold for row in wanted])
                    needed[name].append((reviewed, by_chance))
            if reviewed >= min(MOST, count) or (len(done) == len(needed) and reviewed >= BUDGETS[-1]):
                break
    return {
        **{"detections": count, "shape": shape, "scores": scores},
        "covered": {
            budget: round(float(np.mean([one for row in rows for one in row])), 3)
            for budget, rows in covered.items()
            if rows
        },
        "worst_row": {budget: _worst_row(rows) for budget, rows in covered.items() if rows},
        "reviews_until_narrow": {
            name: {
                "by_stratum": round(float(np.mean([one for one, _ in pairs])), 1),
                "by_chance": round(float(np.mean([chance for _, chance in pairs])), 1),
                "of": len(pairs),
            }
            for name, pairs in needed.items()
            if pairs
        },
    }


def _worst_row(rows: list[list[bool]]) -> float:
    """Return the least share covered of a row that half of the tables have."""
    columns = [[row[place] for row in rows if len(row) > place] for place in range(max(map(len, rows)))]
    return round(min(float(np.mean(one)) for one in columns if len(one) >= len(rows) / 2), 3)


def _are_narrow(shares: list[Share | None]) -> bool:
    return all(share is not None and share.width <= WIDTH for share in shares)


def _needed_by_chance(population: _Population, thresholds: list[float]) -> int:
    count = len(population.detections)
    for reviews in range(AT_ONCE, count, AT_ONCE):
        if _are_narrow([population.drawn_by_chance(reviews, threshold) for threshold in thresholds]):
            return reviews
    return count


def simulate_clips(precision: float, alike: float, groups: int, repetitions: int) -> dict[str, object]:
    """Return what the intervals on labelled clips cover, where a group's clips are right together.

    Parameters
    ----------
    alike
        Correlation of two clips of a group.
    """
    covered = []
    for repetition in range(repetitions):
        random = np.random.default_rng([groups, repetition])
        sizes = random.integers(1, 9, groups)
        concentration = 1 / alike - 1
        shares = random.beta(precision * concentration, (1 - precision) * concentration, groups)
        right = np.concatenate([random.random(size) < share for size, share in zip(sizes, shares, strict=True)])
        share = clustered_share(right, np.repeat(np.arange(groups), sizes))
        covered.append(share is not None and share.low <= precision <= share.high)
    return {"clips": {"precision": precision, "alike": alike, "groups": groups}, "covered": float(np.mean(covered))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--detections", type=int, nargs="+", default=[60, 400, 2000])
    parser.add_argument("--shapes", nargs="+", default=list(SHAPES), choices=SHAPES)
    options = parser.parse_args()
    for count in options.detections:
        for shape in options.shapes:
            for scores in SCORES:
                print(json.dumps(simulate(count, shape, scores, options.repetitions)), flush=True)
    for precision in (0.5, 0.8, 0.95):
        for alike in (0.05, 0.3, 0.7):
            for groups in (10, 40):
                print(json.dumps(simulate_clips(precision, alike, groups, 10 * options.repetitions)), flush=True)


if __name__ == "__main__":
    main()
