"""The protocol of a runtime: what a module that reads one kind of model file has to provide.

A file may come from anybody. So a runtime works in two steps: `read_layout` reads the tables of the file in Python,
within bounds, and refuses what nothing real needs; only then `open_network` gives the file to the library that runs it.
"""

from __future__ import annotations

import importlib
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from labeltool.audio.files import content_hash
from labeltool.errors import LabeltoolError
from labeltool.type_aliases import Float32

MAX_BYTES = 1 << 30
"""Limit of one tensor and of one file, 1 GiB: BirdNET's largest tensor takes 26 MB, a made-up shape costs nothing."""

_ITEM_BYTES = 4

MAX_DIMENSIONS = 32
"""Of a shape: the limit that NumPy had for long."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor by its name in the runtime (TensorFlow Lite's are numbers); -1 is a size that is not fixed."""

    name: str
    shape: tuple[int, ...]

    @property
    def width(self) -> int:
        """Length of the vector: the only size above one, else the last; 0 where that is not fixed."""
        above = [size for size in self.shape if size > 1]
        if len(above) == 1:
            return above[0]
        return max(0, self.shape[-1]) if self.shape else 0


@dataclass(frozen=True, slots=True)
class NetworkLayout:
    """Input, outputs and vectors inside a network, by its file's tables.

    Attributes
    ----------
    input
        The only one: samples, or the patch of a frontend.
    outputs
        In the file's order.
    inner
        Tensors inside that are one vector, in the order they are computed, as far as the runtime can return them.
    """

    input: Tensor
    outputs: tuple[Tensor, ...]
    inner: tuple[Tensor, ...]


class Network(Protocol):
    """A network ready to run on one thread."""

    def run(self, values: Float32) -> Mapping[str, Float32]:
        """Compute every output, and the requested inner tensor, by name.

        Parameters
        ----------
        values : of the shape it was opened for, float32

        Raises
        ------
        LabeltoolError
            When the network stops.
        """


class Runtime(Protocol):
    """A module that reads one kind of model file; `runtimes.RUNTIMES` lists it by the file's ending.

    All errors that a file can cause are `LabeltoolError`s that name it, whatever the library raises.
    """

    def network_files(self, path: Path) -> tuple[Path, ...]:
        """Return the files that belong to a network, the given one first: some keep their weights beside it."""

    def read_layout(self, path: Path) -> NetworkLayout:
        """Read a file's tables without its library, which need not be installed.

        Refuse (`LabeltoolError`) a file that is damaged, names other files, needs operations of its own, or has tensors
        beyond `require_bounded_shape`.
        """

    def open_network(self, path: Path, shape: tuple[int, ...], inner: str | None) -> Network:
        """Load a file whose layout was read, for inputs of a shape, every size fixed, on one thread.

        `inner` is a tensor of `NetworkLayout.inner` to be computed with the outputs.

        Raises
        ------
        LabeltoolError
            When its library is not installed, or refuses the file.
        """


def read_file(path: Path) -> bytes:
    """Return a file's bytes.

    Raises
    ------
    LabeltoolError
        When it cannot be read, or is larger than any network here may be.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise LabeltoolError("is larger than 1 GiB: too large for a pretrained model", file=path)
        return path.read_bytes()
    except OSError as error:
        raise LabeltoolError("cannot be read", file=path, remedy=error.strerror or "") from error


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hex.

    Raises
    ------
    LabeltoolError
        When it cannot be read.
    """
    try:
        return content_hash(path)
    except OSError as error:
        raise LabeltoolError("cannot be read", file=path, remedy=error.strerror or "") from error


def require_bounded_shape(shape: Sequence[int], path: Path | None = None) -> None:
    """Refuse an absurd shape before anything is allocated for it.

    Raises
    ------
    LabeltoolError
        When its fixed sizes need more than `MAX_BYTES` of float32, one is below -1, or there are over `MAX_DIMENSIONS`.
    """
    sizes = [int(size) for size in shape[: MAX_DIMENSIONS + 1]]
    too_many = len(sizes) > MAX_DIMENSIONS
    if too_many or min(sizes, default=0) < -1 or math.prod(max(size, 1) for size in sizes) * _ITEM_BYTES > MAX_BYTES:
        raise LabeltoolError(f"has a tensor of impossible shape {sizes}", file=path, remedy="is it damaged?")


def is_vector(shape: tuple[int, ...]) -> bool:
    """Return whether a shape is one row of numbers for each item of a batch."""
    return len(shape) > 1 and shape[0] in (1, -1) and sum(size != 1 for size in shape[1:]) == 1 and max(shape[1:]) > 1


def single_input(inputs: list[Tensor], path: Path) -> Tensor:
    """Return the input of a network that has one.

    Raises
    ------
    LabeltoolError
        When it has none or several.
    """
    if len(inputs) != 1:
        raise LabeltoolError(f"takes {len(inputs)} inputs; a pretrained model takes one, sound", file=path)
    return inputs[0]


def import_runtime(module: str, extra: str, path: Path) -> Any:
    """Import the library that runs a kind of file.

    Raises
    ------
    LabeltoolError
        When it is not installed.
    """
    # onnxruntime reports what it runs to its maker, from Linux too, unless the one or the other is set.
    os.environ |= dict.fromkeys(("ORT_DISABLE_TELEMETRY", "ORT_TELEMETRY_DISABLED"), "1")
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise LabeltoolError(
            f"needs {module}, which is not installed", file=path, remedy=f'`pip install "labeltool[{extra}]"`'
        ) from error
