"""Pretrained weights for a network to start from: layer by layer, by name and shape.

An HDF5 file is read as plain arrays: the model it describes is not built, so no code of it can run. Layers are found
by our names, or by those of `keras.applications` that ST's Miniresnets kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labeltool.errors import LabeltoolError
from labeltool.networks import build as networks
from labeltool.type_aliases import Float32

if TYPE_CHECKING:
    import keras

Weights = Mapping[str, Mapping[str, Float32]]
"""Layer name to variable name ("kernel", "moving_mean") to values."""

_HDF5 = frozenset({".h5", ".hdf5"})

# Their names to ours; of two, the one that the network has.
_RESNET = {
    "0_conv": ("shortcut",),
    "0_bn": ("shortcut_norm",),
    "1_conv": ("conv1",),
    "1_bn": ("norm1", "conv1_norm"),
    "2_conv": ("conv2",),
    "2_bn": ("norm2",),
    "preact_bn": ("in_norm",),
}
_STEMS = {"conv1_conv": ("stem_conv",), "conv1_bn": ("stem_norm",), "post_bn": ("out_norm",)}


def read_weights(path: Path) -> Weights:
    """Read a pretrained network's weights.

    Parameters
    ----------
    path
        A `.keras` file, or `.h5` as Keras 2 wrote it.

    Raises
    ------
    LabeltoolError
        When the file is missing, damaged, or has no weights.
    """
    if path.suffix not in _HDF5:
        layers = networks.load(path).layers
        return {layer.name: {v.name: np.asarray(v.numpy()) for v in layer.variables} for layer in layers}
    import h5py

    found: dict[str, dict[str, Float32]] = {}

    def collect(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype.kind == "f":
            layer, variable = _layer_and_variable(name)
            found.setdefault(layer, {})[variable] = np.asarray(item, np.float32)

    try:
        with h5py.File(path, "r") as file:
            file.get("model_weights", file).visititems(collect)
    except OSError as error:
        raise LabeltoolError("cannot be read as an HDF5 file of weights", file=path) from error
    if not found:
        raise LabeltoolError("has no weights", file=path)
    return found


def apply_weights(model: keras.Model, weights: Weights) -> int:
    """Set a network's layers to the weights that fit them, in place, but not its head.

    Returns
    -------
    int
        Number of layers that were set; the others keep their weights.

    Raises
    ------
    LabeltoolError
        When none fits.
    """
    by_name = {alias: variables for name, variables in weights.items() for alias in _our_names(name)}
    fitted = 0
    for layer in model.layers:
        variables = by_name.get(layer.name, {})
        shapes = {v.name: tuple(v.shape) for v in layer.variables}
        if layer.name == networks.HEAD or not shapes or shapes != {name: v.shape for name, v in variables.items()}:
            continue
        for variable in layer.variables:
            variable.assign(variables[variable.name])
        fitted += 1
    if not fitted:
        raise LabeltoolError(
            f"none of the backbone's layers fits {model.name}", remedy="choose the architecture it was trained as"
        )
    return fitted


def _layer_and_variable(name: str) -> tuple[str, str]:
    """Split an HDF5 path: Keras 2 writes `<layer>/<layer>/kernel:0`, in a nested model `<model>/<layer>/kernel:0`."""
    *parents, variable = name.removesuffix(":0").split("/")
    layer = "/".join(parents[1:]) or "/".join(parents)
    return layer, variable


def _our_names(name: str) -> list[str]:
    if block := re.fullmatch(r"conv([2-9])_block(\d+)_(\w+)", name):
        ours = _RESNET.get(block[3], ())
        return [f"stack{int(block[1]) - 1}_block{block[2]}_{one}" for one in ours]
    return list(_STEMS.get(name, (name,)))
