"""Class lists that come with networks: one name a line, numbered, or YAMNet's table."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

from labeltool.errors import LabeltoolError
from labeltool.util.files.bounded_read import read_text

_NUMBERED = re.compile(r"\s*(\d{1,9})(?=[\s:,;])\s*+(?:[:,;]\s*+)?(\S.*)")
_INDEX = re.compile(r"\s*\d{1,9}\s*")
_NAME_COLUMNS = ("display_name", "name", "label")


def read(path: Path) -> tuple[str, ...]:
    """Read a class list.

    Raises
    ------
    LabeltoolError
        When it cannot be read, or is empty.
    """
    try:
        names = parse(read_text(path))
    except OSError as error:
        raise LabeltoolError("cannot be read", file=path, remedy=error.strerror or "") from error
    except (ValueError, csv.Error) as error:
        reason = f"is not a list of classes: {error}"
        raise LabeltoolError(reason, file=path, remedy="one name a line, in UTF-8") from error
    if not names:
        raise LabeltoolError("has no class", file=path, remedy="one name a line, in the order of the scores")
    return names


def parse(text: str) -> tuple[str, ...]:
    """Return the names in a class list's text, in the order of the scores.

    A table is recognised by its header, with `display_name` (as in YAMNet's), `name` or `label` among its columns, and
    sorted by its column `index` where it has one. Numbers before the names are removed where they count from 0 or 1.
    Everything else of a line is the name: BirdNET's `Latin name_Common name` stays whole.
    """
    lines = text.splitlines()
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        return ()
    header = [name.strip().casefold() for name in next(csv.reader(lines[:1]))]
    column = next((name for name in _NAME_COLUMNS if name in header), None)
    if len(header) > 1 and column is not None:
        rows = list(csv.DictReader(io.StringIO("\n".join(lines[1:])), fieldnames=header))
        if "index" in header and all(_INDEX.fullmatch(row["index"] or "") for row in rows):
            rows.sort(key=lambda row: int(row["index"]))
        return tuple((row[column] or "").strip() for row in rows)
    numbered = [_NUMBERED.fullmatch(line) for line in lines]
    found = {int(match[1]): match[2].strip() for match in numbered if match}
    if len(found) == len(lines) and sorted(found) in (list(range(len(lines))), list(range(1, len(lines) + 1))):
        return tuple(found[number] for number in sorted(found))
    return tuple(line.strip() for line in lines)
