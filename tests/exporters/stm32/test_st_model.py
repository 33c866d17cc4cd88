"""The model file for ST's unchanged frontend, and that frontend in NumPy."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.networks import FOR_MCUS, pooled_network, scores_of_tflm
from helpers.trunk import random_trunk
from labeltool.audio.frontend import LogMelFrontend
from labeltool.audio.log_mel_frontend import YAMNET_FRONTEND
from labeltool.errors import LabeltoolError
from labeltool.exporters.stm32.codegen.st_mel_tables import without_spoilt_bin
from labeltool.exporters.stm32.package import write_st_models
from labeltool.exporters.stm32.st_model import onnx_qdq, patches
from labeltool.exporters.stm32.st_model.frontend import (
    DECIBELS,
    buffer_samples,
    buffers,
    logarithm_of,
    quantise,
    st_log_mels,
)
from labeltool.exporters.stm32.st_model.graph_edit import input_code_scale, mean_code_scale, st_model
from labeltool.exporters.stm32.st_model.onnx_qdq import onnx_model
from labeltool.exporters.stm32.tflite.graph import Graph, read_graph
from labeltool.networks import build as networks
from labeltool.networks.dense_head import DenseHead
from labeltool.networks.dense_head import quantise as quantise_head
from labeltool.networks.quantization import FloatOutputModel, Int8Model
from labeltool.pretrained.trunk_network import network_with_head
from labeltool.type_aliases import Float32, Int8, Int16

ADDED = ["MEAN", "MUL", "ADD"]


def frontend_of(arch: str) -> LogMelFrontend:
    frontend = networks.ARCHITECTURES[arch].frontend
    assert isinstance(frontend, LogMelFrontend)
    return frontend


def decibels(frontend: LogMelFrontend, n: int, seed: int = 0) -> Float32:
    """Return patches in dB of many kinds: slopes and noise of different loudness, silence, full scale."""
    rng, shape = np.random.default_rng(seed), (n, frontend.n_mels, frontend.patch_frames)
    walks = rng.normal(0, 1, shape).cumsum(axis=1) * rng.uniform(0, 4, (n, 1, 1)) + rng.normal(0, 3, shape)
    values = (walks - walks.mean() + rng.uniform(-60, 10, (n, 1, 1))).astype(np.float32)
    values[0], values[1] = -200, 60
    return values


def real(codes: Int8, scale: float, zero_point: int) -> Float32:
    return (codes.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)


def by_the_original(int8: bytes, frontend: LogMelFrontend, in_decibels: Float32) -> Float32:
    """Return the scores of the int8 model for patches in dB, the mean rounded as the file rounds it."""
    mean = in_decibels.mean(axis=(1, 2), keepdims=True, dtype=np.float64)
    steps = mean_code_scale(frontend)
    rounded = np.rint(mean / steps.scale).clip(-128 - steps.zero_point, 127 - steps.zero_point) * steps.scale
    offset = rounded if frontend.centred else frontend.offset_db
    return Int8Model(int8).predict(((in_decibels - offset) / frontend.scale_db).astype(np.float32))


@pytest.mark.parametrize("arch", FOR_MCUS)
def test_scores_are_those_of_the_int8_model(converted: Callable[[str], bytes], arch: str) -> None:
    int8, frontend = converted(arch), frontend_of(arch)
    network = FloatOutputModel(st_model(int8, frontend))
    codes = quantise(decibels(frontend, 40), network.input.scale, network.input.zero_point)
    scores = network.predict(codes)
    expected = by_the_original(int8, frontend, real(codes, network.input.scale, network.input.zero_point))
    assert np.abs(scores - expected).max() <= 2 / 256
    assert (np.abs(scores - expected) > 0).mean() < 0.1
    assert len(np.unique(scores, axis=0)) > 5  # they differ, so that equality is meaningful


@pytest.mark.parametrize("arch", FOR_MCUS)
def test_tensorflow_lite_micro_computes_the_same(converted: Callable[[str], bytes], arch: str) -> None:
    frontend = frontend_of(arch)
    file = st_model(converted(arch), frontend)
    network = FloatOutputModel(file)
    codes = quantise(decibels(frontend, 20), network.input.scale, network.input.zero_point)
    np.testing.assert_array_equal(scores_of_tflm(file, codes[..., None]), network.predict(codes))


def test_no_weight_changes_and_four_operators_are_added(converted: Callable[[str], bytes]) -> None:
    int8, frontend = converted("miniresnetv2"), frontend_of("miniresnetv2")
    before, after = read_graph(int8), read_graph(st_model(int8, frontend))
    names = [operator.name for operator in before.operators]
    assert [operator.name for operator in after.operators] == [*ADDED, *names, "DEQUANTIZE"]
    assert after.tensors[after.input].dtype == "INT8" and after.tensors[after.output].dtype == "FLOAT32"
    for old, new in zip(before.tensors, after.tensors, strict=False):
        assert old.shape == new.shape and old.zero_points == new.zero_points
        assert (old.constant is None) == (new.constant is None)
        assert old.constant is None or np.array_equal(old.constant, new.constant)
    np.testing.assert_allclose(multipliers(after)[len(ADDED) :], multipliers(before), rtol=2e-7)


def multipliers(graph: Graph) -> list[float]:
    """Return the smallest product of the scales of each operator's inputs, over that of its output."""
    values = []
    for operator in graph.operators:
        if operator.name == "DEQUANTIZE":
            continue
        scales = [graph.tensors[index].scales for index in operator.inputs[:2] if graph.tensors[index].scales]
        values.append(float(np.prod([min(one) for one in scales])) / graph.tensors[operator.outputs[0]].scales[0])
    return values


