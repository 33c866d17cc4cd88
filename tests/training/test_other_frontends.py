"""Networks with other frontends than the default: longer patches, and plain samples."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from helpers.progress import quiet
from helpers.stm32 import without
from helpers.tones import P, add_tones, suggestions
from labeltool.audio.frontend import LogMelFrontend, frontend_from_dict
from labeltool.errors import LabeltoolError
from labeltool.exporters.registry import export
from labeltool.inference import classify
from labeltool.networks import build as networks
from labeltool.project import Project
from labeltool.tasks import evaluate, retrain
from labeltool.training.augmentation.samplers import Augmentation, SampledClips
from labeltool.training.augmentation.waveform import WaveformSampler

PCM = networks.ARCHITECTURES["aclnet"].frontend


@pytest.mark.slow
@pytest.mark.usefixtures("quickly")
@pytest.mark.parametrize("arch", ["sbcnn", "aclnet"])
def test_it_learns_is_measured_as_int8_and_exported_where_the_mcu_can_run_it(
    project: Project, tmp_path: Path, arch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, "qemu-system-arm")  # devices run the C of other packages, and of every kind of layer
    add_tones(project, tmp_path / "wav", *[(["low"], {"low": P}), (["high"], {"high": P})] * 9, (["high"], {}))
    result = retrain.retrain(project, report=quiet, arch=arch)
    assert result.arch == arch and result.clip_accuracy == result.int8_clip_accuracy == 1.0
    assert suggestions(project)[0].probabilities["high"] > 0.5
    assert evaluate.evaluate(project, report=quiet).int8_patch_agreement > 0.9
    classified = classify.classify(project, report=quiet, files=[str(tmp_path / "wav" / "0.wav")]).files[0]
    assert classified.scores[0].label == "low"
    options = {"report": quiet, "model_id": None, "output": str(tmp_path / "out"), "force": False}
    assert export(project, products=["int8"], **options).written
    if arch == "aclnet":
        with pytest.raises(LabeltoolError, match=r"takes waveforms.*another architecture"):
            export(project, products=["stm32"], **options)
    else:
        assert export(project, products=["stm32"], **options).written


def test_plain_samples_are_cut_and_levelled_and_nothing_else() -> None:
    pcm = np.random.default_rng(0).normal(0, 3000, 40_000).astype(np.int16)
    pcm[20_000:] //= 20
    frames = PCM.compute_frames(pcm)
    assert frames.shape == (40_000, 1)
    patches, loudness = PCM.patches(frames), PCM.loudness_db(frames)
    assert patches.shape == (4, 1, 16_000)
    np.testing.assert_allclose(np.sqrt(np.square(patches).mean(axis=2)), 1.0, rtol=1e-3)
    part = pcm[8000:24_000] / 32768.0
    np.testing.assert_allclose(patches[1, 0], part / np.sqrt((part**2).mean()), rtol=1e-3, atol=1e-4)
    assert loudness[1] == pytest.approx(10 * np.log10((part**2).mean() + PCM.floor), abs=1e-3)
    # Silence is not amplified, and one click does not set the scale of all else.
    quiet_patch = PCM.patches(PCM.compute_frames(np.ones(16_000, np.int16)))
    assert np.abs(quiet_patch).max() < 0.02
    click = np.zeros(16_000, np.int16)
    click[5] = 32_000
    assert PCM.patches(PCM.compute_frames(click)).max() == 8.0


def test_a_frontend_of_plain_samples_differs_from_log_mels_whose_fingerprint_stays() -> None:
    assert "kind" not in LogMelFrontend().to_dict() and PCM.to_dict()["kind"] == "pcm"
    assert frontend_from_dict(PCM.to_dict()) == PCM and PCM.fingerprint != LogMelFrontend().fingerprint
    # Caches and cards of version 0.1 go by this name.
    assert LogMelFrontend().fingerprint == "fc50d9e7a5a6dd00"
    with pytest.raises(LabeltoolError, match="unknown kind"):
        frontend_from_dict({"kind": "spectrum"})
    with pytest.raises(LabeltoolError, match="one sample"):
        frontend_from_dict({**PCM.to_dict(), "hop": 2})


def test_training_patches_of_plain_samples_are_the_clips_own_and_mix_as_amplitudes() -> None:
    time_s = np.arange(30_000) / 16_000
    samples = [np.sin(2 * np.pi * pitch * time_s)[:, None].astype(np.float32) * 0.3 for pitch in (400.0, 3000.0)]
    clips = SampledClips(PCM, samples, np.eye(2, dtype=np.float32))
    still = Augmentation(mix_share=0, gain_db=0, stretch=0, tilt_db=0, mask_share=0)

    def share_of_low(patches: np.ndarray) -> np.ndarray:
        power = np.square(np.abs(np.fft.rfft(patches[:, 0])))
        return power[:, 300:500].sum(axis=1) / power.sum(axis=1)

    patches, wanted = WaveformSampler(clips, still, np.random.default_rng(0)).batch(20)
    assert patches.shape == (20, 1, 16_000) and patches.dtype == np.float32
    np.testing.assert_allclose(share_of_low(patches), wanted[:, 0], atol=1e-3)
    mixing = replace(still, mix_share=1, same_label_share=0)
    patches, wanted = WaveformSampler(clips, mixing, np.random.default_rng(0)).batch(60)
    ratio = wanted[:, 0]
    np.testing.assert_allclose(share_of_low(patches), ratio**2 / (ratio**2 + (1 - ratio) ** 2), atol=0.02)
    changed = WaveformSampler(clips, Augmentation(), np.random.default_rng(0))
    again = WaveformSampler(clips, Augmentation(), np.random.default_rng(0))
    for one, other in zip(changed.batch(8), again.batch(8), strict=True):
        np.testing.assert_array_equal(one, other)


def test_plain_samples_are_described_as_their_log_mels_are() -> None:
    pcm = np.random.default_rng(3).normal(0, 2000, 32_000).astype(np.int16)
    of_samples = PCM.describe(PCM.compute_frames(pcm))
    np.testing.assert_allclose(of_samples, LogMelFrontend().describe(LogMelFrontend().log_mel(pcm)), rtol=1e-5)
