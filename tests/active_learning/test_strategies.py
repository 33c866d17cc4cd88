"""Query strategies: uncertain and diverse clips first, near-duplicates last, deterministic under the seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeltool.active_learning import strategies
from labeltool.active_learning.strategies import Pool, rank
from labeltool.audio import descriptors
from labeltool.audio.frontend import LogMelFrontend
from labeltool.errors import LabeltoolError

ALL = tuple(strategies.STRATEGIES)
DIVERSE = ("default", "k-centre", "medoid", "badge")


def pool(clips: int, *, seed: int = 0, model: bool = True, labelled: int = 0, groups: int | None = None) -> Pool:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(4, 0.5), clips).astype(np.float32)
    return Pool(
        embeddings=rng.normal(0, 1, (clips, 6)).astype(np.float32),
        groups=[f"g{index % (groups or max(1, clips))}" for index in range(clips)],
        labelled=rng.normal(0, 1, (labelled, 6)).astype(np.float32),
        probabilities=probabilities if model else None,
        int8_probabilities=probabilities[:, ::-1].copy() if model else None,
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
    name=st.sampled_from(ALL),
    clips=st.integers(0, 40),
    count=st.integers(1, 50),
    seed=st.integers(0, 5),
    model=st.booleans(),
    labelled=st.sampled_from([0, 1, 5]),
    groups=st.sampled_from([1, 3, None]),
)
def test_every_clip_is_ranked_once_and_the_same_seed_gives_the_same_order(
    name: str, clips: int, count: int, seed: int, model: bool, labelled: int, groups: int | None
) -> None:
    unlabelled = pool(clips, seed=seed, model=model, labelled=labelled, groups=groups)
    order = rank(name, unlabelled, seed=seed, count=count)
    assert sorted(order) == list(range(clips))
    np.testing.assert_array_equal(order, rank(name, unlabelled, seed=seed, count=count))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("model", [True, False])
def test_identical_clips_are_ranked_all_the_same(name: str, model: bool) -> None:
    alike = Pool(
        embeddings=np.ones((9, 3), np.float32),
        groups=["one"] * 9,
        labelled=np.ones((2, 3), np.float32),
        probabilities=np.tile(np.float32([1, 0]), (9, 1)) if model else None,
        int8_probabilities=np.tile(np.float32([1, 0]), (9, 1)) if model else None,
    )
    assert sorted(rank(name, alike, seed=1, count=4)) == list(range(9))


@pytest.mark.parametrize("name", ["margin", "entropy"])
def test_the_most_uncertain_clips_come_first(name: str) -> None:
    unlabelled = pool(60)
    assert unlabelled.probabilities is not None
    order = rank(name, unlabelled, seed=0, count=10)
    ordered = np.sort(unlabelled.probabilities[order].astype(np.float64), axis=1)
    margins = ordered[:, -2] - ordered[:, -1]
    entropies = -(ordered * np.log(np.maximum(ordered, 1e-12))).sum(axis=1)
    assert np.all(np.diff(margins if name == "margin" else entropies) <= 1e-9)


@pytest.mark.parametrize("name", DIVERSE)
@pytest.mark.parametrize("model", [True, False])
def test_diverse_strategies_reach_every_cluster_where_random_does_not(name: str, model: bool) -> None:
    reached, by_chance = [], []
    for seed in range(5):
        unlabelled, kind = clusters(seed=seed)
        if not model:
            unlabelled = replace(unlabelled, probabilities=None, int8_probabilities=None)
        reached.append(len(set(kind[rank(name, unlabelled, seed=seed, count=12)[:12]])))
        by_chance.append(len(set(kind[rank("random", unlabelled, seed=seed, count=12)[:12]])))
    assert np.mean(reached) > np.mean(by_chance) + 1
    if name != "badge":  # which samples
        assert min(reached) == 8


@pytest.mark.parametrize("name", ["default", "k-centre", "medoid"])
def test_clips_like_the_labelled_ones_come_late(name: str) -> None:
    unlabelled, kind = clusters()
    labelled = np.concatenate([unlabelled.embeddings[kind == number][:2] for number in range(5)])
    first = rank(name, replace(unlabelled, labelled=labelled), seed=0, count=3)[:3]
    assert sorted(kind[first]) == [5, 6, 7]


def test_by_default_confident_clusters_and_outliers_come_late() -> None:
    unlabelled, kind = clusters()
    probabilities = np.tile(np.float32([0.98, 0.01, 0.01]), (len(kind), 1))
    probabilities[(kind == 3) | (kind == 6)] = [0.4, 0.35, 0.25]
    outlier = np.flatnonzero(kind == 1)[0]
    points = unlabelled.embeddings.copy()
    points[outlier] += 100.0
    probabilities[outlier] = [0.34, 0.33, 0.33]
    uncertain = replace(unlabelled, embeddings=points, probabilities=probabilities, labelled=points[[0]])
    # The most uncertain clip is an outlier: margin and k-centre put it first.
    assert rank("margin", uncertain, seed=0, count=2)[0] == outlier == rank("k-centre", uncertain, seed=0, count=2)[0]
    assert set(kind[rank("default", uncertain, seed=0, count=2)[:2]]) == {3, 6}


def test_by_int8_clips_that_int8_predicts_differently_come_first() -> None:
    unlabelled = pool(40)
    assert unlabelled.probabilities is not None
    as_int8 = unlabelled.probabilities.copy()
    flipped = [7, 23]
    as_int8[flipped] = np.roll(as_int8[flipped], 1, axis=1)
    as_int8[11] += np.float32([0.01, -0.01, 0, 0])
    order = rank("int8", replace(unlabelled, int8_probabilities=as_int8), seed=0, count=5)
    assert sorted(order[:2]) == flipped and order[2] == 11


@pytest.mark.parametrize("name", ALL)
def test_a_batch_has_one_clip_of_each_group_before_a_second_of_any(name: str) -> None:
    unlabelled = pool(80, groups=40)
    first = rank(name, unlabelled, seed=0, count=12)[:12]
    assert len({unlabelled.groups[index] for index in first}) == 12
    # A whole archive may be one recording.
    assert len(rank(name, replace(unlabelled, groups=["one"] * 80), seed=0, count=12)) == 80


def test_large_pools_are_compared_in_part_and_ranked_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strategies, "_MAX_COMPARED", 50)
    unlabelled = pool(400)
    assert unlabelled.probabilities is not None
    for name in DIVERSE:
        order = rank(name, unlabelled, seed=0, count=20)
        assert sorted(order) == list(range(400))
        margins = strategies.margins(unlabelled.probabilities)
        assert margins[order[:20]].max() <= np.sort(margins)[49]


def test_an_error_for_an_unknown_strategy_lists_those_there_are() -> None:
    with pytest.raises(LabeltoolError, match=r"'hunch'.*there are default, random"):
        rank("hunch", pool(3), seed=0, count=1)


def test_descriptors_depend_on_the_sound_not_on_its_duration() -> None:
    frontend, rng = LogMelFrontend(), np.random.default_rng(0)

    def sound(kind: int, seconds: float) -> np.ndarray:
        time_s = np.arange(round(seconds * frontend.sample_rate_hz)) / frontend.sample_rate_hz
        tone = np.sin(2 * np.pi * (500 + rng.uniform(-20, 20)) * time_s)
        noise = rng.normal(0, 0.5, len(time_s))
        wave = (tone, noise, noise * (np.sin(2 * np.pi * 4 * time_s) > 0), tone * (np.sin(2 * np.pi * time_s) > 0))
        return frontend.log_mel((6000 * wave[kind]).astype(np.int16))

    lengths = (1.1, 2.0, 5.0, 8.0)
    kinds = np.repeat(np.arange(4), len(lengths))
    described = np.stack([frontend.describe(sound(kind, length)) for kind in range(4) for length in lengths])
    assert described.shape == (16, 192) and np.isfinite(described).all()
    points = descriptors.standardise(described)
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=1e-5)
    distances = np.linalg.norm(points[:, None] - points[None], axis=2) + 1e9 * np.eye(16)
    assert (kinds[distances.argmin(axis=1)] == kinds).mean() >= 0.9


def test_a_constant_feature_counts_for_nothing() -> None:
    features = np.random.default_rng(0).normal(0, 1, (20, 3)).astype(np.float32)
    features[:, 1] = 1e6
    points = descriptors.standardise(features)
    assert np.isfinite(points).all() and np.abs(points[:, 1]).max() < 1e-3