@pytest.mark.parametrize("offset_db", [-50.0, 0.0])
def test_without_centring_the_offset_is_taken_off(converted: Callable[[str], bytes], offset_db: float) -> None:
    int8 = converted("miniresnet")
    frontend = replace(frontend_of("miniresnet"), centred=False, offset_db=offset_db)
    file = st_model(int8, frontend)
    assert [operator.name for operator in read_graph(file).operators][:2] == ["ADD", "PAD"]
    network = FloatOutputModel(file)
    codes = quantise(decibels(frontend, 40), network.input.scale, network.input.zero_point)
    expected = by_the_original(int8, frontend, real(codes, network.input.scale, network.input.zero_point))
    assert np.abs(network.predict(codes) - expected).max() <= 2 / 256


def test_constants_are_aligned_as_devices_need_them(converted: Callable[[str], bytes]) -> None:
    from ai_edge_litert import schema_py_generated as schema

    file = st_model(converted("miniresnet"), LogMelFrontend())
    model = schema.Model.GetRootAs(file, 0)
    sized = [model.Buffers(i) for i in range(model.BuffersLength()) if model.Buffers(i).DataLength()]
    starts = [buffer._tab.Vector(buffer._tab.Offset(4)) for buffer in sized]
    assert len(starts) > 10 and all(start % 16 == 0 for start in starts)


LOUD: dict[str, Any] = {
    "sine": lambda n: np.sin(2 * np.pi * 440 * n / 16_000),
    "square": lambda n: np.sign(np.sin(2 * np.pi * 250.7 * n / 16_000)),
    "low square": lambda n: np.sign(np.sin(2 * np.pi * 62.5 * n / 16_000)),
    "noise": lambda n: np.sign(np.random.default_rng(0).normal(0, 1, len(n))),
    "clicks": lambda n: (n % 997 == 0) * 1.0,
}


