"""The review of detections: which are asked for, what counts, and how many are needed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from labeltool.evaluation.detection_review import Detection, LabelReview, strata_edges
from labeltool.evaluation.operating_points import lowest_row
from labeltool.records import Value


def detections(count: int = 300, seed: int = 0) -> tuple[list[Detection], list[bool]]:
    """Return detections whose score is the probability that they are right, and which are."""
    random = np.random.default_rng(seed)
    scores = 0.1 + 0.9 * random.beta(0.7, 2.0, count)
    right = random.random(count) < scores
    return [Detection(i, float(scores[i]), float(random.random()), None) for i in range(count)], right.tolist()


def answered(some: list[Detection], right: list[bool], reviews: int) -> list[Detection]:
    """Answer what the review asks for."""
    some = list(some)
    for _ in range(0, reviews, 10):
        for _, one in LabelReview("dog", some, lowest=0.1).next_detections(10):
            some[one.clip_id] = replace(one, verdict=Value.PRESENT if right[one.clip_id] else Value.ABSENT)
    return some


def test_a_review_narrows_the_interval_until_everything_is_known() -> None:
    some, right = detections()
    widths = []
    for reviews in (0, 60, 150, 300):
        rows = LabelReview("dog", answered(some, right, reviews), lowest=0.1).rows(hours=2.0, width=0.1)
        widths.append(1.0 if rows[0].precision is None else rows[0].precision.width)
    assert widths == sorted(widths, reverse=True) and widths[-1] == 0
    assert rows[0].precision is not None and rows[0].precision.value == pytest.approx(np.mean(right))
    assert rows[0].per_hour is not None and rows[0].per_hour.value == pytest.approx(sum(right) / 2)
    assert rows[0].threshold == 0.1 and rows[0].still_needed == 0


def test_as_many_reviews_are_needed_as_were_foretold() -> None:
    some, right = detections(1000)
    half_way = answered(some, right, 60)
    needed = LabelReview("dog", half_way, lowest=0.1).rows(1.0, width=0.12)[0].still_needed
    assert needed is not None and needed > 0
    done = LabelReview("dog", answered(half_way, right, needed + 10), lowest=0.1).rows(1.0)[0]
    assert done.precision is not None and done.precision.width == pytest.approx(0.12, abs=0.03)


def test_labels_of_ones_own_choice_do_not_count_before_their_turn() -> None:
    some, right = detections(2000)
    before = LabelReview("dog", answered(some, right, 60), lowest=0.1)
    chosen = [
        replace(one, verdict=Value.PRESENT) if one.verdict is None and one.order > 0.9 and right[one.clip_id] else one
        for one in answered(some, right, 60)
    ]
    after = LabelReview("dog", chosen, lowest=0.1)
    assert (after.reviewed.right == before.reviewed.right).all()
    # And nobody is asked for them again.
    assert all(one.verdict is None for _, one in after.next_detections(200))


def test_a_wanted_precision_sends_the_review_to_where_it_is_undecided() -> None:
    some, right = detections(1000, seed=3)
    some = answered(some, right, 60)
    scores = [
        np.mean([one.score for _, one in LabelReview("dog", some, lowest=0.1, precision=wanted).next_detections(30)])
        for wanted in (0.3, 0.8)
    ]
    assert scores[1] > scores[0] + 0.1


def test_strata_are_of_ten_at_least_and_begin_at_the_threshold() -> None:
    for count in (1, 15, 60, 5000):
        scores = np.random.default_rng(count).uniform(0.2, 1, count)
        edges = strata_edges(scores, 0.2)
        sizes = np.histogram(scores, [*edges, 2])[0]
        assert edges[0] == 0.2 and len(edges) <= 8 and (sizes.min() >= 10 or len(edges) == 1)
    assert len(edges) == 8


def test_the_lowest_threshold_is_chosen_from_which_on_the_precision_is_reached() -> None:
    some, right = detections(2000, seed=5)
    rows = LabelReview("dog", answered(some, right, 400), lowest=0.1).rows(1.0)
    chosen = lowest_row(rows, 0.5)
    assert chosen is not None and chosen.threshold > 0.1
    after = [row.precision for row in rows if row.threshold >= chosen.threshold]
    assert all(share is not None and share.value >= 0.5 for share in after)
    assert lowest_row([replace(row, reviewed=5) for row in rows], 0.5) is None
