"""A trunk: the first layers of a pretrained YAMNet, int8, as they lie in its TensorFlow Lite file.

Plakal and Ellis 2019, <https://github.com/tensorflow/models/tree/master/research/audioset/yamnet>: a convolution, then
pairs of a depthwise and a pointwise one (MobileNet v1), each with a ReLU6. Batch norms are folded in the file. Weights,
biases and scales are read, not computed, so a network made of them gives the codes that YAMNet itself computes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from labeltool.audio.log_mel_frontend import YAMNET_FRONTEND
from labeltool.errors import LabeltoolError
from labeltool.networks.quantization import CodeScale
from labeltool.pretrained import registry
from labeltool.pretrained.card import PretrainedCard, read_card
from labeltool.pretrained.runtimes.base import read_file
from labeltool.pretrained.runtimes.tflite_file import TFLiteFile, TFLiteOperator
from labeltool.project import Project
from labeltool.settings import TRUNK_LAYERS
from labeltool.type_aliases import Int8, Int32

DEFAULT_DEPTH = 11
"""The layers of ST's yamnet_256, output 12 x 8 x 256."""

# Raised whenever a trunk of the same file would give other codes.
_VERSION = 2
_LAYERS = ("CONV_2D", "DEPTHWISE_CONV_2D")
_SAME, _RELU6 = 0, 3


@dataclass(frozen=True, slots=True)
class TrunkLayer:
    """A convolution with a fused ReLU6 and padding "same", rows being mel bands and columns frames.

    Attributes
    ----------
    weights : (filters, rows, columns, channels) int8
        Of a depthwise one (1, rows, columns, channels).
    scales : (outputs,) each
        Scale of each filter's weights.
    bias : (outputs,) int32
        Their unit is the input's scale times the filter's.
    shape
        Rows, columns and channels of its output.
    """

    depthwise: bool
    weights: Int8
    scales: tuple[float, ...]
    bias: Int32
    stride: int
    output: CodeScale
    shape: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Trunk:
    """The first layers of a pretrained model; `input` is what the codes of log-mels stand for that they take."""

    name: str
    path: Path
    sha256: str
    input: CodeScale
    layers: tuple[TrunkLayer, ...]

    @property
    def output(self) -> CodeScale:
        """What the codes of its features stand for."""
        return self.layers[-1].output

    @property
    def channels(self) -> int:
        """Channels of its output."""
        return self.layers[-1].shape[2]

    @property
    def middle(self) -> TrunkLayer | None:
        """The last layer of the default depth, where the trunk is deeper; None where its codes have another scale."""
        layer = self.layers[DEFAULT_DEPTH - 1] if len(self.layers) > DEFAULT_DEPTH else None
        return layer if layer is not None and layer.output == self.output else None

    @property
    def fingerprint(self) -> str:
        """16 hex digits that change with the file, the number of layers, and how features are computed of them."""
        described = f"{_VERSION} {self.sha256} {len(self.layers)}"
        return hashlib.sha256(described.encode()).hexdigest()[:16]

    def first(self, layers: int) -> Trunk:
        """Return the trunk of the first layers alone."""
        return replace(self, layers=self.layers[:layers])


def read_trunk(path: Path, card: PretrainedCard, layers: int = DEFAULT_DEPTH) -> Trunk:
    """Read the first layers of a registered YAMNet.

    Raises
    ------
    LabeltoolError
        When the file is not the one on the card, or no int8 YAMNet.
    """
    if layers not in TRUNK_LAYERS:
        numbers = ", ".join(map(str, TRUNK_LAYERS))
        raise LabeltoolError(f"a trunk cannot have {layers} layers", remedy=f"one of {numbers}")
    content = read_file(path)
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != card.files[card.network]:
        raise LabeltoolError("is not the file that its card describes", file=path, remedy="`labeltool model add` again")
    try:
        return _read(TFLiteFile(content), path, sha256).first(layers)
    except (LabeltoolError, ValueError, IndexError, KeyError) as error:
        raise LabeltoolError(
            f"no trunk can be made of it: {error}", file=path, remedy="it takes the int8 YAMNet in TensorFlow Lite"
        ) from error


