"""Intervals of shares: what they cover where the truth is known, and where they have no width."""

from __future__ import annotations

import numpy as np
import pytest

from labeltool.evaluation.intervals import Reviewed, clustered_share, stratified_share


def reviewed(*rows: tuple[int, int, int, int]) -> Reviewed:
    return Reviewed(*(np.array(column) for column in zip(*rows, strict=True)))


def test_clips_of_their_own_groups_have_clopper_and_pearsons_interval() -> None:
    share = clustered_share(np.arange(20) < 17, np.arange(20))
    assert share is not None
    # R: binom.test(17, 20)$conf.int
    assert (share.value, share.low, share.high) == pytest.approx((0.85, 0.6210732, 0.9679291), abs=1e-6)


def test_clips_that_are_alike_count_for_less() -> None:
    right = np.repeat(np.arange(10) < 7, 8)
    alike, independent = (clustered_share(right, groups) for groups in (np.repeat(np.arange(10), 8), np.arange(80)))
    assert alike is not None and independent is not None
    assert alike.value == independent.value and alike.width > 2 * independent.width


def test_all_right_is_no_certainty() -> None:
    share = clustered_share(np.ones(30, bool), np.repeat(np.arange(3), 10))
    assert share is not None and share.value == 1 and share.low < 0.4
    assert clustered_share(np.zeros(0, bool), np.zeros(0, np.int64)) is None


def test_a_population_that_was_reviewed_has_no_interval() -> None:
    share = stratified_share(reviewed((10, 6, 4, 0), (5, 5, 0, 0)))
    assert share is not None and share.low == share.value == share.high == pytest.approx(11 / 15)
    assert stratified_share(reviewed((10, 6, 4, 0), (5, 0, 0, 0))) is None


def test_what_nobody_could_decide_widens_both_ends() -> None:
    decided, unsure = (stratified_share(reviewed((1000, 40, 10, undecided))) for undecided in (0, 20))
    assert decided is not None and unsure is not None
    assert unsure.value == decided.value and unsure.low < decided.low and unsure.high > decided.high


@pytest.mark.parametrize("precision", [0.5, 0.95])
def test_the_interval_of_clips_that_are_alike_covers_the_truth(precision: float) -> None:
    random, covered, trials, alike = np.random.default_rng(2), 0, 200, 0.5
    for _ in range(trials):
        sizes = random.integers(1, 9, 30)
        concentration = 1 / alike - 1
        shares = random.beta(precision * concentration, (1 - precision) * concentration, 30)
        right = np.concatenate([random.random(size) < one for size, one in zip(sizes, shares, strict=True)])
        share = clustered_share(right, np.repeat(np.arange(30), sizes))
        covered += share is not None and share.low <= precision <= share.high
    assert covered >= 0.91 * trials


@pytest.mark.parametrize("shares", [(0.5, 0.5, 0.5), (0.1, 0.5, 0.95), (0.98, 0.98, 0.98)])
def test_the_interval_of_a_stratified_review_covers_the_truth(shares: tuple[float, ...]) -> None:
    random, covered, trials = np.random.default_rng(1), 0, 200
    for _ in range(trials):
        population = [random.random(size) < share for size, share in zip((300, 120, 40), shares, strict=True)]
        rows = []
        for one, count in zip(population, (25, 15, 10), strict=True):
            right = int(random.permutation(one)[:count].sum())
            rows.append((len(one), right, count - right, 0))
        share = stratified_share(reviewed(*rows))
        true = float(np.concatenate(population).mean())
        covered += share is not None and share.low <= true <= share.high
    # 95 % and more; of 200 trials at 95 %, fewer than 182 come once in a hundred times.
    assert covered >= 0.91 * trials
