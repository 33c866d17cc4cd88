"""The head in integers: TensorFlow Lite Micro's codes, where TensorFlow Lite rounds otherwise."""

from __future__ import annotations

import numpy as np
import pytest

from labeltool.networks.int8_head import int8_head, int8_softmax
from labeltool.networks.quantization import Int8Model, interpreter, to_int8

ROWS = 4_000


def softmax_model(labels: int, largest: float) -> tuple[bytes, float]:
    """Return an int8 softmax over `ROWS` rows of logits up to a size, and the scale of the logits."""
    import tensorflow as tf

    function = tf.function(tf.nn.softmax).get_concrete_function(tf.TensorSpec((ROWS, labels), tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    ends = np.tile(np.array([-largest, largest], np.float32), (ROWS, labels))[:, :labels]
    converter.representative_dataset = lambda: [[ends]]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    model = bytes(converter.convert())
    return model, interpreter(model).get_input_details()[0]["quantization"][0]


@pytest.mark.parametrize(("labels", "largest"), [(2, 1.0), (3, 60.0), (10, 9.0), (10, 25.0), (200, 12.0)])
def test_all_codes_are_those_of_the_mcus_kernel(labels: int, largest: float) -> None:
    runtime = pytest.importorskip("tflite_micro", reason="the reference kernels are a development dependency").runtime
    model, scale = softmax_model(labels, largest)
    rng = np.random.default_rng(labels)
    spread = rng.uniform(1, 120, (ROWS, 1))
    logits = np.clip(rng.normal(0, spread, (ROWS, labels)), -128, 127).astype(np.int8)
    logits[:2] = [[-128], [127]]  # rows of equal logits
    micro = runtime.Interpreter.from_bytes(model, arena_size=4 * ROWS * labels + 100_000)
    micro.set_input(logits, 0)
    micro.invoke()
    np.testing.assert_array_equal(int8_softmax(logits, scale), micro.get_output(0))


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_dense_layers_round_as_the_mcus_kernel_does(activation: str) -> None:
    import keras

    runtime = pytest.importorskip("tflite_micro", reason="the reference kernels are a development dependency").runtime
    keras.utils.set_random_seed(3)
    layers = keras.layers
    patch = keras.Input((8, 4, 1))
    hidden = layers.Dense(30, activation="relu")(layers.Flatten()(patch))
    network = keras.Model(patch, layers.Dense(40, activation=activation)(hidden))
    given = np.random.default_rng(3).normal(0, 2, (1_000, 8, 4)).astype(np.float32)
    tflite = to_int8(network, given[:100])
    model = Int8Model(tflite)
    codes = model.quantise(given)
    micro, theirs = runtime.Interpreter.from_bytes(tflite), []
    for patch_codes in codes:
        micro.set_input(patch_codes[None, :, :, None], 0)
        micro.invoke()
        theirs.append(micro.get_output(0)[0].copy())
    # Of 70,000 sums some thirty are so near to a half that one rounding and two give different codes.
    np.testing.assert_array_equal(model.predict_int8(codes), np.array(theirs))


def test_a_dense_layer_with_a_scale_for_each_output_is_left_to_the_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    keras.utils.set_random_seed(3)
    network = keras.Sequential([keras.Input((8, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3, "softmax")])
    given = np.random.default_rng(3).normal(0, 2, (50, 8, 4)).astype(np.float32)
    loaded = interpreter(to_int8(network, given))
    assert int8_head(loaded) is not None
    details = loaded.get_tensor_details()
    for one in details:
        if tuple(one["shape"]) == (3, 32):
            one["quantization_parameters"]["scales"] = np.array([0.01, 0.02, 0.03], np.float32)
    monkeypatch.setattr(loaded, "get_tensor_details", lambda: details)
    assert int8_head(loaded) is None
