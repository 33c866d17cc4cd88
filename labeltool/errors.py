"""Errors for users: one line with the place, the reason and the remedy."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from pathlib import Path


class ExitCode(IntEnum):
    """Exit codes of the `labeltool` process."""

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
        What to do about it; empty when the reason is enough.
    file, line
        Where it is, if it has a place.

    Attributes
    ----------
    exit_code
        What the command line ends with.
    """

    exit_code = ExitCode.FAILED

    def __init__(
        self, reason: str, *, remedy: str = "", file: str | Path | None = None, line: int | None = None
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
        return in_one_line(place + self.without_place)

    @property
    def without_place(self) -> str:
        """The reason and the remedy, for a message that names the place itself."""
        return f"{self.reason} ({self.remedy})" if self.remedy else self.reason


def in_one_line(text: str) -> str:
    """Return text as one printable line: newlines and escape codes, of file names or labels say, are escaped."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def require_known(of: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse an option that something, a format say, does not have.

    Raises
    ------
    LabeltoolError
        Naming the first that is not known, and those that are.
    """
    if unknown := sorted(set(given).difference(known := sorted(known))):
        remedy = f"there are {', '.join(known)}" if known else "there is none"
        raise LabeltoolError(f"{of} has no option {unknown[0]!r}", remedy=remedy)
