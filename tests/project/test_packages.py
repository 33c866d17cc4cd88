"""Every folder of modules is in the distribution: an editable install would not miss one."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_package_is_in_the_distribution() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    folders = [
        path.parent
        for room in ("labeltool", "importers", "exporters", "tui")
        for path in (ROOT / room).rglob("__init__.py")
    ]
    names = (".".join(folder.relative_to(ROOT).parts) for folder in folders)
    found = {name if name.split(".")[0] == "labeltool" else f"labeltool.{name}" for name in names}
    assert found == set(listed)
