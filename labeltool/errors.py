"""What goes wrong, said to people: one line, the place, the remedy."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from pathlib import Path


class ExitCode(IntEnum):
    """What the `labeltool` process returns."""

    FINE = 0
    FAILED = 1
    WRONG_CALL = 2
    INTERRUPTED = 130


class LabeltoolError(Exception):
    """A failure the user can do something about.

    Parameters
    ----------
    reason
        What is wrong, in words a user would use, without a final full stop.
    remedy
        What to do about it; empty when the reason says it all.
    file, line
        Where it is, when it is anywhere.
    """

    def __init__(
        self,
        reason: str,
        *,
        remedy: str = "",
        file: str | Path | None = None,
        line: int | None = None,
    ) -> None:
        self.reason = reason
        self.remedy = remedy
        self.file = str(file) if file is not None else None
        self.line = line
        super().__init__(str(self))

    def __str__(self) -> str:
        place = ""
        if self.file is not None:
            place = f"{self.file}:{self.line}: " if self.line is not None else f"{self.file}: "
        told = f"{place}{self.reason}" + (f" ({self.remedy})" if self.remedy else "")
        return in_one_line(told)


def in_one_line(text: str) -> str:
    """Return text as one printable line, whatever a file name or a label in it holds: newlines, escape codes."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def files_of(errors: Iterable[LabeltoolError]) -> list[dict[str, str]]:
    """Say which files failed and why, once a file, however many of its clips were wanted."""
    reasons = {error.file or "": str(error) for error in errors}
    return [{"file": file, "reason": reason} for file, reason in reasons.items()]
