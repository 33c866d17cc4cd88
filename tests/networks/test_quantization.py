"""Int8 as the MCU runs it: the same bits as the reference kernels, the operators that ST's tool takes."""

from __future__ import annotations

import numpy as np
import pytest

from labeltool.audio.frontend import LogMelFrontend
from labeltool.errors import LabeltoolError
from labeltool.networks import build as networks
from labeltool.networks import quantization
from labeltool.networks.build import PATCHES_AT_ONCE
from labeltool.networks.postprocessing import ClipRule
from labeltool.networks.predict import clip_probabilities, predict
from labeltool.util.time_limit import TimeLimit

FRONTEND = LogMelFrontend()
OPERATORS = ["PAD", "CONV_2D", "PAD", "MAX_POOL_2D", "CONV_2D", "CONV_2D", "CONV_2D", "ADD"]
OPERATORS += ["CONV_2D", "CONV_2D", "CONV_2D", "ADD", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX"]


def patches(n: int, seed: int = 0) -> np.ndarray:
    """Patches of sounds that differ: noise under random slopes and edges, as the frontend would give them."""
    rng = np.random.default_rng(seed)
    slopes = rng.normal(0, 1, (n, 1, 1)) * np.linspace(-1, 1, 64)[None, :, None]
    edges = rng.normal(0, 1, (n, 1, 1)) * (np.arange(50)[None, None, :] > rng.integers(0, 50, (n, 1, 1)))
    return FRONTEND.normalise((slopes + edges + rng.normal(0, 0.5, (n, 64, 50))).astype(np.float32))


@pytest.fixture(scope="module")
def network():
    """A network whose batch norms and head are far from their start, as after training."""
    import keras

    keras.utils.set_random_seed(5)
    model, rng = networks.build("miniresnet", 6, FRONTEND), np.random.default_rng(5)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            size = len(layer.get_weights()[0])
            layer.set_weights(
                [
                    rng.uniform(0.5, 1.5, size),
                    rng.normal(0, 0.2, size),
                    rng.normal(0, 0.2, size),
                    rng.uniform(0.5, 2, size),
                ]
            )
    return model


@pytest.fixture(scope="module")
def tflite(network) -> bytes:
    return quantization.to_int8(network, patches(64))


def operators(tflite: bytes) -> list[str]:
    from ai_edge_litert import schema_py_generated as schema

    file = schema.ModelT.InitFromObj(schema.Model.GetRootAs(tflite, 0))
    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in file.operatorCodes]
    return [names[codes[operator.opcodeIndex]] for operator in file.subgraphs[0].operators]


def test_the_last_features_come_close_to_those_of_the_float_network(network, tflite: bytes) -> None:
    import keras

    model, given = quantization.Int8Model(tflite), patches(40, seed=1)
    both = model.predict_with_features(given)
    assert both.shape == (40, model.n_features + 6)
    np.testing.assert_array_equal(both[:, model.n_features :], model.predict(given))
    theirs = predict(keras.Model(network.inputs, network.get_layer(networks.HEAD).input), given)
    assert np.corrcoef(both[:, : model.n_features].ravel(), theirs.ravel())[0, 1] > 0.95


def test_scores_equal_those_of_the_mcus_kernels_bit_for_bit(tflite: bytes) -> None:
    runtime = pytest.importorskip("tflite_micro", reason="the reference kernels are a development dependency").runtime
    model, given = quantization.Int8Model(tflite), patches(40, seed=1)
    steps = model.quantise(given)
    ours = model.predict_int8(steps)
    micro = runtime.Interpreter.from_bytes(tflite)
    theirs = []
    for row in steps:
        micro.set_input(row[None, :, :, None], 0)
        micro.invoke()
        theirs.append(np.array(micro.get_output(0)[0]))
    np.testing.assert_array_equal(ours, np.array(theirs))
    assert len(np.unique(ours, axis=0)) > 20  # the scores differ, so that equality means something


def test_operators_are_sts(tflite: bytes) -> None:
    assert operators(tflite) == OPERATORS


