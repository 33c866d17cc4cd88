"""Processes in which modules are missing, or names of modules: as an install without an extra, or another system."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

_PROGRAM = """
import sys
{first}

class _Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {modules!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, _Absent())
for _name in {modules!r}:
    sys.modules.pop(_name, None)
{more}
"""


def environment_without(folder: Path, *modules: str, first: str = "", more: str = "") -> dict[str, str]:
    """Return an environment whose Python processes find none of some modules, their own children neither.

    Parameters
    ----------
    folder
        Where a `sitecustomize.py` is written.
    first, more
        Python that each process runs before and after that.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(
        _PROGRAM.format(modules=set(modules), first=first, more=more), encoding="utf-8"
    )
    inherited: Sequence[str] = [os.environ["PYTHONPATH"]] if os.environ.get("PYTHONPATH") else []
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *inherited])}
