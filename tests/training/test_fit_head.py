"""A head trained on features of frozen layers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from labeltool.networks.dense_head import quantise
from labeltool.networks.postprocessing import ClipRule, clip_scores
from labeltool.training.fit_head import HeadData, HeadSettings, cross_validated_scores, fit_head

WIDTH, WINDOWS = 32, 5
QUICK = HeadSettings(hidden_units=(16,), steps=300, learning_rate=5e-3)


def some_data(counts: tuple[int, ...], seed: int = 0, activation: str = "softmax") -> HeadData:
    """Return clips of which each label raises some features of its own."""
    rng = np.random.default_rng([seed, 1])
    centres = np.random.default_rng(7).uniform(-90, 90, (len(counts), WIDTH))
    labels = np.repeat(np.arange(len(counts)), counts)
    codes = [np.clip(rng.normal(centres[one], 40, (WINDOWS, WIDTH)), -128, 127).astype(np.int8) for one in labels]
    loudness = [rng.normal(-30, 5, WINDOWS).astype(np.float32) for _ in labels]
    present = np.eye(len(counts), dtype=np.float32)[labels]
    absent = 1 - present if activation == "sigmoid" else np.zeros_like(present)
    weights = np.ones(len(labels), np.float32)
    return HeadData(activation, 0.0235, -128, codes, loudness, present, absent, weights)  # type: ignore[arg-type]


def right_share(data: HeadData, scores: list[np.ndarray]) -> float:
    rule = ClipRule(head=data.activation)
    clips = [clip_scores(one, levels, rule) for one, levels in zip(scores, data.loudness_db, strict=True)]
    return float((np.argmax(clips, axis=1) == data.present.argmax(axis=1)).mean())


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
@pytest.mark.parametrize("units", [(), (16,), (16, 12)])
def test_predicts_new_clips_of_few(activation: str, units: tuple[int, ...]) -> None:
    data, new = some_data((4, 1, 6, 3), activation=activation), some_data((9, 9, 9, 9), seed=1, activation=activation)
    head = fit_head(data, replace(QUICK, hidden_units=units))
    assert len(head.kernels) == len(units) + 1
    assert right_share(new, [head.predict(one) for one in new.codes]) > 0.9
    quantised = quantise(head, np.concatenate(data.codes))
    assert right_share(new, [quantised.predict(one) for one in new.codes]) > 0.9


@pytest.mark.parametrize("labels", [1, 2, 60])
def test_any_number_of_labels(labels: int) -> None:
    data = some_data((2,) * labels)
    head = fit_head(data, QUICK)
    predicted = head.predict(np.concatenate(data.codes))
    np.testing.assert_allclose(predicted.sum(axis=1), 1, atol=1e-5)
    assert right_share(data, [head.predict(one) for one in data.codes]) > 0.95


def test_the_same_seed_gives_the_same_head_whatever_the_threads() -> None:
    from threadpoolctl import threadpool_limits

    data, heads = some_data((3, 3)), []
    for threads in (1, 2):
        with threadpool_limits(limits=threads, user_api="blas"):
            heads.append(fit_head(data, QUICK, seed=3))
    for one, other in zip(heads[0].kernels + heads[0].biases, heads[1].kernels + heads[1].biases, strict=True):
        np.testing.assert_array_equal(one, other)
    assert (fit_head(data, QUICK, seed=4).kernels[0] != heads[0].kernels[0]).any()


def test_a_label_that_was_not_judged_is_not_trained_on() -> None:
    data = some_data((8, 8), activation="sigmoid")
    unknown = replace(data, absent=data.absent * np.array([1, 0]))  # never known to be absent: always present
    head = fit_head(unknown, QUICK)
    assert head.predict(np.concatenate(data.codes))[:, 1].min() > 0.7
    known = fit_head(data, QUICK)
    assert known.predict(np.concatenate(data.codes[:8]))[:, 1].mean() < 0.3


def test_clips_known_only_for_an_absent_label_train_a_softmax() -> None:
    data = some_data((6, 6, 6))
    present, absent = data.present.copy(), data.absent.copy()
    present[:6], absent[:6] = 0, [0, 1, 0]
    head = fit_head(replace(data, present=present, absent=absent), QUICK)
    assert head.predict(np.concatenate(data.codes[:6]))[:, 1].max() < 0.3


def test_weights_say_how_sure_targets_are() -> None:
    data = some_data((8, 8))
    wrong = replace(
        data,
        codes=[*data.codes, *data.codes],
        loudness_db=[*data.loudness_db, *data.loudness_db],
        present=np.concatenate([data.present, data.present[:, ::-1]]),
        absent=np.concatenate([data.absent, data.absent]),
        weights=np.repeat(np.array([1, 0.05], np.float32), len(data)),
    )
    head = fit_head(wrong, QUICK)
    assert right_share(data, [head.predict(one) for one in data.codes]) == 1
    assert np.isfinite(fit_head(replace(data, weights=0 * data.weights), QUICK).kernels[0]).all()


def test_cross_validated_scores_come_from_heads_that_did_not_see_the_group() -> None:
    data = some_data((8, 8))
    # Each pair of clips of a group is alike and labelled at random: only the group itself could tell.
    rng = np.random.default_rng(2)
    codes = [rng.integers(-128, 128, (WINDOWS, WIDTH)).astype(np.int8) for _ in range(8)] * 2
    labels = np.array([0, 1, 0, 1, 1, 0, 0, 1] * 2)
    data = replace(data, codes=codes, present=np.eye(2, dtype=np.float32)[labels])
    groups = [str(i) for i in range(8)] * 2
    settings = replace(QUICK, mixing=0.0)
    honest = cross_validated_scores(data, groups, settings, seed=0)
    assert [one.shape for one in honest] == [(WINDOWS, 2)] * 16
    trained = fit_head(data, settings)
    assert right_share(data, [trained.predict(one) for one in data.codes]) == 1
    assert right_share(data, honest) < 0.9
    assert right_share(some_data((8, 8)), cross_validated_scores(some_data((8, 8)), groups, QUICK, seed=0)) > 0.9
