"""Networks of the registry: building, widening the head as labels change, loading, counting operations.

TensorFlow is imported inside the functions (4 s that `labeltool status` need not pay).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labeltool.audio.frontend import Frontend
from labeltool.errors import LabeltoolError
from labeltool.networks.architectures import ARCHITECTURES as ARCHITECTURES
from labeltool.networks.architectures import DEFAULT_ARCHITECTURE as DEFAULT_ARCHITECTURE
from labeltool.networks.architectures import architecture as architecture
from labeltool.networks.architectures import frontend_of as frontend_of
from labeltool.networks.heads import Head
from labeltool.type_aliases import Float32
from labeltool.util.extras import require_tensorflow
from labeltool.util.library_pages import release_library_pages

if TYPE_CHECKING:
    import keras

HEAD = "head"
"""Name of the one dense layer whose outputs are labels; everything before it is the backbone."""

_DISTILLATION = "distillation"
PATCHES_AT_ONCE = 64
"""Patches that a float network scores in one batch: with 256, activations took 400 MB, and it was no faster."""


@cache
def start_tensorflow() -> None:
    """Import TensorFlow, and keep none of the memory that only its start needs."""
    import tensorflow  # noqa: F401

    release_library_pages()


def build(arch: str, n_labels: int, frontend: Frontend, head: Head = "softmax") -> keras.Model:
    """Build an untrained network.

    Initial weights follow the seed set with `keras.utils.set_random_seed`.

    Returns
    -------
    keras.Model
        `(batch, frontend.n_features, frontend.patch_frames, 1)` float32 patches to `(batch, n_labels)` probabilities.

    Raises
    ------
    LabeltoolError
        When the architecture is unknown, or patches are too short for it, or there are too few labels: a softmax needs
        two, a sigmoid one.
    """
    spec = architecture(arch)
    _need_labels(n_labels, head)
    start_tensorflow()
    import keras

    inputs = keras.Input((frontend.n_features, frontend.patch_frames, 1), name="patch")
    # Layers draw the seeds of their weights in the order they are made: this one stays first, or all numbers change.
    last = keras.layers.Dense(n_labels, activation=head, name=HEAD)
    try:
        features = spec.build_backbone(inputs)
    except ValueError as error:  # the input of a layer is empty
        raise LabeltoolError(
            f"{arch} cannot take patches of {frontend.patch_frames} frames",
            remedy=f"its own have {spec.frontend.patch_frames}: give a longer --patch-s, or none",
        ) from error
    return keras.Model(inputs, last(features), name=arch)


def widen_head(
    model: keras.Model, old_labels: Sequence[str], new_labels: Sequence[str], head: Head = "softmax"
) -> keras.Model:
    """Return a trained network with a head for another list of labels, or of another kind.

    The backbone keeps its weights; so does the head for every label in both lists, whatever its position. A new label
    starts with the mean of the old ones' weights: as likely as the average label.

    Parameters
    ----------
    model
        From `build`, with `len(old_labels)` outputs; left untouched.
    old_labels, new_labels
        Names in the order of the outputs; `new_labels` without repetition.

    Raises
    ------
    LabeltoolError
        When `model` does not have one output for each old label, or `new_labels` is too short.
    """
    import keras

    old_head = model.get_layer(HEAD)
    if model.output_shape[-1] != len(old_labels):
        raise LabeltoolError(
            f"the model has {model.output_shape[-1]} outputs but its card lists {len(old_labels)} labels",
            remedy="retrain with --from-scratch",
        )
    _need_labels(len(new_labels), head)
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    features = copy.get_layer(HEAD).input
    new_head = keras.layers.Dense(len(new_labels), activation=head, name=HEAD)
    widened = keras.Model(copy.inputs, new_head(features), name=model.name)
    kernel, bias = old_head.get_weights()
    old_index = {label: index for index, label in enumerate(old_labels)}
    new_kernel, new_bias = new_head.get_weights()
    for index, label in enumerate(new_labels):
        old = old_index.get(label)
        new_kernel[:, index] = kernel.mean(axis=1) if old is None else kernel[:, old]
        new_bias[index] = bias.mean() if old is None else bias[old]
    new_head.set_weights([new_kernel, new_bias])
    return widened


def _need_labels(n_labels: int, head: Head) -> None:
    if n_labels < (2 if head == "softmax" else 1):
        raise LabeltoolError("a classifier needs at least two labels", remedy="label clips of a second sound")


def with_distillation_output(model: keras.Model, width: int) -> keras.Model:
    """Return a network that predicts distillation targets beside the labels; it shares the given one's weights.

    Returns
    -------
    keras.Model
        Its outputs are the given network's and `(batch, width)` float32 distillation targets, from the same features.
        The latter start at zero, so that the new layer has no gradient on the backbone at first.
    """
    import keras

    features = model.get_layer(HEAD).input
    predicted = keras.layers.Dense(width, kernel_initializer="zeros", name=_DISTILLATION)(features)
    return keras.Model(model.inputs, [*model.outputs, predicted], name=model.name)


def training_copy(model: keras.Model) -> keras.Model:
    """Return a copy of a network that computes the same and trains two to four times as fast.

    Keras 3 computes batch normalisation in eight passes over memory; here it is one fused operation. On processors
    with bfloat16 matrix units the convolutions use them; the weights stay float32, and so do the last layers.
    """
    import keras
    import tensorflow as tf

    class FusedNorm(keras.layers.BatchNormalization):  # type: ignore[misc, unused-ignore]
        def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
            if not training:
                return super().call(inputs, training=training, mask=mask)
            # Under mixed precision Keras passes variables as bfloat16; the operation needs float32 scales.
            offset = tf.cast(self.beta.value, tf.float32)
            scale = tf.cast(self.gamma.value, tf.float32) if self.scale else tf.ones_like(offset)
            outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
                inputs, scale, offset, epsilon=self.epsilon, is_training=True
            )
            for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moving.assign(moving * self.momentum + batch * (1.0 - self.momentum))
            return outputs

    policy = "mixed_bfloat16" if _has_bfloat16_units() else "float32"

    def copy(layer: keras.Layer) -> keras.Layer:
        kind = FusedNorm if isinstance(layer, keras.layers.BatchNormalization) else type(layer)
        config = layer.get_config()
        # A depthwise convolution has no matrix to multiply: in bfloat16 its gradient takes up to six times as long.
        keeps_float32 = layer.name in (HEAD, _DISTILLATION) or isinstance(layer, keras.layers.DepthwiseConv2D)
        config["dtype"] = "float32" if keeps_float32 else policy
        return kind.from_config(config)

    twin = keras.models.clone_model(model, clone_function=copy)
    twin.set_weights(model.get_weights())
    return twin


def compiled(network: keras.Model) -> Callable[[Float32], Float32]:
    """Compile a network to one graph, `(n, mels, frames)` patches to `(n, outputs)`: half the processor time."""
    import tensorflow as tf

    batch = tf.TensorSpec(network.input_shape, tf.float32)
    graph = tf.function(lambda patches: network(patches, training=False), input_signature=[batch])

    def outputs(patches: Float32) -> Float32:
        starts = range(0, len(patches), PATCHES_AT_ONCE)
        return np.concatenate([graph(patches[i : i + PATCHES_AT_ONCE, ..., None]).numpy() for i in starts])

    return outputs


def recompute_norm_statistics(model: keras.Model, batches: Sequence[Float32]) -> None:
    """Set a network's batch-norm statistics to those of its layers' inputs in some batches, in place.

    A moving average lags behind: after a short schedule it still contains the random start, and averaged weights never
    had statistics of their own (Izmailov et al. 2018, section 3.2).

    Parameters
    ----------
    batches : (n, mels, frames, 1) float32 each
        As drawn for training.
    """
    import keras

    twin = training_copy(model)
    norms = [layer for layer in twin.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for number, batch in enumerate(batches):
        for norm in norms:
            norm.momentum = number / (number + 1)  # the plain mean of all batches
        twin(batch, training=True)
    model.set_weights(twin.get_weights())


def _has_bfloat16_units() -> bool:
    """Return whether the processor multiplies bfloat16 matrices in hardware; emulated, that is slower than float32."""
    try:
        return " amx_bf16 " in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False


def load(path: str | Path) -> keras.Model:
    """Load a `.keras` file without running code from it.

    Raises
    ------
    LabeltoolError
        When the file is missing, damaged, or contains anything but Keras' own layers.
    """
    if not Path(path).is_file():
        raise LabeltoolError("no such model file", file=path)
    require_tensorflow("a float network")
    start_tensorflow()
    import keras

    try:
        return keras.models.load_model(str(path), safe_mode=True, compile=False)
    except Exception as error:  # Keras raises whatever its layers and the zip reader raise
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise LabeltoolError(f"cannot be loaded as a Keras model: {first_line}", file=path) from error


def macc(model: keras.Model) -> int:
    """Count the multiply-accumulates of one patch: convolutions and dense layers, as ST's analyser reports them.

    Not counted: batch normalisation (it folds into the convolution before it), additions and pooling.
    """
    import keras

    total = 0
    for layer in model.layers:
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            _, rows, columns, channels = layer.output.shape
            total += rows * columns * channels * layer.kernel_size[0] * layer.kernel_size[1]
        elif isinstance(layer, keras.layers.Conv2D):
            _, rows, columns, filters = layer.output.shape
            kernel = layer.kernel_size[0] * layer.kernel_size[1] * layer.input.shape[-1]
            total += rows * columns * filters * kernel
        elif isinstance(layer, keras.layers.Dense):
            total += math.prod(layer.output.shape[1:]) * layer.input.shape[-1]
    return total