@pytest.mark.parametrize("kind", LOUD)
@pytest.mark.parametrize("arch", ["miniresnet", "yamnet256"])
def test_the_loudest_sounds_do_not_saturate_and_the_step_is_small(kind: str, arch: str) -> None:
    frontend, values = frontend_of(arch), input_code_scale(frontend_of(arch))
    pcm = np.clip(LOUD[kind](np.arange(buffer_samples(frontend))) * 32768, -32768, 32767).astype(np.int16)
    log_mels = st_log_mels(pcm[None], frontend)
    for value, codes in ((log_mels.max(), values), (log_mels.mean(), mean_code_scale(frontend))):
        assert value <= codes.scale * (127 - codes.zero_point)
    assert 0.2 < values.scale < 0.4
    # The lowest code is the floor.
    assert values.scale * (-128 - values.zero_point) == pytest.approx(10 * np.log10(frontend.floor), abs=1e-9)


def by_definition(frontend: LogMelFrontend, frame: Int16) -> np.ndarray:
    """Return the log-mels of one frame in float64, by the sums of the definition."""
    left = (frontend.n_fft - frontend.frame_samples) // 2
    n = np.arange(frontend.frame_samples)
    windowed = frame / 32768 * (0.5 - 0.5 * np.cos(2 * np.pi * n / frontend.frame_samples))
    turns = np.outer(np.arange(frontend.n_fft // 2 + 1), n + left) / frontend.n_fft
    bins = np.exp(-2j * np.pi * turns) @ windowed
    spectrum = np.abs(bins) ** (2 if frontend.spectrum == "power" else 1)
    spoilt = complex(spectrum[-1], bins[frontend.n_fft // 4].imag)
    spectrum[frontend.n_fft // 4] = abs(spoilt) ** (2 if frontend.spectrum == "power" else 1)
    mels = without_spoilt_bin(frontend.mel_filters()).astype(np.float64) @ spectrum
    mels = np.where(mels <= 0, np.finfo(np.float32).tiny, mels)
    return 10 * np.log10(mels) if logarithm_of(frontend) == "db" else np.log(mels)


@pytest.mark.parametrize(
    "frontend",
    [
        LogMelFrontend(),
        YAMNET_FRONTEND,
        replace(YAMNET_FRONTEND, mel_scale="htk"),
        LogMelFrontend(
            *(16_000, 256, 100, 20, 50.0, 8000.0, 1e-3, 0.0, DECIBELS["ln"], 7, 7), centred=False, win_length=200
        ),
    ],
)
def test_sts_frontend_is_its_definition(frontend: LogMelFrontend) -> None:
    pcm = (np.random.default_rng(1).normal(0, 1, buffer_samples(frontend) * 2 + 77) * 3000).astype(np.int16)
    log_mels = st_log_mels(buffers(pcm, frontend), frontend)
    assert log_mels.dtype == np.float32 and log_mels.shape == (2, frontend.n_mels, frontend.patch_frames)
    for patch, column in ((0, 0), (0, frontend.patch_frames - 1), (1, 3)):
        start = patch * buffer_samples(frontend) + column * frontend.hop
        frame = pcm[start : start + frontend.frame_samples]
        np.testing.assert_allclose(log_mels[patch, :, column], by_definition(frontend, frame), atol=2e-4)


def test_natural_logarithms_reach_the_network_as_they_are() -> None:
    int8 = pooled_network("softmax")
    file = st_model(int8, YAMNET_FRONTEND)
    before, after = read_graph(int8), read_graph(file)
    assert [one.name for one in after.operators] == [*(one.name for one in before.operators), "DEQUANTIZE"]
    assert after.input == before.input and after.tensors[after.input] == before.tensors[before.input]
    network, own = FloatOutputModel(file), Int8Model(int8)
    codes = np.random.default_rng(1).integers(-128, 128, (20, 64, 96)).astype(np.int8)
    np.testing.assert_array_equal(network.predict(codes), own.dequantise(own.predict_int8(codes)))
    np.testing.assert_array_equal(scores_of_tflm(file, codes[..., None]), network.predict(codes))


def test_only_the_floor_and_the_spoilt_bin_distinguish_sts_natural_logarithms() -> None:
    size, rng = buffer_samples(YAMNET_FRONTEND), np.random.default_rng(3)
    assert size == 95 * 160 + 512 and logarithm_of(YAMNET_FRONTEND) == "ln"
    pcm = (rng.normal(0, 1, size) * np.geomspace(0.5, 5000, size)).astype(np.int16)
    theirs = st_log_mels(pcm[None], YAMNET_FRONTEND)[0].T
    ours = YAMNET_FRONTEND.log_mel(pcm)[:96]
    bands = ~np.isin(np.arange(64), np.flatnonzero(YAMNET_FRONTEND.mel_filters()[:, 127:130].any(axis=1)))
    np.testing.assert_allclose(np.log(np.exp(theirs) + 1e-3)[:, bands], ours[:, bands], atol=2e-3)
    network = FloatOutputModel(st_model(pooled_network("softmax"), YAMNET_FRONTEND))
    found = patches.st_patches(pcm, YAMNET_FRONTEND, network)
    np.testing.assert_allclose(found.loudness_db, theirs.clip(np.log(1e-3)).mean() * 10 / np.log(10), atol=0.5)


def test_silence_is_the_smallest_float_and_the_lowest_code() -> None:
    frontend = LogMelFrontend()
    log_mels = st_log_mels(np.zeros((1, buffer_samples(frontend)), np.int16), frontend)
    assert (log_mels == np.float32(10) * np.log10(np.finfo(np.float32).tiny)).all()
    values = input_code_scale(frontend)
    assert (quantise(log_mels, values.scale, values.zero_point) == -128).all()


def test_codes_round_half_away_from_zero_and_saturate() -> None:
    values = np.array([0.5, 1.5, 2.5, -0.5, -1.5, 0.49999997, 500, -500], np.float32)
    assert quantise(values, 1.0, 0).tolist() == [1, 2, 3, -1, -2, 0, 127, -128]
    assert quantise(values, 0.5, 3).tolist() == [4, 6, 8, 2, 0, 4, 127, -128]


def test_a_short_clip_is_padded_to_one_patch(converted: Callable[[str], bytes]) -> None:
    frontend = frontend_of("miniresnet")
    network = FloatOutputModel(st_model(converted("miniresnet"), frontend))
    codes = patches.codes(np.full(9000, 500, np.int16), frontend, network)
    assert codes.shape == (1, 64, 50) and (codes[0, :, -1] == -128).all()


def network_on_halves() -> bytes:
    """Return a random trunk with a linear head on the halves of the frequencies, ten labels."""
    trunk, rng = random_trunk(), np.random.default_rng(2)
    kernel = rng.normal(0, 0.3, (3 * trunk.channels, 10)).astype(np.float32)
    codes = rng.integers(-128, 128, (256, len(kernel))).astype(np.int8)
    head = DenseHead("softmax", trunk.output.scale, trunk.output.zero_point, (kernel,), (np.zeros(10, np.float32),))
    return network_with_head(trunk, quantise_head(head, codes), "halves")


@pytest.mark.parametrize("arch", [*FOR_MCUS, "pooled", "halves"])
def test_the_onnx_file_agrees_with_the_tflite_file(converted: Callable[[str], bytes], arch: str) -> None:
    import onnxruntime

    pooled = arch in ("pooled", "halves")
    frontend = YAMNET_FRONTEND if pooled else frontend_of(arch)
    int8 = {"pooled": lambda: pooled_network("softmax"), "halves": network_on_halves}
    file = st_model(int8[arch]() if pooled else converted(arch), frontend)
    network = FloatOutputModel(file)
    values = decibels(frontend, 40, seed=3) / np.float32(DECIBELS[logarithm_of(frontend)])
    codes = quantise(values, network.input.scale, network.input.zero_point)
    # As written, in float32: int8 kernels of ONNX Runtime saturate otherwise on processors without VNNI.
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(onnx_model(file, logarithm_of(frontend)), options)
    given, found = session.get_inputs()[0], session.get_outputs()[0]
    assert given.name == ("log_mels" if pooled else "decibels")
    assert (given.shape, given.type) == ([1, 1, frontend.n_mels, frontend.patch_frames], "tensor(float)")
    assert (found.shape, found.type) == ([1, 10], "tensor(float)")
    values = real(codes, network.input.scale, network.input.zero_point)
    scores = np.concatenate([session.run(None, {given.name: one[None, None]})[0] for one in values])
    expected = network.predict(codes)
    # ONNX rounds after each operator as a float would, TFLite's kernels in integers: a few steps of 1/256.
    assert np.abs(scores - expected).max() <= 4 / 256
    assert (scores.argmax(axis=1) == expected.argmax(axis=1)).all()


def test_the_onnx_file_is_quantised_and_old_enough_for_st(converted: Callable[[str], bytes]) -> None:
    import onnx

    file = st_model(converted("miniresnet"), frontend_of("miniresnet"))
    model = onnx.load_from_string(onnx_model(file))
    assert model.ir_version <= 9 and [one.version for one in model.opset_import] == [13]
    weights = {one.name: one for one in model.graph.initializer}
    made_by = {node.output[0]: node for node in model.graph.node}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    assert len(convolutions) == 7
    for node in convolutions:
        assert [made_by[name].op_type for name in node.input] == ["DequantizeLinear"] * 3
        codes, scales = (weights[name] for name in made_by[node.input[1]].input[:2])
        assert codes.data_type == onnx.TensorProto.INT8 and list(scales.dims) == [codes.dims[0]]
    assert onnx_model(file) == onnx_model(file)


def test_without_onnx_or_with_other_operators_there_is_no_file(
    converted: Callable[[str], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = st_model(converted("miniresnet"), frontend_of("miniresnet"))
    reported: list[str] = []
    with monkeypatch.context() as patch:
        patch.delitem(onnx_qdq._WRITERS, "MAX_POOL_2D")  # type: ignore[arg-type]
        assert write_st_models(file, tmp_path, lambda *values: reported.append(str(values[-1]))) == {
            "model_st.onnx": "MAX_POOL_2D is not supported"
        }
    assert reported == ["without model/model_st.onnx: MAX_POOL_2D is not supported"]
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(LabeltoolError, match=r"needs the package onnx.*stm32n6"):
        onnx_model(file)
    assert [path.name for path in tmp_path.iterdir()] == ["model_st.tflite"]


def test_loudness_and_emptiness_are_those_of_the_input(converted: Callable[[str], bytes]) -> None:
    frontend = frontend_of("miniresnet")
    network, size = FloatOutputModel(st_model(converted("miniresnet"), frontend)), buffer_samples(frontend)
    pcm = np.random.default_rng(2).normal(0, 2000, 3 * size + 5).astype(np.int16)
    pcm[size : 2 * size] = 0
    found = patches.st_patches(pcm, frontend, network)
    assert found.empty.tolist() == [False, True, False]
    assert found.loudness_db[1] == pytest.approx(10 * np.log10(frontend.floor), abs=1e-4)
    expected = st_log_mels(buffers(pcm, frontend), frontend)[[0, 2]].mean(axis=(1, 2))
    np.testing.assert_allclose(found.loudness_db[[0, 2]], expected, atol=0.05)
    np.testing.assert_array_equal(found.probabilities, network.predict(patches.codes(pcm, frontend, network)))


def test_the_package_has_the_file_and_its_accuracy(package: Path) -> None:
    file = (package / "model" / "model_st.tflite").read_bytes()
    int8 = (package / "model" / "model_int8.tflite").read_bytes()
    assert file == st_model(int8, LogMelFrontend())
    assert (package / "model" / "model_st.onnx").read_bytes() == onnx_model(file)
    report = json.loads((package / "report.json").read_text())
    if "the C on this machine" not in report["not_measured"]:
        measured = report["measured_by_this_export"]["held_out_clips"]
        for name in ("clip_accuracy_st", "clip_accuracy_st_application", "patch_accuracy_st_application"):
            assert 0 <= measured[name] <= 1
        assert "do not overlap" in measured["how_st"]
        assert (
            "| patch accuracy, the same, patches not overlapping (as in ST's applications) |"
            in (package / "docs" / "numbers.md").read_text()
        )
