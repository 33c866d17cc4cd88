"""The runtimes of pretrained models, and the bounds within which a file from outside is tried.

A new runtime is one module that follows `base.Runtime`, and one line in `RUNTIMES`. Its files must be readable without
running anything: formats that may hold code (pickles, TorchScript) are not opened. Another distribution adds a runtime
through an entry point of the group `labeltool.runtimes` (`util/plugins.py`): the file ending, and the module.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from labeltool.errors import LabeltoolError
from labeltool.pretrained.runtimes.base import Runtime
from labeltool.util.plugins import Registry, import_module

_FUNCTIONS = ("network_files", "read_layout", "open_network")


def _accept(name: str, loaded: object) -> str:
    if not isinstance(loaded, ModuleType) or not all(callable(getattr(loaded, one, None)) for one in _FUNCTIONS):
        raise TypeError(f"is no module with {', '.join(_FUNCTIONS)}")
    if not name.startswith(".") or name != name.lower():
        raise ValueError("is no file ending such as .onnx")
    return loaded.__name__


_OWN = {".tflite": "tflite", ".onnx": "onnx", ".xml": "openvino"}

RUNTIMES: Registry[str] = Registry(
    "labeltool.runtimes", {ending: f"{__name__}.{module}" for ending, module in _OWN.items()}, _accept
)
"""File ending to the name of the module that follows `base.Runtime`."""

# What a file may ask for while it is read, loaded or run, above what the process has: shapes that only come out while
# it runs are in no table. OpenVINO's compiler reserves more than it uses.
_HEADROOM_BYTES = 8 << 30


def runtime_of(path: Path) -> Runtime:
    """Return the runtime that reads a network file.

    Raises
    ------
    LabeltoolError
        When none does, or the file is missing.
    """
    module = RUNTIMES.get(path.suffix.lower())
    if module is None:
        endings = ", ".join(RUNTIMES)
        raise LabeltoolError(
            "is not a model file that can be read",
            file=path,
            remedy=f"{endings} can; formats that may hold code are not opened",
        )
    if not path.is_file():
        raise LabeltoolError("no such file", file=path)
    runtime: Runtime = import_module(module)
    return runtime


@contextmanager
def bounded_memory(path: Path) -> Iterator[None]:
    """Let the system refuse any allocation within that is larger than a pretrained model may need.

    Only Linux bounds the memory of a process so. The limit is the process's: one thread at a time may be within.

    Raises
    ------
    LabeltoolError
        When Python itself was refused; a runtime reports it by an error of its own.
    """
    if sys.platform != "linux":
        try:
            yield
        except MemoryError as error:
            raise _too_large(path) from error
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + _HEADROOM_BYTES
    limits = [one for one in (limit, soft, hard) if one != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min(limits), hard))
    try:
        yield
    except MemoryError as error:
        raise _too_large(path) from error
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _too_large(path: Path) -> LabeltoolError:
    return LabeltoolError("asks for more memory than a pretrained model may use", file=path)
