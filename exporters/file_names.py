"""File names made of other people's names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

# What Windows, macOS or a shell take for more than a letter.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"/\\|?*\u2028\u2029]')
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?$")
_LONGEST_BYTES = 120


def safe_stems(stems: Sequence[str]) -> list[str]:
    """Make file name stems that every common file system takes, each different from the others, in the order given.

    Letters of any script stay. Two that would differ only by case, or not at all, are told apart by a number.
    """
    taken: set[str] = set()
    safe: list[str] = []
    for stem in stems:
        plain = _safe(stem)
        candidate, number = plain, 1
        while candidate.casefold() in taken:
            number += 1
            candidate = f"{plain}-{number}"
        taken.add(candidate.casefold())
        safe.append(candidate)
    return safe


def _safe(stem: str) -> str:
    # Composed, as macOS and Linux would otherwise hold two spellings of one name.
    plain = _UNSAFE.sub("_", unicodedata.normalize("NFC", stem))
    plain = plain.encode("utf-8", "replace")[:_LONGEST_BYTES].decode("utf-8", "ignore")
    # A leading dot hides a file, a leading hyphen makes it an option, Windows drops dots and spaces at the end.
    plain = plain.lstrip(".- ").rstrip(". ")
    return f"_{plain}" if not plain or _DEVICES.match(plain) else plain
