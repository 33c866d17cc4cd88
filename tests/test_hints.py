"""What a teacher makes of each moment of a clip, and how a network learns from it."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest
from test_training import FRONTEND, NAMES, QUICK, clips

from labeltool.audio.descriptors import hellinger
from labeltool.audio.frontend import Frontend
from labeltool.networks import build as networks
from labeltool.networks.architectures import architecture
from labeltool.networks.heads import Head
from labeltool.training import fit
from labeltool.training.augment import Augmentation, PatchSampler
from labeltool.training.augment_waveform import WaveSampler
from labeltool.training.distillation import STEP_S, Directions, Hints, sample

UNCHANGED = Augmentation(
    mix_share=0, gain_db=0, stretch=0, shift_bands=0, tilt_db=0, mask_share=0, loudness_exponent=0, uniform_share=1
)


def test_a_moments_hint_is_the_nearest_one_of_its_clip_and_never_another_clips() -> None:
    hints = Hints.of([np.array([[0.0], [1.0], [2.0]]), np.array([[10.0], [11.0]])])
    moments_s = np.array([-1.0, 1.4 * STEP_S, 9.0, 0.0, 9.0])
    assert hints.at(np.array([0, 0, 0, 1, 1]), moments_s)[:, 0].tolist() == [0.0, 1.0, 2.0, 10.0, 11.0]


@pytest.mark.parametrize("kind", ["log-mel", "pcm"])
def test_a_crop_comes_with_the_hint_of_its_middle(kind: str) -> None:
    frontend = architecture("miniresnet" if kind == "log-mel" else "aclnet").frontend
    frames = round(5 * frontend.sample_rate_hz / frontend.hop)
    # Each frame says when it is, and so does each hint.
    ramp = np.linspace(0.0, 0.5, frames, dtype=np.float32)[:, None]
    log_mel = np.repeat(ramp, frontend.n_mels, axis=1)
    hints = Hints.of([np.arange(0.0, 5.0, STEP_S)[:, None].astype(np.float32)])
    sampler = (PatchSampler if kind == "log-mel" else WaveSampler)(
        _plain(frontend), [log_mel], np.ones((1, 1), np.float32), UNCHANGED, np.random.default_rng(1), hints=hints
    )
    patches, wanted = sampler.batch(50)
    middle_s = patches.reshape(50, -1).mean(axis=1) / 0.5 * 5
    assert wanted.shape == (50, 2) and wanted[:, 1].std() > 0.5
    np.testing.assert_allclose(wanted[:, 1], middle_s, atol=STEP_S)


def _plain(frontend: Frontend) -> Frontend:
    return Frontend.from_dict({**frontend.to_dict(), "centred": False, "floor": 1e-9})


@pytest.mark.parametrize("head", ["softmax", "sigmoid"])
def test_a_mixture_wants_the_mixture_of_both_hints(head: Head) -> None:
    log_mels, targets, _ = clips(labels=2)
    targets = targets[:, :2]
    hints = Hints.of([np.full((9, 1), float(one.argmax()), np.float32) for one in targets])
    known = targets if head == "softmax" else np.concatenate([targets, 1 - targets], axis=1)
    mixed = Augmentation(mix_share=1, same_label_share=0)
    sampler = PatchSampler(FRONTEND, log_mels, known, mixed, np.random.default_rng(0), head, hints=hints)
    wanted = sampler.batch(200)[1]
    between = (wanted[:, -1] > 0.01) & (wanted[:, -1] < 0.99)
    assert between.sum() > 50
    if head == "softmax":
        np.testing.assert_allclose(wanted[:, -1], wanted[:, 1], atol=1e-6)
    else:
        assert (wanted[between][:, :2] == 1).all()


def test_few_numbers_tell_embeddings_apart_and_their_size_is_one_whatever_the_network() -> None:
    rng = np.random.default_rng(0)
    kinds = rng.uniform(0.0, 1.0, (3, 200))
    activations = [kinds[i % 3] * rng.uniform(0.9, 1.1, (20, 200)) for i in range(30)]
    for scale in (1.0, 1e4):
        embeddings = [np.asarray(scale * one, np.float32) for one in activations]
        rows = [hellinger(one) for one in embeddings]
        directions = Directions.of(np.concatenate([sample(one, len(rows)) for one in rows]))
        hints = [directions.hints(one) for one in rows]
        assert 0.5 < np.concatenate(hints).std() < 2.0
        centres = np.stack([np.mean([one.mean(axis=0) for one in hints[kind::3]], axis=0) for kind in range(3)])
        for place, one in enumerate(hints):
            apart = np.linalg.norm(one[:, None] - centres, axis=2)
            assert (apart.argmin(axis=1) == place % 3).all()


@pytest.mark.parametrize("head", ["softmax", "sigmoid"])
def test_a_network_learns_what_hints_tell_and_keeps_nothing_of_them_but_that(head: Head) -> None:
    # Labels are of one sound, hints of another: a faint one that labels have nothing to do with. Nothing drowns it (no
    # augmentation), and its hints count far more than the labels: with them it parts the features fifty times as
    # far as without, and more; three times is asked for.
    log_mels, targets, groups = clips(labels=2)
    faint = np.arange(len(log_mels)) % 2
    for log_mel, there in zip(log_mels, faint, strict=True):
        log_mel[:, 50:56] += 0.3 * there
    hints = [np.full((20, 2), 20.0 * there - 10.0, np.float32) for there in faint]

    def told_apart(weight: float) -> float:
        fitted = fit.fit(
            "miniresnet",
            FRONTEND,
            log_mels,
            targets,
            groups,
            label_names=NAMES[:2],
            absent=1 - targets if head == "sigmoid" else None,
            head=head,
            settings=replace(QUICK, most_patches=1600, least_patches=1600, hint_weight=weight, augmentation=UNCHANGED),
            hints=hints,
            validation=np.array([], np.int64),
        )
        plain = networks.build("miniresnet", 2, FRONTEND, head)
        assert [w.shape for w in fitted.model.get_weights()] == [w.shape for w in plain.get_weights()]
        tap = keras.Model(fitted.model.inputs, fitted.model.get_layer(networks.HEAD).input)
        rows = np.stack([np.asarray(tap(FRONTEND.patches(one)[..., None])).mean(axis=0) for one in log_mels])
        kinds = 2 * targets.argmax(axis=1) + faint
        centres = np.stack([rows[kinds == kind].mean(axis=0) for kind in range(4)])
        between = np.square(centres[0::2] - centres[1::2]).sum(axis=1).mean()
        return float(between / np.square(rows - centres[kinds]).sum(axis=1).mean())

    assert told_apart(1.0) > 3 * told_apart(0.0)
