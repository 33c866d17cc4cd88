"""Names of files in any Unicode form: macOS, archives and tables write an umlaut as one character or as two."""

from __future__ import annotations

import os
import unicodedata
from contextlib import suppress
from pathlib import Path


def nfc(text: str) -> str:
    """Return text composed (NFC): equal for names that look alike."""
    return unicodedata.normalize("NFC", text)


def as_on_disk(path: Path) -> Path:
    """Return a path as the disk spells it: where there is no such file, one whose name differs in its Unicode form."""
    if str(path).isascii() or os.path.lexists(path):
        return path
    folder, wanted = as_on_disk(path.parent), nfc(path.name)
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if nfc(entry.name) == wanted:
                return folder / entry.name
    return path