def trunk_of(
    project: Project, name: str | None = None, layers: int = DEFAULT_DEPTH, *, preferred: str | None = None
) -> Trunk:
    """Return the trunk of a pretrained model of the project.

    Parameters
    ----------
    name
        Of the pretrained model; None: `preferred`, or the first, that can be one.

    Raises
    ------
    LabeltoolError
        When there is none, or the one that was named is no YAMNet.
    """
    if name is not None:
        path = registry.find(project, name)
        return read_trunk(path, read_card(path.parent), layers)
    known = sorted(registry.names(project), key=lambda one: one != preferred)
    if len(known) == 1:
        return trunk_of(project, known[0], layers)  # its error says what is wrong with the only one
    for one in known:
        with suppress(LabeltoolError):
            return trunk_of(project, one, layers)
    raise LabeltoolError(
        "the project has no pretrained YAMNet", remedy="`labeltool model fetch yamnet`, or `model add yamnet.tflite`"
    )


def has_trunk(project: Project) -> bool:
    """Return whether a pretrained model of the project can be a trunk."""
    try:
        trunk_of(project)
    except LabeltoolError:
        return False
    return True


def _read(file: TFLiteFile, path: Path, sha256: str) -> Trunk:
    operators = [one for one in file.operators() if one.name in _LAYERS]
    expected = ["CONV_2D", *(_LAYERS[::-1] * 13)]
    if [one.name for one in operators] != expected:
        raise ValueError("its layers are not YAMNet's")
    first = operators[0].inputs[0]
    if file.graphs[0].tensors[first].shape != (1, YAMNET_FRONTEND.patch_frames, YAMNET_FRONTEND.n_mels, 1):
        raise ValueError("its first layer takes other patches")
    return Trunk(path.parent.name, path, sha256, _code_scale(file, first), _layers(file, operators, transposed=True))


def read_own_trunk(path: Path) -> Trunk:
    """Return the trunk of a network that `trunk_network` wrote.

    Raises
    ------
    LabeltoolError
        When the file is missing or has no layers.
    """
    content = read_file(path)
    try:
        file = TFLiteFile(content)
        operators = [one for one in file.operators() if one.name in _LAYERS]
        layers = _layers(file, operators, transposed=False)
        scale = _code_scale(file, operators[0].inputs[0])
    except (LabeltoolError, ValueError, IndexError, KeyError) as error:
        raise LabeltoolError(
            f"its trunk cannot be read: {error}", file=path, remedy="retrain: the model's folder is damaged"
        ) from error
    return Trunk(path.parent.name, path, hashlib.sha256(content).hexdigest(), scale, layers)


def _layers(file: TFLiteFile, operators: Sequence[TFLiteOperator], *, transposed: bool) -> tuple[TrunkLayer, ...]:
    for before, after in pairwise(operators):
        if before.outputs[0] != after.inputs[0]:
            raise ValueError("its layers do not follow each other")
    return tuple(_layer(file, operator, transposed) for operator in operators)


def _layer(file: TFLiteFile, operator: TFLiteOperator, transposed: bool) -> TrunkLayer:
    tensors, options = file.graphs[0].tensors, operator.options
    weights, bias, output = operator.inputs[1], operator.inputs[2], operator.outputs[0]
    scales, zero_points = file.quantization(weights)
    depthwise = operator.name == "DEPTHWISE_CONV_2D"
    kernel = np.frombuffer(file.buffer(tensors[weights].buffer), np.int8).reshape(tensors[weights].shape)
    biases = np.frombuffer(file.buffer(tensors[bias].buffer), "<i4").astype(np.int32)
    as_expected = (
        options["padding"] == _SAME
        and options["fusedActivationFunction"] == _RELU6
        and options["strideH"] == options["strideW"]
        and options.get("dilationHFactor", 1) == options.get("dilationWFactor", 1) == 1
        and not any(zero_points)
        and len(scales) == len(biases) == kernel.shape[3 if depthwise else 0]
    )
    if not as_expected:
        raise ValueError(f"a {operator.name} of another kind than YAMNet's")
    _, rows, columns, channels = tensors[output].shape
    if transposed:
        # Time runs down YAMNet's rows, along ours: the same sums over transposed kernels.
        kernel, rows, columns = kernel.transpose(0, 2, 1, 3), columns, rows
    return TrunkLayer(
        depthwise,
        np.ascontiguousarray(kernel),
        scales,
        biases,
        int(options["strideH"]),
        _code_scale(file, output),
        (rows, columns, channels),
    )


def _code_scale(file: TFLiteFile, tensor: int) -> CodeScale:
    (scale,), (zero_point,) = file.quantization(tensor)
    if file.graphs[0].tensors[tensor].dtype != "INT8":
        raise ValueError("it is not int8")
    return CodeScale(scale, zero_point)
