"""labeltool: from a folder of recordings to a sound detector on a microcontroller.

>>> import labeltool
>>> p = labeltool.open("birds")
>>> p.annotations()["label"].to_list()
['robin']

The names of `__all__` are the Python interface (`labeltool.api`), which is loaded when the first of them is used. The
rooms around the core live at the top of the repository and are imported as `labeltool.importers`, `labeltool.exporters`
and `labeltool.tui`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labeltool.api import Evaluation, Project, init, log_mel, open
    from labeltool.errors import LabeltoolError

__version__ = "0.1.0"

__all__ = ["Evaluation", "LabeltoolError", "Project", "__version__", "init", "log_mel", "open"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module("labeltool.errors" if name == "LabeltoolError" else "labeltool.api"), name)
