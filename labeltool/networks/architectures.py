"""The registry of architectures: Keras builders of backbones, each with its default frontend.

TensorFlow is imported inside the functions (4 s that `labeltool status` need not pay).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from labeltool.audio.frontend import EmbeddingFrontend, Frontend, LogMelFrontend, SampleFrontend
from labeltool.audio.log_mel_frontend import YAMNET_FRONTEND
from labeltool.errors import LabeltoolError
from labeltool.networks.device_targets import with_patch_length
from labeltool.settings import LearningSettings
from labeltool.util.extras import require_tensorflow

DEFAULT_ARCHITECTURE = "miniresnet"
TRUNK_ARCHITECTURE = "yamnet256"
"""The one that begins with the layers of a pretrained model."""

_FRONTEND = LogMelFrontend()


@dataclass(frozen=True, slots=True)
class Architecture:
    """An entry of the registry.

    Attributes
    ----------
    build_backbone
        From the input tensor `(batch, mels, frames, 1)` to the features `(batch, features)` that the head gets.
    frontend
        Its default frontend. Of the kind "embedding": the one over YAMNet's embeddings;
        `pretrained.embedding_frames.embedding_frontend` makes that of another pretrained model.
    training
        Fields of `training.fit.TrainingSettings` that differ for it.
    has_trunk
        Whether it begins with the layers of a pretrained model (`labeltool.pretrained.trunk`), and only what follows is
        trained. `build_backbone` makes its float twin, to be fine-tuned.
    """

    name: str
    build_backbone: Callable[[Any], Any]
    frontend: Frontend = _FRONTEND
    training: Mapping[str, Any] = field(default_factory=dict)
    has_trunk: bool = False


def _residual_block(x: Any, filters: int, stride: int, name: str) -> Any:
    """Miniresnet v1 block: 1x1 then 3x3 beside a 1x1 projection; the stride sits on both 1x1 convolutions."""
    import keras

    layers = keras.layers
    shortcut = layers.Conv2D(filters, 1, strides=stride, name=f"{name}_shortcut")(x)
    shortcut = layers.BatchNormalization(name=f"{name}_shortcut_norm")(shortcut)
    x = layers.Conv2D(filters, 1, strides=stride, name=f"{name}_conv1")(x)
    x = layers.BatchNormalization(name=f"{name}_norm1")(x)
    x = layers.ReLU(name=f"{name}_relu1")(x)
    x = layers.Conv2D(filters, 3, padding="same", name=f"{name}_conv2")(x)
    x = layers.BatchNormalization(name=f"{name}_norm2")(x)
    x = layers.ReLU(name=f"{name}_relu2")(x)
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.ReLU(name=f"{name}_out")(x)


def _norm_relu(x: Any, name: str) -> Any:
    import keras

    x = keras.layers.BatchNormalization(epsilon=1.001e-5, name=f"{name}_norm")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x)


def _preactivated_block(x: Any, filters: int, stride: int, name: str) -> Any:
    """Miniresnet v2 block (He et al. 2016b): normalised before each convolution; the stride sits on the 3x3.

    The shortcut of a block that keeps its size is a 1x1 convolution of the normalised input; that of one that halves it
    is every other cell of the input.
    """
    import keras

    layers = keras.layers
    active = _norm_relu(x, f"{name}_in")
    if stride == 1:
        shortcut = layers.Conv2D(filters, 1, name=f"{name}_shortcut")(active)
    else:
        shortcut = layers.MaxPooling2D(1, strides=stride, name=f"{name}_shortcut")(x)
    y = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_conv1")(active)
    y = _norm_relu(y, f"{name}_conv1")
    y = layers.ZeroPadding2D(1, name=f"{name}_conv2_pad")(y)
    y = layers.Conv2D(filters, 3, strides=stride, use_bias=False, name=f"{name}_conv2")(y)
    return layers.Add(name=f"{name}_out")([shortcut, y])


def _miniresnet(x: Any, stacks: int, *, v2: bool = False) -> Any:
    import keras

    layers = keras.layers
    block = _preactivated_block if v2 else _residual_block
    x = layers.ZeroPadding2D(3, name="stem_pad")(x)
    x = layers.Conv2D(64, 7, strides=2, name="stem_conv")(x)
    if not v2:
        x = layers.BatchNormalization(name="stem_norm")(x)
        x = layers.ReLU(name="stem_relu")(x)
    x = layers.ZeroPadding2D(1, name="stem_pool_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name="stem_pool")(x)
    for stack in range(stacks):
        filters = 64 * 2**stack
        x = block(x, filters, 1, f"stack{stack + 1}_block1")
        x = block(x, filters, 2, f"stack{stack + 1}_block2")
    return layers.Flatten(name="features")(_norm_relu(x, "out") if v2 else x)


# Filters and stride of the separable layers after the first, plain convolution.
_YAMNET_256 = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1))


def _yamnet256(x: Any) -> Any:
    """The float twin of a trunk of eleven layers and a head with a hidden layer, batch norms folded into biases."""
    import keras

    layers = keras.layers

    def active(x: Any, name: str) -> Any:
        return layers.ReLU(6.0, name=f"{name}_relu")(x)

    x = active(layers.Conv2D(32, 3, strides=2, padding="same", name="layer1")(x), "layer1")
    for number, (filters, stride) in enumerate(_YAMNET_256, start=1):
        name = f"layer{2 * number}"
        x = active(layers.DepthwiseConv2D(3, strides=stride, padding="same", name=name)(x), name)
        name = f"layer{2 * number + 1}"
        x = active(layers.Conv2D(filters, 1, padding="same", name=name)(x), name)
    whole = x.shape[1:3]
    pools = [layers.AveragePooling2D(whole, name="mean")(x), layers.MaxPooling2D(whole, name="maximum")(x)]
    x = layers.Flatten(name="flatten")(layers.Concatenate(name="pooled")(pools))
    return layers.Dense(LearningSettings().head_units, activation="relu", name="features")(x)


def _sbcnn(x: Any) -> Any:
    """Salamon and Bello 2017, section II.A; they give shapes as (time, frequency), here it is frequency first."""
    import keras

    layers = keras.layers
    for number, filters in enumerate((24, 48), start=1):
        x = layers.Conv2D(filters, 5, name=f"layer{number}_conv")(x)
        x = layers.MaxPooling2D((2, 4), name=f"layer{number}_pool")(x)
        x = layers.ReLU(name=f"layer{number}_relu")(x)
    x = layers.ReLU(name="layer3_relu")(layers.Conv2D(48, 5, name="layer3_conv")(x))
    x = layers.Dropout(0.5, name="layer4_dropout")(layers.Flatten(name="layer4_flatten")(x))
    x = layers.Dense(64, activation="relu", name="layer4_dense")(x)
    return layers.Dropout(0.5, name="features")(x)


# Filters of the separable layers between poolings, at the width multiplier of the published 155,000 parameters.
_ACLNET = ((32, 32), (64, 64), (128, 128), (256, 256))


def _aclnet(x: Any) -> Any:
    """AclNet with depthwise separable convolutions, width multiplier 0.5, strides 2 and 4, frames of 10 ms.

    The last 1x1 convolution and the average over what is left of time and frequency change places, which changes no
    sum: so it is the head that reads the features.
    """
    import keras

    layers = keras.layers

    def norm_relu(x: Any, name: str) -> Any:
        return layers.ReLU(name=f"{name}_relu")(layers.BatchNormalization(name=f"{name}_norm")(x))

    def convolve(x: Any, filters: int, kernel: int | tuple[int, int], name: str, stride: int = 1) -> Any:
        convolution = layers.Conv2D(
            filters, kernel, strides=(1, stride), padding="same", use_bias=False, name=f"{name}_conv"
        )
        return norm_relu(convolution(x), name)

    x = convolve(x, 16, (1, 9), "low1", 2)
    x = convolve(x, 64, (1, 5), "low2", 4)
    x = layers.MaxPooling2D((1, 20), name="low_pool")(x)
    # From here on its channels are the bands of a spectrogram.
    x = layers.Reshape((x.shape[2], x.shape[3], 1), name="picture")(x)
    x = layers.MaxPooling2D(2, name="high1_pool")(convolve(x, 16, 3, "high1"))
    for number, pair in enumerate(_ACLNET, start=2):
        for letter, filters in zip("ab", pair, strict=True):
            name = f"high{number}{letter}"
            depthwise = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name=f"{name}_depthwise_conv")
            x = norm_relu(depthwise(x), f"{name}_depthwise")
            x = convolve(x, filters, 1, f"{name}_pointwise")
        x = layers.MaxPooling2D(2, name=f"high{number}_pool")(x)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    return layers.Dropout(0.2, name="features")(x)


def _windows(x: Any) -> Any:
    """Transpose a patch of embeddings from `(width, windows, 1)` to `(windows, width)`."""
    import keras

    layers = keras.layers
    _, width, windows, _ = x.shape
    return layers.Reshape((windows, width), name="windows")(layers.Permute((2, 1, 3), name="time_first")(x))


# Units of the hidden layers: over an embedding, and of the attention.
_HIDDEN, _ATTENTION_HIDDEN = 256, 64


def _embedding_mlp(x: Any) -> Any:
    """One hidden layer over an embedding; of several windows the mean of their hidden features."""
    import keras

    layers = keras.layers
    several = x.shape[2] > 1
    x = _windows(x) if several else layers.Flatten(name="window")(x)
    x = layers.Dense(_HIDDEN, activation="relu", name="hidden")(x)
    if several:
        x = layers.GlobalAveragePooling1D(name="average")(x)
    return layers.Dropout(0.5, name="features")(x)


def _embedding_attention(x: Any) -> Any:
    """A hidden layer over each window's embedding, and the mean of it over the windows that attention chooses.

    Ilse et al. 2018, equation 8; attention learns to ignore windows of zeros, which stand for silence.
    """
    import keras

    layers = keras.layers
    x = layers.Dense(_HIDDEN, activation="relu", name="hidden")(_windows(x))
    x = layers.Dropout(0.5, name="hidden_dropout")(x)
    weights = layers.Dense(_ATTENTION_HIDDEN, activation="tanh", name="attention_hidden")(x)
    weights = layers.Dense(1, use_bias=False, name="attention_logits")(weights)
    weights = layers.Softmax(axis=1, name="attention")(weights)
    return layers.Flatten(name="features")(layers.Dot(axes=1, name="attended")([weights, x]))


# Salamon and Bello use 128 bands of 23 ms frames at 44.1 kHz; the frames have the same duration here.
_SBCNN_FRONTEND = LogMelFrontend(hop=368, n_mels=128, low_hz=0.0, high_hz=8000.0, patch_frames=128, patch_hop=64)
_ACLNET_FRONTEND = SampleFrontend(patch_frames=16_000, patch_hop=8_000)
_EMBEDDING_FRONTEND = EmbeddingFrontend()

# Over the embeddings of a pretrained model training takes seconds.
_EMBEDDING_TRAINING: Mapping[str, Any] = {"epochs": 20, "most_patches": 80_000, "warm_share": 0.25}

ARCHITECTURES: Mapping[str, Architecture] = {
    spec.name: spec
    for spec in (
        # ST's model zoo, audio event detection, version 1 and 2 (Nov 2023), by their number of stacks.
        Architecture("miniresnet", partial(_miniresnet, stacks=1)),
        Architecture("miniresnet2", partial(_miniresnet, stacks=2)),
        Architecture("miniresnetv2", partial(_miniresnet, stacks=1, v2=True)),
        Architecture("miniresnetv2_2", partial(_miniresnet, stacks=2, v2=True)),
        # Plakal and Ellis, YAMNet (2019): its first eleven layers, those of yamnet_256 in ST's model zoo, from a
        # pretrained model of the project; a hidden layer over mean and maximum.
        Architecture(
            "yamnet256",
            _yamnet256,
            YAMNET_FRONTEND,
            training={"warm_share": 0.05, "warm_learning_rate": 3e-4, "weight_decay": 0.05},
            has_trunk=True,
        ),
        # Salamon and Bello, Deep Convolutional Neural Networks and Data Augmentation for Environmental Sound
        # Classification (2017).
        Architecture("sbcnn", _sbcnn, _SBCNN_FRONTEND),
        # Huang and Leanos, AclNet: efficient end-to-end audio classification CNN (2018).
        Architecture("aclnet", _aclnet, _ACLNET_FRONTEND),
        # A hidden layer and dropout over a pretrained model's embedding.
        Architecture("embedding-mlp", _embedding_mlp, _EMBEDDING_FRONTEND, _EMBEDDING_TRAINING),
        # Ilse, Tomczak and Welling, Attention-based deep multiple instance learning (2018), over a pretrained model's
        # embeddings, as Kong et al., Weakly labelled AudioSet tagging with attention neural networks (2019).
        Architecture(
            "embedding-attention", _embedding_attention, _EMBEDDING_FRONTEND.with_patches(5, 2), _EMBEDDING_TRAINING
        ),
    )
}
"""Architectures by the name that `--arch` takes."""


def architecture(name: str) -> Architecture:
    """Look an architecture up.

    Raises
    ------
    LabeltoolError
        When there is none of that name.
    """
    if name not in ARCHITECTURES:
        raise LabeltoolError(f"no architecture is called {name!r}", remedy="there are: " + ", ".join(ARCHITECTURES))
    return ARCHITECTURES[name]


def require_training(name: str, *, finetune: bool = False) -> None:
    """Refuse to train an architecture that needs TensorFlow where that is not installed.

    The head on a pretrained trunk is trained without, unless the trunk is fine-tuned.

    Raises
    ------
    LabeltoolError
        When there is no such architecture, or TensorFlow is missing.
    """
    if not architecture(name).has_trunk or finetune:
        require_tensorflow(f"training {name}", or_else=f"`retrain --arch {TRUNK_ARCHITECTURE}` needs a YAMNet instead")


def frontend_of(name: str, patch_s: float | None = None, target: str | None = None) -> Frontend:
    """Return an architecture's frontend, with patches of the length that `with_patch_length` chooses.

    Raises
    ------
    LabeltoolError
        When there is no such architecture, and as `with_patch_length`.
    """
    spec = architecture(name)
    if spec.has_trunk and patch_s is not None and spec.frontend.lasting(patch_s) != spec.frontend:
        raise LabeltoolError(
            f"{name} takes patches of {spec.frontend.patch_hops_s:g} s, as the pretrained model does",
            remedy="give no patch_s, or another architecture",
        )
    return with_patch_length(spec.frontend, patch_s, target)


def sound_frontend(learning: LearningSettings) -> Frontend:
    """Return the frontend that sounds are compared by before there is a network.

    The architecture's, or the default architecture's where that needs a pretrained model.

    Raises
    ------
    LabeltoolError
        As `frontend_of`.
    """
    spec = architecture(learning.architecture)
    if spec.has_trunk or isinstance(spec.frontend, EmbeddingFrontend):
        spec = architecture(DEFAULT_ARCHITECTURE)
    return frontend_of(spec.name, learning.patch_s, learning.target)
