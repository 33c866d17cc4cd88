"""Distillation: a teacher model's embedding of each moment of a clip, as targets of a small network."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest

from helpers.training import FRONTEND, NAMES, QUICK, clips, training_data
from labeltool.audio.descriptors import hellinger_embeddings
from labeltool.networks import build as networks
from labeltool.networks.architectures import architecture
from labeltool.networks.heads import Head
from labeltool.training import fit
from labeltool.training.augmentation.log_mel import LogMelSampler
from labeltool.training.augmentation.samplers import Augmentation, SampledClips
from labeltool.training.augmentation.waveform import WaveformSampler
from labeltool.training.unlabelled.distillation import STEP_S, DistillationTargets, PrincipalAxes, sample_moments

UNCHANGED = Augmentation(
    mix_share=0, gain_db=0, stretch=0, shift_bands=0, tilt_db=0, mask_share=0, loudness_exponent=0, uniform_share=1
)


def test_a_moment_has_the_nearest_targets_of_its_clip_and_never_another_clips() -> None:
    distillation_targets = DistillationTargets.of([np.array([[0.0], [1.0], [2.0]]), np.array([[10.0], [11.0]])])
    moments_s = np.array([-1.0, 1.4 * STEP_S, 9.0, 0.0, 9.0])
    assert distillation_targets.at(np.array([0, 0, 0, 1, 1]), moments_s)[:, 0].tolist() == [0.0, 1.0, 2.0, 10.0, 11.0]


@pytest.mark.parametrize("kind", ["log-mel", "pcm"])
def test_a_crop_has_the_distillation_targets_of_its_middle(kind: str) -> None:
    frontend = architecture("miniresnet" if kind == "log-mel" else "aclnet").frontend
    frames = round(5 * frontend.sample_rate_hz / frontend.hop)
    # The value of each frame is its time, and so are the distillation targets.
    ramp = np.linspace(0.0, 0.5, frames, dtype=np.float32)[:, None]
    log_mel = np.repeat(ramp, frontend.n_features, axis=1)
    distillation_targets = DistillationTargets.of([np.arange(0.0, 5.0, STEP_S)[:, None].astype(np.float32)])
    sampled = SampledClips(
        _plain(frontend), [log_mel], np.ones((1, 1), np.float32), distillation_targets=distillation_targets
    )
    sampler = (LogMelSampler if kind == "log-mel" else WaveformSampler)(sampled, UNCHANGED, np.random.default_rng(1))
    patches, wanted = sampler.batch(50)
    middle_s = patches.reshape(50, -1).mean(axis=1) / 0.5 * 5
    assert wanted.shape == (50, 2) and wanted[:, 1].std() > 0.5
    np.testing.assert_allclose(wanted[:, 1], middle_s, atol=STEP_S)


def _plain(frontend: Any) -> Any:
    return replace(frontend, centred=False, floor=1e-9)


@pytest.mark.parametrize("head", ["softmax", "sigmoid"])
def test_the_distillation_targets_of_a_mixture_are_the_mixture_of_both(head: Head) -> None:
    log_mels, targets, _ = clips(labels=2)
    targets = targets[:, :2]
    distillation_targets = DistillationTargets.of([np.full((9, 1), float(one.argmax()), np.float32) for one in targets])
    stacked = targets if head == "softmax" else np.concatenate([targets, 1 - targets], axis=1)
    mixed = Augmentation(mix_share=1, same_label_share=0)
    sampled = SampledClips(FRONTEND, log_mels, stacked, head, distillation_targets=distillation_targets)
    sampler = LogMelSampler(sampled, mixed, np.random.default_rng(0))
    wanted = sampler.batch(200)[1]
    between = (wanted[:, -1] > 0.01) & (wanted[:, -1] < 0.99)
    assert between.sum() > 50
    if head == "softmax":
        np.testing.assert_allclose(wanted[:, -1], wanted[:, 1], atol=1e-6)
    else:
        assert (wanted[between][:, :2] == 1).all()


def test_few_axes_distinguish_embeddings_and_their_variance_is_one_whatever_the_network() -> None:
    rng = np.random.default_rng(0)
    kinds = rng.uniform(0.0, 1.0, (3, 200))
    activations = [kinds[i % 3] * rng.uniform(0.9, 1.1, (20, 200)) for i in range(30)]
    for scale in (1.0, 1e4):
        embeddings = [np.asarray(scale * one, np.float32) for one in activations]
        rows = [hellinger_embeddings(one) for one in embeddings]
        axes = PrincipalAxes.of(np.concatenate([sample_moments(one, len(rows)) for one in rows]))
        distillation_targets = [axes.project(one) for one in rows]
        assert 0.5 < np.concatenate(distillation_targets).std() < 2.0
        centres = np.stack(
            [np.mean([one.mean(axis=0) for one in distillation_targets[kind::3]], axis=0) for kind in range(3)]
        )
        for place, one in enumerate(distillation_targets):
            apart = np.linalg.norm(one[:, None] - centres, axis=2)
            assert (apart.argmin(axis=1) == place % 3).all()


@pytest.mark.slow
@pytest.mark.parametrize("head", ["softmax", "sigmoid"])
def test_a_network_learns_from_distillation_targets_and_keeps_no_layer_for_them(head: Head) -> None:
    # Labels are of one sound, distillation targets of another: a faint one, independent of the labels. Nothing masks it
    # (no augmentation), and its targets weigh far more than the labels: with them the features of clips with and
    # without it lie more than thirty times as far apart as without them; three times is required.
    log_mels, targets, groups = clips(labels=2)
    faint = np.arange(len(log_mels)) % 2
    for log_mel, there in zip(log_mels, faint, strict=True):
        log_mel[:, 50:56] += 0.3 * there
    distillation_targets = [np.full((20, 2), 20.0 * there - 10.0, np.float32) for there in faint]

    def separation(weight: float) -> float:
        settings = replace(
            QUICK, most_patches=640, least_patches=640, distillation_weight=weight, augmentation=UNCHANGED
        )
        data = training_data(
            log_mels,
            targets,
            groups,
            NAMES[:2],
            absent=1 - targets if head == "sigmoid" else None,
            head=head,
            distillation_targets=distillation_targets,
        )
        fitted = fit.fit(fit.InitialNetwork("miniresnet"), data, settings, validation=np.array([], np.int64))
        plain = networks.build("miniresnet", 2, FRONTEND, head)
        assert [w.shape for w in fitted.model.get_weights()] == [w.shape for w in plain.get_weights()]
        tap = keras.Model(fitted.model.inputs, fitted.model.get_layer(networks.HEAD).input)
        rows = np.stack([np.asarray(tap(FRONTEND.patches(one)[..., None])).mean(axis=0) for one in log_mels])
        kinds = 2 * targets.argmax(axis=1) + faint
        centres = np.stack([rows[kinds == kind].mean(axis=0) for kind in range(4)])
        between = np.square(centres[0::2] - centres[1::2]).sum(axis=1).mean()
        return float(between / np.square(rows - centres[kinds]).sum(axis=1).mean())

    assert separation(1.0) > 3 * separation(0.0)
