"""What the files and folders of a project are called, and what of a folder is searched for sounds and labels."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

SETTINGS_FILE = "labeltool.toml"
DATABASE_FILE = "labels.db"

_OWN_FOLDERS = ("cache", "exports", "models", "reports")
_OWN = frozenset({SETTINGS_FILE, "metadata.json", *_OWN_FOLDERS})


def searched(names: Collection[str]) -> list[str]:
    """Return the names in a folder that are searched, sorted: no hidden ones, and in a project none that it made."""
    visible = sorted(name for name in names if not name.startswith("."))
    if SETTINGS_FILE not in visible:
        return visible
    return [name for name in visible if name not in _OWN and not name.startswith(DATABASE_FILE)]


def not_searched(folder: Path) -> str:
    """Return the names of the folders in a project that a search leaves out and that are not empty, with commas."""
    if not (folder / SETTINGS_FILE).is_file():
        return ""
    return ", ".join(name for name in _OWN_FOLDERS if name != "cache" and any(folder.glob(f"{name}/*")))
