"""Numbers with their nouns."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Return a number and a noun, in the singular for one and with an s for others."""
    return f"{number:,} {noun}{'s' * (number != 1)}"
