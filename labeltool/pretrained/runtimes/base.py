"""What every runtime makes of a file: its anatomy, read from its tables, and a network that runs."""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from labeltool.audio.files import content_hash
from labeltool.errors import LabeltoolError
from labeltool.type_aliases import Float32

MOST_BYTES = 1 << 30
"""What one tensor may take, 1 GiB: the largest of BirdNET's takes 26 MB, and a made-up shape costs nothing to write."""

_ITEM_BYTES = 4

MOST_SIZES = 32
"""So many a shape may have: NumPy's own limit for long."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor by the name its runtime knows it by (TensorFlow Lite's are numbers); -1 is a size not fixed."""

    name: str
    shape: tuple[int, ...]

    @property
    def width(self) -> int:
        """How long the vector is: the only size above one, else the last; 0 where that is not fixed."""
        above = [size for size in self.shape if size > 1]
        if len(above) == 1:
            return above[0]
        return max(0, self.shape[-1]) if self.shape else 0


@dataclass(frozen=True, slots=True)
class Anatomy:
    """What a file's tables say of a network.

    Attributes
    ----------
    input
        The only one: samples, or what a frontend makes of them.
    outputs
        In the file's order.
    inner
        Tensors inside that are one vector, in the order they are computed, as far as the runtime can hand them out.
    """

    input: Tensor
    outputs: tuple[Tensor, ...]
    inner: tuple[Tensor, ...]


class Network(Protocol):
    """A network ready to run on one thread."""

    def run(self, values: Float32) -> Mapping[str, Float32]:
        """Compute every output, and the inner tensor that was asked for, by name.

        Parameters
        ----------
        values : of the shape it was opened for, float32
        """


class Format(Protocol):
    """A module that reads one kind of file."""

    def examine(self, path: Path) -> Anatomy:
        """Read a file's tables, without its runtime; raises a `LabeltoolError` where they cannot be trusted."""

    def open_network(self, path: Path, shape: tuple[int, ...], inner: str | None) -> Network:
        """Load a file that was examined, for inputs of a shape; `inner` names a tensor inside that is wanted too."""


def read(path: Path) -> bytes:
    """Return a file's bytes.

    Raises
    ------
    LabeltoolError
        When it cannot be read, or is larger than any network here may be.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise LabeltoolError("is larger than 1 GiB: too large for an ear", file=path)
        return path.read_bytes()
    except OSError as error:
        raise LabeltoolError("cannot be read", file=path, remedy=error.strerror or "") from error


def hashed(path: Path) -> str:
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


def require_sane(shape: Sequence[int], path: Path | None = None) -> None:
    """Refuse a shape that nothing real has, before anything is allocated for it.

    Raises
    ------
    LabeltoolError
        When its fixed sizes ask for more than `MOST_BYTES` of float32, one is below -1, or there are absurdly many.
    """
    sizes = [int(size) for size in shape[: MOST_SIZES + 1]]
    many = len(sizes) > MOST_SIZES
    if many or min(sizes, default=0) < -1 or math.prod(max(size, 1) for size in sizes) * _ITEM_BYTES > MOST_BYTES:
        raise LabeltoolError(f"has a tensor of shape {sizes}, which no ear needs", file=path, remedy="is it damaged?")


def is_vector(shape: tuple[int, ...]) -> bool:
    """Say whether a shape is one row of numbers for each of a batch."""
    return len(shape) > 1 and shape[0] in (1, -1) and sum(size != 1 for size in shape[1:]) == 1 and max(shape[1:]) > 1


def only_input(inputs: list[Tensor], path: Path) -> Tensor:
    """Return the input of a network that has one.

    Raises
    ------
    LabeltoolError
        When it has none or several.
    """
    if len(inputs) != 1:
        raise LabeltoolError(f"takes {len(inputs)} inputs; an ear takes one, sound", file=path)
    return inputs[0]


def runtime(module: str, extra: str, path: Path) -> Any:
    """Import the library that runs a kind of file.

    Raises
    ------
    LabeltoolError
        When it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise LabeltoolError(
            f"needs {module}, which is not installed", file=path, remedy=f'`pip install "labeltool[{extra}]"`'
        ) from error
