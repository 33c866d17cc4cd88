"""Training: grouped, deterministic, with honest errors; sampling of patches; pooling of patches to a clip."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from helpers.training import FRONTEND, NAMES, QUICK, TINY, ClockOfDraws, clips, training_data
from labeltool.audio.frontend import LogMelFrontend
from labeltool.errors import LabeltoolError
from labeltool.networks import build as networks
from labeltool.networks import calibration, postprocessing, predict
from labeltool.training import fit, loop
from labeltool.training.augmentation import samplers as augment
from labeltool.training.augmentation.log_mel import LogMelSampler
from labeltool.training.augmentation.samplers import SampledClips
from labeltool.training.augmentation.waveform import WaveformSampler
from labeltool.training.loop import TrainingProgress
from labeltool.training.stratified_groups import hold_out, label_sets
from labeltool.training.training_data import TrainingData
from labeltool.type_aliases import Int64

MINIRESNET = fit.InitialNetwork("miniresnet")
START = fit.InitialNetwork(TINY.name)

pytestmark = pytest.mark.usefixtures("tiny")


def held_out(data: TrainingData, settings: fit.TrainingSettings) -> Int64:
    """Choose the share of some clips that settings keep for validation."""
    share, seed = settings.validation_share, settings.seed
    return np.array(hold_out(data.groups, label_sets(data.present), share=share, seed=seed), np.int64)


def trained(
    start: fit.InitialNetwork, data: TrainingData, settings: fit.TrainingSettings, **more: Any
) -> fit.FitResult:
    """Train on some clips but for those that validate."""
    return fit.fit(start, data, settings, validation=held_out(data, settings), **more)


def test_it_learns_and_measures_how_well_on_groups_it_has_not_seen() -> None:
    log_mels, targets, groups = clips()
    reports: list[TrainingProgress] = []
    settings = replace(QUICK, most_patches=2560, least_patches=2560, validation_share=0.3)
    data = training_data(log_mels, targets, groups)
    fitted, validation = trained(MINIRESNET, data, settings, on_progress=reports.append), held_out(data, settings)
    assert {targets[i].argmax() for i in validation} == {0, 1, 2}
    score = partial(predict.predict, fitted.model)
    scores, _ = predict.clip_probabilities(score, FRONTEND, [log_mels[i] for i in validation], fitted.rule)
    assert (scores.argmax(axis=1) == targets[validation].argmax(axis=1)).mean() >= 0.8
    others, truth, _ = clips(seed=9)
    scores, by_clip = predict.clip_probabilities(score, FRONTEND, others, fitted.rule)
    assert (scores.argmax(axis=1) == truth.argmax(axis=1)).mean() >= 0.9
    assert [len(rows) for rows in by_clip] == [3] * len(others)
    np.testing.assert_allclose(scores.sum(axis=1), 1.0, rtol=1e-5)
    assert fitted.patches == 2560 and reports[-1].step == reports[-1].steps == 80
    assert list(fitted.history) == reports


def test_a_short_schedule_predicts_the_clips_it_was_trained_on() -> None:
    # Batch norms whose statistics lag behind predict one label for all of these clips, whatever the loss was.
    frontend, rng = LogMelFrontend(), np.random.default_rng(0)
    time_s = np.arange(24_000) / frontend.sample_rate_hz

    def clip(kind: int) -> np.ndarray:
        tone = 0.3 * np.sin(2 * np.pi * rng.uniform(300, 3000) * time_s) + rng.normal(0, 0.003, len(time_s))
        noise = rng.normal(0, rng.uniform(0.02, 0.2), len(time_s))
        silence = rng.normal(0, 1e-4, len(time_s))
        return frontend.log_mel(np.clip((tone, noise, silence)[kind] * 32768, -32768, 32767).astype(np.int16))

    kinds = [0] * 6 + [1] * 6 + [2] * 3
    log_mels, targets = [clip(kind) for kind in kinds], np.eye(3, dtype=np.float32)[kinds]
    groups, names = [str(number) for number in range(15)], ("tone", "noise", "silence")
    fitted = fit.fit(
        MINIRESNET,
        TrainingData(frontend, log_mels, targets, np.zeros_like(targets), groups, names),
        replace(QUICK, least_patches=1920, most_patches=1920),
        validation=np.array([], dtype=np.int64),
    )
    scores, _ = predict.clip_probabilities(partial(predict.predict, fitted.model), frontend, log_mels, fitted.rule)
    assert (scores.argmax(axis=1) == kinds).mean() > 0.9


def test_same_seed_same_numbers_another_seed_others() -> None:
    log_mels, targets, groups = clips()
    patches = FRONTEND.patches(log_mels[0])

    def scores(seed: int) -> np.ndarray:
        settings = replace(QUICK, most_patches=96, least_patches=96, seed=seed)
        fitted = trained(MINIRESNET, training_data(log_mels, targets, groups), settings)
        return predict.predict(fitted.model, patches)

    first = scores(4)
    np.testing.assert_array_equal(first, scores(4))
    assert np.abs(first - scores(5)).max() > 1e-3


def test_batches_are_drawn_in_another_thread_and_are_those_drawn_when_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    log_mels, targets, groups = clips()
    settings = replace(QUICK, most_patches=96, least_patches=96)
    draw, threads = LogMelSampler.batch, set()

    def batch(sampler: LogMelSampler, n: int) -> tuple[np.ndarray, np.ndarray]:
        threads.add(threading.get_ident())
        return draw(sampler, n)

    def draw_when_needed(draw: Callable[[int], Any], sizes: Iterable[int], *_: object) -> Iterable[Any]:
        return (draw(n) for n in sizes)

    monkeypatch.setattr(LogMelSampler, "batch", batch)
    ahead = trained(START, training_data(log_mels, targets, groups), settings).model.get_weights()
    assert len(threads) == 1 and threading.get_ident() not in threads
    monkeypatch.setattr(loop, "map_in_threads", draw_when_needed)
    when_needed = trained(START, training_data(log_mels, targets, groups), settings).model.get_weights()
    assert threading.get_ident() in threads
    for one, other in zip(ahead, when_needed, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_warm_start_continues_from_a_network_and_leaves_it_unchanged() -> None:
    log_mels, targets, groups = clips(labels=2)
    settings = replace(QUICK, most_patches=1600, least_patches=1600)
    cold = trained(START, training_data(log_mels, targets, groups, ["high", "low"]), settings)
    kept = cold.model.get_weights()
    more, wider, all_groups = clips(seed=3)
    widened = networks.widen_head(cold.model, ["high", "low"], NAMES)
    before = widened.get_weights()
    warm = trained(
        fit.InitialNetwork(TINY.name, widened),
        training_data(more, wider, all_groups),
        replace(settings, warm_share=0.6),
    )
    assert warm.patches == 960
    for one, other in zip(cold.model.get_weights() + widened.get_weights(), kept + before, strict=True):
        np.testing.assert_array_equal(one, other)
    others, truth, _ = clips(seed=11)
    scores, _ = predict.clip_probabilities(partial(predict.predict, warm.model), FRONTEND, others, warm.rule)
    assert (scores.argmax(axis=1) == truth.argmax(axis=1)).mean() >= 0.8


def test_two_clips_are_enough_and_one_label_is_not() -> None:
    log_mels, targets, groups = clips(per_label=1, labels=2)

    def of_first(n: int) -> fit.FitResult:
        return trained(START, training_data(log_mels[:n], targets[:n], groups[:n], ["a", "b"]), QUICK)

    assert 0.2 < of_first(2).rule.temperature <= 1.0
    with pytest.raises(LabeltoolError, match="at least two labels, and only 'a'"):
        of_first(1)
    with pytest.raises(LabeltoolError, match="none has any"):
        of_first(0)


def test_a_given_validation_that_splits_a_group_is_refused() -> None:
    log_mels, targets, groups = clips()
    with pytest.raises(LabeltoolError, match="split the group '0-0'"):
        fit.fit(START, training_data(log_mels, targets, groups), QUICK, validation=np.array([0]))


def test_a_budget_shortens_the_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    # 6 seconds are 48 draws, of which the norms' statistics take 20.
    assert budgeted(ClockOfDraws(monkeypatch, 0.125), clips()) == (28, 28, 6.0)


def test_a_machine_that_becomes_busier_ends_the_schedule_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    steps, announced, _ = budgeted(ClockOfDraws(monkeypatch, 0.125, slower_from=14), clips())
    assert steps == announced == 18


def budgeted(clock: ClockOfDraws, sounds: tuple[list[np.ndarray], np.ndarray, list[str]]) -> tuple[int, int, float]:
    """Train for 6 seconds of a clock; return the steps taken, those last announced, and the seconds."""
    log_mels, targets, groups = sounds
    settings = replace(QUICK, most_patches=400_000, least_patches=400_000, budget_s=6.0, validation_share=0.3)
    fitted = trained(START, training_data(log_mels, targets, groups), settings, clock=clock)
    last = fitted.history[-1]
    assert last.step * settings.batch == fitted.patches
    return last.step, last.steps, fitted.seconds


def test_calibration_finds_the_temperature_that_was_there() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (4000, 5))
    honest = postprocessing.softmax(logits)
    truth = np.array([rng.choice(5, p=row / row.sum()) for row in honest.astype(np.float64)])
    sharpened = postprocessing.softmax(logits * 3.0)
    assert calibration.choose_temperature(sharpened, np.eye(5, dtype=np.float32)[truth]) == pytest.approx(3.0, rel=0.1)
    # Three clips that happen to be right prove little: the scores are not sharpened to certainty.
    assert calibration.choose_temperature(honest[:3], np.eye(5, dtype=np.float32)[honest[:3].argmax(axis=1)]) > 0.35


def test_a_loud_patch_decides_over_a_quiet_one() -> None:
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.2, 0.8]], np.float32)
    loudness = np.array([-10.0, -50.0, -50.0], np.float32)
    weighed = postprocessing.clip_scores(probabilities, loudness, postprocessing.ClipRule(0.5))
    plain = postprocessing.clip_scores(probabilities, loudness, postprocessing.ClipRule(0.0))
    assert weighed.argmax() == 0 and plain.argmax() == 1
    np.testing.assert_allclose(
        weighed, postprocessing.clip_scores(probabilities, loudness - 30, postprocessing.ClipRule(0.5))
    )


def test_clip_scores_are_the_running_sums_of_a_stream() -> None:
    rng = np.random.default_rng(1)
    probabilities = postprocessing.softmax(rng.normal(0, 2, (8, 4)))
    loudness = rng.uniform(-60, 0, 8).astype(np.float32)
    rule = postprocessing.ClipRule(0.3, temperature=1.7)
    total, sums = 0.0, np.zeros(4)
    for row, level in zip(probabilities, loudness, strict=True):
        weight = 10 ** (0.03 * float(level))
        total += weight
        sums += weight * np.log(np.maximum(row, 1 / 512))
    expected = np.exp(sums / total / 1.7)
    np.testing.assert_allclose(
        postprocessing.clip_scores(probabilities, loudness, rule), expected / expected.sum(), rtol=1e-5
    )


def test_without_augmentation_the_sampler_gives_the_frontends_patches() -> None:
    log_mels, targets, _ = clips(per_label=1)
    none = augment.Augmentation(
        mix_share=0, gain_db=0, stretch=0, shift_bands=0, tilt_db=0, mask_share=0, uniform_share=0
    )
    sampler = LogMelSampler(SampledClips(FRONTEND, log_mels, targets), none, np.random.default_rng(0))
    patches, wanted = sampler.batch(60)
    starts = []
    for patch, row in zip(patches, wanted, strict=True):
        log_mel = log_mels[row.argmax()]
        views = np.lib.stride_tricks.sliding_window_view(log_mel, 50, axis=0)
        distance = np.abs(FRONTEND.normalise(views) - patch).max(axis=(1, 2))
        assert distance.min() < 1e-3
        starts.append(distance.argmin())
    assert np.mean(starts) > 35  # of 0 to 60: the silent first half of the clip is drawn less


@pytest.mark.parametrize("effect", ["stretch", "shift_bands", "tilt_db", "mask_share"])
def test_every_augmentation_reaches_the_patches(effect: str) -> None:
    full = {"stretch": 0.2, "shift_bands": 3, "tilt_db": 6, "mask_share": 1}[effect]
    # Plain samples have no bands: their pitch goes with their speed.
    for arch in ["miniresnet"] if effect == "shift_bands" else ["miniresnet", "aclnet"]:
        assert (np.abs(noise_patches(arch) - noise_patches(arch, **{effect: full})) > 1e-3).mean() > 0.01, arch


def noise_patches(arch: str, **strength: float) -> np.ndarray:
    """Return patches of noise, changed by nothing but what is given."""
    frontend = networks.architecture(arch).frontend
    rng = np.random.default_rng(1)
    frames = [frontend.compute_frames(rng.normal(0, 3000, 40_000).astype(np.int16)) for _ in range(2)]
    none = {"mix_share": 0, "gain_db": 0, "stretch": 0, "shift_bands": 0, "tilt_db": 0, "mask_share": 0}
    sampler = LogMelSampler if isinstance(frontend, LogMelFrontend) else WaveformSampler
    augmentation = augment.Augmentation(**{**none, **strength})
    sampled = SampledClips(frontend, frames, np.eye(2, dtype=np.float32))
    patches, _ = sampler(sampled, augmentation, np.random.default_rng(0)).batch(20)
    return patches


def test_the_targets_of_a_mixture_are_in_the_ratio_of_its_amplitudes() -> None:
    log_mels, targets, _ = clips(per_label=2)
    log_mels = [log_mel[60:] for log_mel in log_mels]  # where they sound
    only_mixed = augment.Augmentation(
        mix_share=1, gain_db=0, stretch=0, shift_bands=0, tilt_db=0, mask_share=0, uniform_share=0
    )
    sampler = LogMelSampler(SampledClips(FRONTEND, log_mels, targets), only_mixed, np.random.default_rng(0))
    patches, wanted = sampler.batch(300)
    np.testing.assert_allclose(wanted.sum(axis=1), 1.0, rtol=1e-5)
    bands = np.stack([patches[:, 5 + 20 * k : 15 + 20 * k].mean(axis=(1, 2)) for k in range(3)], axis=1)
    clear = np.sort(wanted, axis=1)[:, -1] > 0.6
    assert clear.sum() > 50
    assert (bands.argmax(axis=1) == wanted.argmax(axis=1))[clear].mean() > 0.95


def test_rare_labels_are_drawn_more_than_their_share() -> None:
    log_mels, targets, _ = clips(per_label=20, labels=2)
    few = [*range(20), 20]
    sampled = SampledClips(FRONTEND, [log_mels[i] for i in few], targets[few])
    sampler = LogMelSampler(sampled, augment.Augmentation(mix_share=0), np.random.default_rng(0))
    share = sampler.batch(2000)[1][:, 1].mean()
    assert 0.12 < share < 0.3
