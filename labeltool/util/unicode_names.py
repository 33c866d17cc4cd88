"""Names of files: in any Unicode form, as macOS, archives and tables write an umlaut, and those of Windows' devices."""

from __future__ import annotations

import os
import re
import unicodedata
from contextlib import suppress
from pathlib import Path

_DEVICES = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3])\s*(\..*)?", re.IGNORECASE | re.DOTALL
)


def is_device(name: str) -> bool:
    """Return whether Windows takes a name for a device, whatever its ending: `con`, `nul.txt`, `COM1`."""
    return _DEVICES.fullmatch(name) is not None


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