def test_one_patch_at_a_time_and_one_scale_for_the_dense_layer(tflite: bytes) -> None:
    from ai_edge_litert import schema_py_generated as schema

    graph = schema.ModelT.InitFromObj(schema.Model.GetRootAs(tflite, 0)).subgraphs[0]
    assert [list(graph.tensors[i].shape) for i in (graph.inputs[0], graph.outputs[0])] == [[1, 64, 50, 1], [1, 6]]
    dense = graph.operators[OPERATORS.index("FULLY_CONNECTED")]
    assert len(graph.tensors[dense.inputs[1]].quantization.scale) == 1


def test_int8_follows_float(network, tflite: bytes) -> None:
    given = patches(40, seed=2)
    model = quantization.Int8Model(tflite)
    assert model.n_labels == 6 and model.output == quantization.CodeScale(1 / 256, -128)
    scores = model.predict(given)
    assert scores.shape == (40, 6) and scores.dtype == np.float32
    expected = predict(network, given)
    assert np.abs(scores - expected).mean() < 0.03
    assert (scores.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.8


def test_quantising_saturates_and_rounds_half_to_even(tflite: bytes) -> None:
    model = quantization.Int8Model(tflite)
    scale = np.float32(model.input.scale)
    values = np.array([0, 0.5, 1.5, 2.5, 1e6, -1e6], np.float32) * scale
    assert (model.quantise(values).astype(int) - model.input.zero_point)[:4].tolist() == [0, 0, 2, 2]
    assert model.quantise(values)[4:].tolist() == [127, -128]


def test_the_same_network_and_patches_give_the_same_bytes(network, tflite: bytes) -> None:
    assert quantization.to_int8(network, patches(64)) == tflite
    assert quantization.to_int8(network, patches(64), TimeLimit(0.0, lambda: 1.0)) == tflite


def test_no_patches_and_no_network_are_refused_in_a_line(network) -> None:
    with pytest.raises(LabeltoolError, match="representative"):
        quantization.to_int8(network, np.empty((0, 64, 50), np.float32))
    with pytest.raises(LabeltoolError, match="not a TensorFlow Lite"):
        quantization.Int8Model(b"nothing of the kind")


def test_no_patches_give_no_scores(tflite: bytes) -> None:
    assert quantization.Int8Model(tflite).predict(np.empty((0, 64, 50), np.float32)).shape == (0, 6)


@pytest.mark.parametrize("clips", [1, 40, 400])
def test_only_the_patches_that_set_the_ranges_are_made(clips: int) -> None:
    rng = np.random.default_rng(clips)
    frames = [rng.normal(0, 1, (50 + 25 * (number % 4) + number % 3, 64)).astype(np.float32) for number in range(clips)]
    every = np.concatenate([FRONTEND.patches(one) for one in frames])
    most = quantization.REPRESENTATIVE_PATCHES
    places = np.unique(np.linspace(0, len(every) - 1, most).round().astype(np.int64))
    np.testing.assert_array_equal(quantization.representative_patches(FRONTEND, frames), every[places])
    assert len(quantization.representative_patches(FRONTEND, [])) == 0


def test_the_patches_of_many_clips_are_scored_some_at_a_time() -> None:
    rng = np.random.default_rng(0)
    frames = [rng.normal(0, 1, (50 + 25 * (number % 4), 64)).astype(np.float32) for number in range(100)]
    sizes: list[int] = []

    def score(patches: np.ndarray) -> np.ndarray:
        sizes.append(len(patches))
        shares = np.abs(patches[:, :3, 0])
        return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)

    rule = ClipRule(1.0, 1.0, "softmax")
    scores, by_clip = clip_probabilities(score, FRONTEND, frames, rule)
    *whole, last = sizes
    assert len(whole) > 1 and 0 < last < PATCHES_AT_ONCE + 4 and not any(size % PATCHES_AT_ONCE for size in whole)
    for one, patches, clip in zip(frames, by_clip, scores, strict=True):
        np.testing.assert_array_equal(patches, score(FRONTEND.patches(one)))
        np.testing.assert_array_equal(clip, clip_probabilities(score, FRONTEND, [one], rule)[0][0])
