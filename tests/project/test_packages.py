"""What is in the distribution: every file of the rooms, from any checkout; an editable install hides gaps."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("labeltool", "importers", "exporters", "tui")
LINKS = ("importers", "exporters", "tui")


def tracked() -> set[str]:
    """Return the files of the rooms that git knows, by their place in the wheel; the links are none of them."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *ROOMS],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.splitlines()  # fmt: skip
    files = {name for name in listed if not (ROOT / name).is_symlink() and (ROOT / name).exists()}
    return {name if name.startswith("labeltool/") else f"labeltool/{name}" for name in files}


def wheel_of(root: Path, folder: Path) -> set[str]:
    """Build a wheel and return the names of its files, without those that describe it."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=root, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


@pytest.mark.parametrize("links", ["as links", "as the text files of a checkout on Windows"])
def test_the_wheel_has_the_files_of_the_tree_and_no_others(tmp_path: Path, links: str) -> None:
    root = tmp_path / "checkout"
    for room in ROOMS:
        shutil.copytree(ROOT / room, root / room, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, root / name)
    if links != "as links":
        for name in LINKS:
            link = root / "labeltool" / name
            target = link.readlink()
            link.unlink()
            link.write_text(str(target), encoding="utf-8")
    assert wheel_of(root, tmp_path / "dist") == tracked()
