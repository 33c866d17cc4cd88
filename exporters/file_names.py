"""File names made from names that come from outside."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

# Characters with a meaning for Windows, macOS or a shell.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"/\\|?*\u2028\u2029]')
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?$")
_MAX_BYTES = 120


def safe_stems(stems: Sequence[str]) -> list[str]:
    """Return file name stems that every common file system accepts, all different, in the order given.

    Letters of any script stay. Where two would differ only by case, or not at all, a number is appended.
    """
    used: set[str] = set()
    safe: list[str] = []
    for stem in stems:
        plain = _safe(stem)
        candidate, number = plain, 1
        while candidate.casefold() in used:
            number += 1
            candidate = f"{plain}-{number}"
        used.add(candidate.casefold())
        safe.append(candidate)
    return safe


def _safe(stem: str) -> str:
    # Composed (NFC): macOS and Linux would otherwise treat two spellings of one name as two files.
    plain = _UNSAFE.sub("_", unicodedata.normalize("NFC", stem))
    plain = plain.encode("utf-8", "replace")[:_MAX_BYTES].decode("utf-8", "ignore")
    # A leading dot hides a file, a leading hyphen reads as an option, Windows drops dots and spaces at the end.
    plain = plain.lstrip(".- ").rstrip(". ")
    return f"_{plain}" if not plain or _DEVICES.match(plain) else plain
