"""Strategies ask for the doubtful and for the different, near-duplicates last, and the same under the same seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from labeltool.active_learning import strategies
from labeltool.active_learning.strategies import Pool, rank
from labeltool.audio import descriptors
from labeltool.audio.frontend import Frontend
from labeltool.errors import LabeltoolError

ALL = tuple(strategies.STRATEGIES)
DIVERSE = ("default", "k-centre", "medoid", "badge")


def pool(clips: int, *, seed: int = 0, model: bool = True, answered: int = 0, groups: int | None = None) -> Pool:
    rng = np.random.default_rng(seed)
    held = rng.dirichlet(np.full(4, 0.5), clips).astype(np.float32)
    return Pool(
        embeddings=rng.normal(0, 1, (clips, 6)).astype(np.float32),
        groups=[f"g{index % (groups or max(1, clips))}" for index in range(clips)],
        answered=rng.normal(0, 1, (answered, 6)).astype(np.float32),
        probabilities=held if model else None,
        int8_probabilities=held[:, ::-1].copy() if model else None,
    )


def clusters(each: int = 30, kinds: int = 8, seed: int = 0) -> tuple[Pool, np.ndarray]:
    """Tight clusters far apart, the first with eight times as many clips as the others; nothing else is known."""
    rng = np.random.default_rng(seed)
    kind = np.repeat(np.arange(kinds), [each * 8] + [each] * (kinds - 1))
    points = rng.normal(0, 20, (kinds, 5))[kind] + rng.normal(0, 1, (len(kind), 5))
    flat = np.full((len(kind), 3), 1 / 3, np.float32) + rng.normal(0, 1e-3, (len(kind), 3)).astype(np.float32)
    groups = [str(index) for index in range(len(kind))]
    return Pool(points.astype(np.float32), groups, np.empty((0, 5), np.float32), flat, flat), kind


@given(
    name=some.sampled_from(ALL),
    clips=some.integers(0, 40),
    count=some.integers(1, 50),
    seed=some.integers(0, 5),
    model=some.booleans(),
    answered=some.sampled_from([0, 1, 5]),
    groups=some.sampled_from([1, 3, None]),
)
def test_every_clip_has_one_place_and_the_same_seed_gives_the_same_order(
    name: str, clips: int, count: int, seed: int, model: bool, answered: int, groups: int | None
) -> None:
    asked = pool(clips, seed=seed, model=model, answered=answered, groups=groups)
    order = rank(name, asked, seed=seed, count=count)
    assert sorted(order) == list(range(clips))
    np.testing.assert_array_equal(order, rank(name, asked, seed=seed, count=count))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("model", [True, False])
def test_clips_that_are_all_alike_are_asked_all_the_same(name: str, model: bool) -> None:
    alike = Pool(
        embeddings=np.ones((9, 3), np.float32),
        groups=["one"] * 9,
        answered=np.ones((2, 3), np.float32),
        probabilities=np.tile(np.float32([1, 0]), (9, 1)) if model else None,
        int8_probabilities=np.tile(np.float32([1, 0]), (9, 1)) if model else None,
    )
    assert sorted(rank(name, alike, seed=1, count=4)) == list(range(9))


@pytest.mark.parametrize("name", ["margin", "entropy"])
def test_the_most_doubtful_come_first(name: str) -> None:
    asked = pool(60)
    assert asked.probabilities is not None
    order = rank(name, asked, seed=0, count=10)
    held = np.sort(asked.probabilities[order].astype(np.float64), axis=1)
    doubt = held[:, -2] - held[:, -1] if name == "margin" else -(held * np.log(np.maximum(held, 1e-12))).sum(axis=1)
    assert np.all(np.diff(doubt) <= 1e-9)


@pytest.mark.parametrize("name", DIVERSE)
@pytest.mark.parametrize("model", [True, False])
def test_diverse_strategies_meet_every_cluster_where_a_shuffle_does_not(name: str, model: bool) -> None:
    met, by_chance = [], []
    for seed in range(5):
        asked, kind = clusters(seed=seed)
        if not model:
            asked = replace(asked, probabilities=None, int8_probabilities=None)
        met.append(len(set(kind[rank(name, asked, seed=seed, count=12)[:12]])))
        by_chance.append(len(set(kind[rank("random", asked, seed=seed, count=12)[:12]])))
    assert np.mean(met) > np.mean(by_chance) + 1
    if name != "badge":  # which draws
        assert min(met) == 8


@pytest.mark.parametrize("name", ["default", "k-centre", "medoid"])
def test_what_is_answered_is_not_asked_for_again(name: str) -> None:
    asked, kind = clusters()
    answered = np.concatenate([asked.embeddings[kind == number][:2] for number in range(5)])
    first = rank(name, replace(asked, answered=answered), seed=0, count=3)[:3]
    assert sorted(kind[first]) == [5, 6, 7]


def test_by_default_sure_clusters_wait_and_odd_ones_out_too() -> None:
    asked, kind = clusters()
    held = np.tile(np.float32([0.98, 0.01, 0.01]), (len(kind), 1))
    held[(kind == 3) | (kind == 6)] = [0.4, 0.35, 0.25]
    lonely = np.flatnonzero(kind == 1)[0]
    points = asked.embeddings.copy()
    points[lonely] += 100.0
    held[lonely] = [0.34, 0.33, 0.33]
    doubtful = replace(asked, embeddings=points, probabilities=held, answered=points[[0]])
    # The least sure of all lies alone and far away: margin and k-centre ask for it first.
    assert rank("margin", doubtful, seed=0, count=2)[0] == lonely == rank("k-centre", doubtful, seed=0, count=2)[0]
    assert set(kind[rank("default", doubtful, seed=0, count=2)[:2]]) == {3, 6}


def test_by_int8_what_the_chip_answers_otherwise_comes_first() -> None:
    asked = pool(40)
    assert asked.probabilities is not None
    as_int8 = asked.probabilities.copy()
    flipped = [7, 23]
    as_int8[flipped] = np.roll(as_int8[flipped], 1, axis=1)
    as_int8[11] += np.float32([0.01, -0.01, 0, 0])
    order = rank("int8", replace(asked, int8_probabilities=as_int8), seed=0, count=5)
    assert sorted(order[:2]) == flipped and order[2] == 11


@pytest.mark.parametrize("name", ALL)
def test_a_batch_has_one_clip_of_each_group_before_a_second_of_any(name: str) -> None:
    asked = pool(80, groups=40)
    first = rank(name, asked, seed=0, count=12)[:12]
    assert len({asked.groups[index] for index in first}) == 12
    # A whole archive may be one recording: it is asked about all the same.
    assert len(rank(name, replace(asked, groups=["one"] * 80), seed=0, count=12)) == 80


def test_large_pools_are_compared_in_part_and_ranked_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strategies, "_MOST_COMPARED", 50)
    asked = pool(400)
    assert asked.probabilities is not None
    for name in DIVERSE:
        order = rank(name, asked, seed=0, count=20)
        assert sorted(order) == list(range(400))
        margins = strategies.margins(asked.probabilities)
        assert margins[order[:20]].max() <= np.sort(margins)[49]


def test_an_unknown_strategy_is_told_which_there_are() -> None:
    with pytest.raises(LabeltoolError, match=r"'hunch'.*there are default, random"):
        rank("hunch", pool(3), seed=0, count=1)


def test_sounds_are_described_by_what_they_are_not_by_how_long_they_last() -> None:
    frontend, rng = Frontend(), np.random.default_rng(0)

    def sound(kind: int, seconds: float) -> np.ndarray:
        time_s = np.arange(round(seconds * frontend.sample_rate_hz)) / frontend.sample_rate_hz
        tone = np.sin(2 * np.pi * (500 + rng.uniform(-20, 20)) * time_s)
        noise = rng.normal(0, 0.5, len(time_s))
        wave = (tone, noise, noise * (np.sin(2 * np.pi * 4 * time_s) > 0), tone * (np.sin(2 * np.pi * time_s) > 0))
        return frontend.log_mel((6000 * wave[kind]).astype(np.int16))

    lengths = (1.1, 2.0, 5.0, 8.0)
    kinds = np.repeat(np.arange(4), len(lengths))
    described = np.stack(
        [descriptors.describe(sound(kind, length), frontend) for kind in range(4) for length in lengths]
    )
    assert described.shape == (16, 192) and np.isfinite(described).all()
    points = descriptors.standardised(described)
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=1e-5)
    apart = np.linalg.norm(points[:, None] - points[None], axis=2) + 1e9 * np.eye(16)
    assert (kinds[apart.argmin(axis=1)] == kinds).mean() >= 0.9


def test_a_feature_that_never_changes_counts_for_nothing() -> None:
    features = np.random.default_rng(0).normal(0, 1, (20, 3)).astype(np.float32)
    features[:, 1] = 1e6
    points = descriptors.standardised(features)
    assert np.isfinite(points).all() and np.abs(points[:, 1]).max() < 1e-3
