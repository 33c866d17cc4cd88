"""`model_config.json` alone is enough to compute the network's input with librosa."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.stm32 import network_of
from labeltool.audio.device import device_frontend
from labeltool.audio.frontend import LogMelFrontend
from labeltool.audio.log_mel_frontend import YAMNET_FRONTEND
from labeltool.exporters.stm32.codegen.model_config import feature_definition
from labeltool.type_aliases import Float32, Int8, Int16

LIBROSA = (
    "sr",
    "n_fft",
    "win_length",
    "hop_length",
    "window",
    "center",
    "power",
    "n_mels",
    "fmin",
    "fmax",
    "htk",
    "norm",
)


def rebuilt(features: dict[str, Any], pcm: Int16, filters: Float32 | None = None) -> Int8:
    """Compute the network's input from the JSON object `features` and nothing else but filters, if given."""
    import librosa

    samples = pcm / np.float32(features["sample_divisor"])
    mel = librosa.feature.melspectrogram(y=samples, **{name: features[name] for name in LIBROSA})
    if filters is not None:
        framing = {name: features[name] for name in ("n_fft", "hop_length", "win_length", "window", "center")}
        mel = filters @ np.abs(librosa.stft(samples, **framing)) ** features["power"]
    constants = {name: features[name] for name in ("floor", "offset_db", "scale_db")}
    frames = eval(features["log"], {"log10": np.log10, "mel": mel, **constants})
    starts = range(0, frames.shape[1] - features["patch_frames"] + 1, features["patch_hop"])
    patches = np.stack([frames[:, start : start + features["patch_frames"]] for start in starts])
    if features["subtract_patch_mean"]:
        patches = patches - patches.mean(axis=(1, 2), keepdims=True)
    codes = np.rint(patches / features["input_scale"]) + features["input_zero_point"]
    return np.asarray(np.clip(codes, -128, 127), np.int8)


def sound(samples: int) -> Int16:
    """Return noise that grows from silence to clipping, with a tone in it."""
    rng = np.random.default_rng(5)
    level = np.linspace(0, 1.2, samples) ** 4
    wave = level * (rng.normal(0, 0.4, samples) + np.sin(np.arange(samples) * 0.3))
    return np.asarray(np.clip(wave * 32767, -32768, 32767), np.int16)


@pytest.mark.parametrize(
    "frontend",
    [LogMelFrontend(), LogMelFrontend(n_fft=512, hop=160, low_hz=125.0, patch_frames=96, patch_hop=48, centred=False)],
)
def test_librosa_computes_the_devices_input_from_the_file(frontend: LogMelFrontend) -> None:
    network, pcm = network_of(frontend), sound(5 * frontend.sample_rate_hz)
    features = json.loads(json.dumps(feature_definition(frontend, network)))
    codes = device_frontend.patches(frontend, device_frontend.log_mel(frontend, pcm), network.input).codes
    steps = np.abs(rebuilt(features, pcm).astype(int) - codes)
    assert steps.max() <= 1
    assert (steps > 0).mean() < 0.001
    # Every field counts: another value of it gives other features.
    for name, other in {
        "center": True,
        "htk": True,
        "power": 1.0,
        "floor": 1e-3,
        "subtract_patch_mean": not frontend.centred,
    }.items():
        changed = rebuilt({**features, name: other}, pcm)[: len(codes)]
        assert np.abs(changed.astype(int) - codes).max() > 1, name


def test_features_of_a_short_window_say_where_librosa_differs() -> None:
    network, pcm = network_of(YAMNET_FRONTEND), sound(5 * YAMNET_FRONTEND.sample_rate_hz)
    features = feature_definition(YAMNET_FRONTEND, network)
    assert features["mel_filters"] == "tf.signal.linear_to_mel_weight_matrix"
    assert (features["power"], features["htk"], features["norm"], features["win_length"]) == (1.0, True, None, 400)
    with_zeros = np.pad(pcm, (features["zeros_before"], features["n_fft"] - features["win_length"]))
    codes = device_frontend.patches(YAMNET_FRONTEND, device_frontend.log_mel(YAMNET_FRONTEND, pcm), network.input).codes
    found = rebuilt(features, with_zeros, YAMNET_FRONTEND.mel_filters())[: len(codes)]
    steps = np.abs(found.astype(int) - codes)
    assert steps.max() <= 1 and (steps > 0).mean() < 0.001


def test_a_package_contains_its_models_features(package: Path) -> None:
    config = json.loads((package / "model" / "model_config.json").read_text(encoding="utf-8"))
    assert config["features"]["center"] is False
    assert config["features"]["input_scale"] == config["input"]["scale"]
    assert config["features"]["hop_length"] == config["frontend"]["hop"]
