"""Label files in JSON: read within bounds, and the values that a label may have.

What is in such a file may be of any type. These functions return a value of the type that is wanted, or nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from labeltool.errors import LabeltoolError
from labeltool.importers.base import read_text
from labeltool.importers.file_kinds import describe_kind
from labeltool.importers.label_rows import ParsedLabels, label_rows
from labeltool.records import Skipped
from labeltool.util.files.bounded_read import parse_json

# The values of a JSON file take 20 times its length; a region of Label Studio has 300 characters.
_MAX_CHARACTERS = 64 << 20
_MAX_FIELDS, _MAX_SKIPPED = 10_000_000, 50_000


@dataclass(slots=True)
class LabelList:
    """The labels of a file so far, and what was not taken, of a bounded number: a short text may name many."""

    file: str
    skipped: list[Skipped] = field(default_factory=list)
    rows: list[dict[str, object]] = field(default_factory=list)

    def add(self, rows: Iterable[dict[str, object]]) -> None:
        """Take labels, by the names of `label_rows.LABEL_COLUMNS`."""
        for row in rows:
            self.rows.append(row)
            if len(self.rows) * len(row) > _MAX_FIELDS:
                raise LabeltoolError(
                    f"has more than {len(self.rows)} labels", file=self.file, remedy="export it in parts"
                )

    def skip(self, reason: str, kind: type[Skipped] = Skipped) -> None:
        """Report what is not taken, or a note."""
        self.skipped.append(kind(self.file, None, reason))
        if len(self.skipped) > _MAX_SKIPPED:
            raise LabeltoolError(
                f"has more than {_MAX_SKIPPED} values that are no labels: one {reason}", file=self.file
            )

    def parsed(self) -> ParsedLabels:
        """Return them as every reader does."""
        return ParsedLabels(label_rows(self.rows), self.skipped)


def read_json(path: Path, kind: str, remedy: str, encoding: str | None = None) -> tuple[object, list[Skipped]]:
    """Read a JSON file; returns its value, and the note on an encoding that was assumed."""
    text, notes = read_text(path, kind, remedy, encoding)
    if len(text) > _MAX_CHARACTERS:
        raise LabeltoolError(f"is larger than {_MAX_CHARACTERS >> 20} MB", file=path, remedy="export it in parts")
    try:
        return parse_json(text), notes
    except json.JSONDecodeError as error:
        if not text.lstrip().startswith(("{", "[")):
            raise LabeltoolError(describe_kind(path, kind), file=path, remedy=remedy) from error
        raise LabeltoolError(f"is damaged JSON: {error.msg}", file=path, line=error.lineno, remedy=remedy) from error
    except ValueError as error:  # nested too deeply, or a number of thousands of digits
        raise LabeltoolError(f"is not {kind}: {error}", file=path, remedy=remedy) from error


def text_of(value: object) -> str | None:
    """Return a text without what no other program takes: a NUL, and half of a character."""
    return value.encode(errors="replace").decode().replace("\0", "?") if isinstance(value, str) else None


def number_of(value: object) -> float | None:
    """Return a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def fields_of(value: object) -> Mapping[str, object]:
    """Return an object by its names; none where it is something else."""
    return value if isinstance(value, dict) else {}


def items_of(value: object) -> Sequence[object]:
    """Return a list; an empty one where it is something else."""
    return value if isinstance(value, list) else ()
