"""Receivers of progress that ignore it."""

from __future__ import annotations


def quiet(*_: object) -> None:
    """Ignore a report of any arguments."""


def silent(stage: str, done: int, total: int, text: str = "") -> None:
    """Ignore a report of progress."""
