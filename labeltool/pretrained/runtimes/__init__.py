"""Which module reads a file, and the bounds within which a stranger's file is tried."""

from __future__ import annotations

import importlib
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from labeltool.errors import LabeltoolError
from labeltool.pretrained.runtimes import openvino
from labeltool.pretrained.runtimes.base import Anatomy, Format, Network

FORMATS = MappingProxyType({".tflite": "tflite", ".onnx": "onnx", ".xml": "openvino"})
"""File ending to module."""

# What a file may ask for while it is read, loaded or run, above what the process has: shapes that only come out while
# it runs are in no table. OpenVINO's compiler reserves more than it uses.
_ROOM_BYTES = 8 << 30


def examine(path: Path) -> Anatomy:
    """Read a network file's tables, without running anything.

    Raises
    ------
    LabeltoolError
        When the file is of no kind that is read, missing, or not to be trusted.
    """
    return _format(path).examine(path)


def open_network(path: Path, shape: tuple[int, ...], inner: str | None = None) -> Network:
    """Load a network that was examined.

    Parameters
    ----------
    shape
        Of what it will be given, every size fixed.
    inner
        A tensor of `Anatomy.inner` to be computed with the outputs.

    Raises
    ------
    LabeltoolError
        When its runtime is not installed, or refuses it.
    """
    return _format(path).open_network(path, shape, inner)


def files_of(path: Path) -> tuple[Path, ...]:
    """Return the files that a network consists of, itself first."""
    return (path, openvino.weights_of(path)) if path.suffix.lower() == ".xml" else (path,)


@contextmanager
def bounded_memory(path: Path) -> Iterator[None]:
    """Let no allocation within take more than a stranger's network may need: the system refuses it instead.

    The limit is the process's: one thread at a time may be within.

    Raises
    ------
    LabeltoolError
        When Python itself was refused; a runtime says so in words of its own.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    room = pages * resource.getpagesize() + _ROOM_BYTES
    known = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min([room, *known]), hard))
    try:
        yield
    except MemoryError as error:
        raise LabeltoolError("asks for more memory than any ear needs", file=path) from error
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _format(path: Path) -> Format:
    module = FORMATS.get(path.suffix.lower())
    if module is None:
        known = ", ".join(FORMATS)
        raise LabeltoolError(
            "is of no kind that can be borrowed", file=path, remedy=f"{known} can; what may hold code is not opened"
        )
    if not path.is_file():
        raise LabeltoolError("no such file", file=path)
    found: Format = importlib.import_module(f"labeltool.pretrained.{module}")
    return found
