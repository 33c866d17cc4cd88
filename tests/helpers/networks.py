"""Networks of the registry as int8 files, untrained but with scores that differ, and TensorFlow Lite Micro."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from labeltool.audio.frontend import LogMelFrontend
from labeltool.audio.log_mel_frontend import YAMNET_FRONTEND
from labeltool.networks import build as networks
from labeltool.networks import quantization

# Networks that take waveforms have no package; that with a trunk is written, not converted (`pooled_network` is alike).
FOR_MCUS = [
    name
    for name, spec in networks.ARCHITECTURES.items()
    if isinstance(spec.frontend, LogMelFrontend) and not spec.has_trunk
]


def perturbed(model: Any, seed: int = 5) -> Any:
    """Move batch norms and biases far from their initial values, as training does."""
    import keras

    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            mean = layer.moving_mean.shape
            layer.moving_mean.assign(rng.normal(0, 0.2, mean))
            layer.moving_variance.assign(rng.uniform(0.5, 2, mean))
            layer.beta.assign(rng.normal(0, 0.2, mean))
            if layer.scale:
                layer.gamma.assign(rng.uniform(0.5, 1.5, mean))
        elif getattr(layer, "bias", None) is not None:
            layer.bias.assign(rng.normal(0, 0.2, layer.bias.shape))
    return model


def converted_network(arch: str) -> bytes:
    """Build an architecture of the registry with ten labels and convert it."""
    import keras

    keras.utils.set_random_seed(5)
    frontend = networks.ARCHITECTURES[arch].frontend
    model = perturbed(networks.build(arch, 10, frontend))
    shape = (24, frontend.n_mels, frontend.patch_frames)
    walks = np.random.default_rng(0).normal(0, 0.3, shape).cumsum(axis=1).astype(np.float32)
    return quantization.to_int8(model, walks)


@lru_cache(maxsize=2)
def pooled_network(head: str) -> bytes:
    """Convert convolutions, both pools of the whole map, a concatenation and dense layers over YAMNet's log-mels.

    The operators are those of a trunk out of YAMNet's file with a head.
    """
    import keras

    keras.utils.set_random_seed(5)
    layers = keras.layers
    inputs = keras.Input((YAMNET_FRONTEND.n_mels, YAMNET_FRONTEND.patch_frames, 1))
    x = layers.Conv2D(8, 3, strides=4, padding="same", activation="relu")(inputs)
    x = layers.DepthwiseConv2D(3, strides=2, padding="same", activation="relu")(x)
    x = layers.Conv2D(16, 1, activation="relu")(x)
    pools = [layers.AveragePooling2D((8, 12))(x), layers.MaxPooling2D((8, 12))(x)]
    x = layers.Dense(12, activation="relu")(layers.Flatten()(layers.Concatenate()(pools)))
    model = perturbed(keras.Model(inputs, layers.Dense(10, activation=head)(x)))
    shape = (24, YAMNET_FRONTEND.n_mels, YAMNET_FRONTEND.patch_frames)
    walks = np.random.default_rng(0).normal(0, 0.5, shape).cumsum(axis=1).astype(np.float32)
    return quantization.to_int8(model, walks)


def scores_of_tflm(tflite: bytes, codes: np.ndarray) -> np.ndarray:
    """Run TensorFlow Lite Micro on codes of shape (patches, ...): (patches, labels)."""
    runtime = pytest.importorskip("tflite_micro", reason="the reference kernels are a development dependency").runtime
    interpreter, scores = runtime.Interpreter.from_bytes(tflite), []
    for patch in codes:
        interpreter.set_input(patch[None], 0)
        interpreter.invoke()
        scores.append(np.array(interpreter.get_output(0)).ravel())
    return np.array(scores)
