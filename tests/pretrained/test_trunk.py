"""The trunk: YAMNet's own codes, the same in the composed network, and the same kernels on the MCU."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from helpers.real_data import REAL_DATA
from helpers.trunk import random_trunk
from labeltool.audio.device import loudness_gate
from labeltool.audio.feature_cache import FeatureCache
from labeltool.audio.log_mel_frontend import YAMNET_FRONTEND
from labeltool.audio.trunk_frontend import Pools
from labeltool.errors import LabeltoolError
from labeltool.networks.dense_head import DenseHead, quantise
from labeltool.networks.quantization import Int8Model, optimised_interpreter
from labeltool.pretrained.card import PretrainedCard
from labeltool.pretrained.trunk import Trunk, read_trunk
from labeltool.pretrained.trunk_frames import trunk_frames, trunk_frames_of_model, trunk_frontend
from labeltool.pretrained.trunk_network import feature_network, network_with_head
from labeltool.settings import TRUNK_LAYERS

YAMNET = REAL_DATA / "models" / "yamnet" / "yamnet.tflite"
# Output tensors of YAMNet's layers in its file.
TENSORS = {5: 47, 7: 53, 9: 59, 11: 65, 13: 71, 15: 77, 27: 113}
# Deeper than the default, so that it has a middle layer.
DEEP = random_trunk(2, (4, 4, 6, 6, 8, 8, 10), (2, 2, 1, 1, 2, 1, 1))
needs_yamnet = pytest.mark.skipif(not YAMNET.is_file(), reason="the published YAMNet is not part of the project")


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    level = np.repeat(rng.uniform(10, 9000, int(seconds * 10)), 1600)
    return np.clip(rng.normal(0, level), -32768, 32767).astype(np.int16)


def log_mel_patches(n: int, seed: int = 0) -> np.ndarray:
    pcm = noise(0.975 + 0.48 * (n - 1) + 0.1, seed)
    return YAMNET_FRONTEND.patches(YAMNET_FRONTEND.log_mel(pcm))[:n]


def rounded_mean(grid: np.ndarray) -> np.ndarray:
    """The mean over a map, halves away from zero."""
    sums, n = grid.astype(np.int64).sum(axis=(0, 1)), grid.shape[0] * grid.shape[1]
    return np.where(sums > 0, (sums + n // 2) // n, -((n // 2 - sums) // n))


def yamnet(layers: int = 11) -> Trunk:
    sha256 = hashlib.sha256(YAMNET.read_bytes()).hexdigest()
    card = PretrainedCard({YAMNET.name: sha256}, 16_000, 15_600, (15_600,), (), "119")
    return read_trunk(YAMNET, card, layers)


def head_on(trunk: Trunk, codes: np.ndarray, labels: int = 4, units: int = 12, activation: str = "softmax"):
    """A head whose logits are spread over what it is given, quantised by that."""
    rng, output = np.random.default_rng(3), trunk.output
    widths = (codes.shape[1], *([units] if units else []), labels)
    kernels = [rng.normal(0, 2 / np.sqrt(a), (a, b)).astype(np.float32) for a, b in pairwise(widths)]
    biases = [rng.normal(0, 0.1, kernel.shape[1]).astype(np.float32) for kernel in kernels]
    head = DenseHead(activation, output.scale, output.zero_point, tuple(kernels), tuple(biases))
    return head, quantise(head, codes)


@needs_yamnet
@pytest.mark.parametrize("layers", TRUNK_LAYERS)
def test_features_are_those_of_yamnets_own_layers(layers: int, tmp_path: Path) -> None:
    pcm, frames = noise(2.0), trunk_frames(yamnet(layers), tmp_path)
    found = frames.frontend.codes(frames(pcm))
    whole = optimised_interpreter(YAMNET.read_bytes(), keep_tensors=True)
    log_mel = whole.get_tensor_details()[28]
    kept = YAMNET_FRONTEND.with_patches(96, 24)
    for window, codes in enumerate(found):
        whole.set_tensor(0, (pcm[3840 * window :][:15_600] / 32768).astype(np.float32))
        whole.invoke()
        ours = kept.patches(kept.log_mel(pcm))[window].T / np.float32(log_mel["quantization"][0])
        if (np.rint(ours) + log_mel["quantization"][1] != whole.get_tensor(28)[0]).any():
            continue  # a log-mel that lies between two codes was rounded the other way
        grid = whole.get_tensor(TENSORS[layers])[0]
        halves = [rounded_mean(half) for half in np.split(whole.get_tensor(TENSORS[layers])[0], 2, axis=1)]
        expected = [rounded_mean(grid), grid.max(axis=(0, 1)), *halves]
        if layers > 11:
            middle = whole.get_tensor(TENSORS[11])[0]
            expected += [rounded_mean(middle), middle.max(axis=(0, 1))]
        np.testing.assert_array_equal(codes, np.concatenate(expected))
    assert len(np.unique(found)) > 20


@needs_yamnet
def test_weight_bytes_are_those_of_eleven_layers() -> None:
    from labeltool.exporters.stm32.tflite.summary import read_network

    trunk = yamnet()
    network = read_network(feature_network(trunk, middle=False))
    assert network.input.shape == (1, 64, 96, 1) and network.output.shape == (1, 1024)
    assert network.weight_bytes == sum(layer.weights.size + 4 * layer.bias.size for layer in trunk.layers)
    assert network.weight_bytes / 1024 < 136


@pytest.mark.parametrize(
    ("units", "activation", "pools"),
    [
        (12, "softmax", "whole"),
        (0, "softmax", "halves"),
        (12, "sigmoid", "halves"),
        (0, "sigmoid", "whole"),
        (0, "softmax", "layers"),
    ],
)
def test_features_and_head_give_the_codes_of_the_composed_network_on_the_mcu(
    units: int, activation: str, pools: Pools
) -> None:
    runtime = pytest.importorskip("tflite_micro", reason="the reference kernels are a development dependency").runtime
    trunk = DEEP if pools == "layers" else random_trunk()
    features = Int8Model(feature_network(trunk, middle=trunk.middle is not None))
    given = features.quantise(log_mel_patches(60))
    codes = features.predict_int8(given)[:, trunk_frontend(trunk).places(pools)]
    _, quantised = head_on(trunk, codes, units=units, activation=activation)
    tflite = network_with_head(trunk, quantised, pools)
    micro, theirs = runtime.Interpreter.from_bytes(tflite), []
    for patch in given:
        micro.set_input(patch[None, :, :, None], 0)
        micro.invoke()
        theirs.append(micro.get_output(0)[0].copy())
    np.testing.assert_array_equal(quantised.to_int8_head()(codes), np.array(theirs))
    np.testing.assert_array_equal(Int8Model(tflite).predict_int8(given), np.array(theirs))
    assert len(np.unique(theirs, axis=0)) > 20


def test_tensors_have_different_names() -> None:
    interpreter = optimised_interpreter(feature_network(DEEP, middle=True), keep_tensors=True)
    names = [one["name"] for one in interpreter.get_tensor_details() if one["name"]]
    assert "mean" in names and len(names) == len(set(names))


def test_optimised_kernels_give_the_features_of_the_reference_kernels(tmp_path: Path) -> None:
    trunk, pcm = random_trunk(1), noise(20.0, 1)
    frames = trunk_frames(trunk, tmp_path)
    computed = frames(pcm)
    reference = Int8Model(feature_network(trunk, middle=False))
    windows = YAMNET_FRONTEND.with_patches(96, 24)
    log_mel = windows.log_mel(pcm)
    np.testing.assert_array_equal(
        frames.frontend.codes(computed), reference.predict_int8(reference.quantise(windows.patches(log_mel)))
    )
    levels = frames.frontend.levels_db(computed)
    np.testing.assert_array_equal(levels[:, 0], windows.loudness_db(log_mel))
    np.testing.assert_array_equal(levels[:, 1], loudness_gate.peak_db(windows, log_mel))
    # A clip is scored by every second of them, as the device does.
    assert len(frames.frontend.patches(computed)) == len(YAMNET_FRONTEND.patches(log_mel))
    np.testing.assert_array_equal(frames.frontend.loudness_db(computed), YAMNET_FRONTEND.loudness_db(log_mel))


@pytest.mark.parametrize("pools", ["halves", "layers"])
def test_the_trunk_in_a_models_own_file_gives_the_same_features(pools: Pools, tmp_path: Path) -> None:
    trunk, pcm = DEEP if pools == "layers" else random_trunk(), noise(2.0)
    frames = trunk_frames(trunk, tmp_path / "one")
    computed = frames(pcm)
    codes = frames.frontend.codes(computed)[:, frames.frontend.places(pools)]
    model = tmp_path / "model_int8.tflite"
    model.write_bytes(network_with_head(trunk, head_on(trunk, codes)[1], pools))
    again = trunk_frames_of_model(model, frames.frontend, tmp_path / "other")
    assert again.path != frames.path and again.path.read_bytes() == frames.path.read_bytes()
    np.testing.assert_array_equal(again(pcm), computed)


def test_a_model_of_before_the_middle_layer_was_read_keeps_its_features(tmp_path: Path) -> None:
    pcm, frames = noise(2.0), trunk_frames(DEEP, tmp_path)
    before = replace(frames.frontend, middle_channels=0)
    assert "middle_channels" not in before.to_dict()
    model = tmp_path / "model_int8.tflite"
    codes = frames.frontend.codes(frames(pcm))
    head = head_on(DEEP, codes[:, frames.frontend.places("whole")])[1]
    model.write_bytes(network_with_head(DEEP, head, "whole"))
    old = trunk_frames_of_model(model, before, tmp_path)
    np.testing.assert_array_equal(before.codes(old(pcm)), codes[:, : before.width])


def test_a_damaged_network_in_the_cache_is_named_in_one_line(tmp_path: Path) -> None:
    frames = trunk_frames(random_trunk(), tmp_path)
    frames.path.write_bytes(b"TFL3" * 50)
    with pytest.raises(LabeltoolError, match=f"{frames.path.name}.*delete it"):
        frames(np.zeros(16_000, np.int16))


def test_a_card_names_no_file_outside_the_cache(tmp_path: Path) -> None:
    model, directory = tmp_path / "model_int8.tflite", tmp_path / "cache"
    model.write_bytes(feature_network(random_trunk(), middle=False))
    frontend = replace(trunk_frontend(random_trunk()), trunk="../outside")
    assert trunk_frames_of_model(model, frontend, directory).path.parent == directory
    assert not (tmp_path / "outside.tflite").exists()


def test_frames_are_cached_as_int8(tmp_path: Path) -> None:
    frames = trunk_frames(random_trunk(), tmp_path)
    cache = FeatureCache(tmp_path / "features", frames.frontend, frames)
    assert frames.frontend.dtype == np.int8 and cache.directory.name.startswith(frames.frontend.fingerprint)
    other = trunk_frames(random_trunk(1), tmp_path).frontend
    assert other.fingerprint != frames.frontend.fingerprint
    assert frames.frontend.overlapping(4).fingerprint == frames.frontend.fingerprint  # the frames are the same


@pytest.mark.parametrize("left", [0, 5000])
def test_a_damaged_network_in_the_cache_is_written_again(left: int, tmp_path: Path) -> None:
    path = trunk_frames(random_trunk(), tmp_path).path
    whole = path.read_bytes()
    path.write_bytes(whole[:left])
    assert trunk_frames(random_trunk(), tmp_path).path.read_bytes() == whole


@needs_yamnet
def test_another_network_or_depth_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(LabeltoolError, match="cannot have 12 layers"):
        yamnet(12)
    damaged = tmp_path / "yamnet.tflite"
    damaged.write_bytes(YAMNET.read_bytes()[:1_000_000])
    card = PretrainedCard({damaged.name: hashlib.sha256(damaged.read_bytes()).hexdigest()}, 1, 1, (1,), (), "0")
    with pytest.raises(LabeltoolError, match="no trunk can be made of it"):
        read_trunk(damaged, card)
    with pytest.raises(LabeltoolError, match="not the file that its card describes"):
        read_trunk(YAMNET, card)
    other = tmp_path / "features.tflite"
    other.write_bytes(feature_network(random_trunk(), middle=False))
    card = PretrainedCard({other.name: hashlib.sha256(other.read_bytes()).hexdigest()}, 1, 1, (1,), (), "0")
    with pytest.raises(LabeltoolError, match="its layers are not YAMNet's"):
        read_trunk(other, card)
