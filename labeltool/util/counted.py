"""Numbers with their nouns, lists of names, and times."""

from __future__ import annotations

from collections.abc import Sequence


def counted(number: int, noun: str) -> str:
    """Return a number and a noun, in the singular for one and with an s for others."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def listed(names: Sequence[str], most: int) -> str:
    """Return the first of some names with commas, and the number of the others."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def clock(seconds: float) -> str:
    """Return a time in a recording: `1:02:03.45`."""
    minutes, rest = divmod(round(seconds * 100), 6000)
    return f"{minutes // 60}:{minutes % 60:02}:{rest / 100:05.2f}"
