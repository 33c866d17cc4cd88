"""Tables as JSON Lines: an object a line, such as `metadata.jsonl` of a Hugging Face AudioFolder.

Source: https://huggingface.co/docs/datasets/audio_dataset. A record whose label is a list has a row for each of them;
lists of the same length, such as starts and ends, go with them.
"""

from __future__ import annotations

from pathlib import Path

from labeltool.errors import LabeltoolError
from labeltool.importers.audacity.label_track import LINE_END
from labeltool.importers.base import quoted, read_text
from labeltool.importers.json_file import items_of, text_of
from labeltool.importers.tables.profiles import ALIASES, folded
from labeltool.importers.tables.text import MAX_COLUMNS, Table, require_bounded
from labeltool.records import Skipped
from labeltool.util.files.bounded_read import parse_json

_KIND, _REMEDY = "a table as JSON Lines", "give one JSON object a line, with a file_name and a label"


def read(path: Path, encoding: str | None = None) -> Table:
    """Read a table; what a record lacks, and objects in it, are "".

    Raises
    ------
    LabeltoolError
        When it cannot be read as text, has too many columns or rows, or none of its lines is an object.
    """
    import numpy as np
    import pandas as pd

    text, skipped = read_text(path, _KIND, _REMEDY, encoding)
    numbers: list[int] = []
    columns: dict[str, list[str]] = {}
    lists: set[str] = set()
    for number, line in enumerate(LINE_END.split(text), start=1):
        if not line.strip():
            continue
        record = _record(line)
        if record is None:
            skipped.append(Skipped(str(path), number, f"is no JSON object: {quoted(line)}"))
            continue
        label = next((name for name in record if folded(name) in ALIASES["label"] and items_of(record[name])), None)
        count = 1 if label is None else len(items_of(record[label]))
        lists |= set() if label is None else {label}
        if len(columns | record) > MAX_COLUMNS:
            raise LabeltoolError(f"has more than {MAX_COLUMNS} columns", file=path, line=number, remedy=_REMEDY)
        require_bounded(path, len(numbers) + count, len(columns | record))
        for name, value in record.items():
            column = columns.setdefault(name, [])
            column += [""] * (len(numbers) - len(column))
            column += _fields(value, count)
        numbers += [number] * count
    if not numbers:
        first = skipped[0].line if skipped else None
        raise LabeltoolError(f"is not {_KIND}", file=path, line=first, remedy=_REMEDY)
    for column in columns.values():
        column += [""] * (len(numbers) - len(column))
    frame = pd.DataFrame({name: np.array(column, object) for name, column in columns.items()})
    return Table(path, frame, np.array(numbers, np.int64), skipped, frozenset(lists))


def _record(line: str) -> dict[str, object] | None:
    try:
        value = parse_json(line)
    except ValueError:
        return None
    return {text_of(name) or "": one for name, one in value.items()} if isinstance(value, dict) else None


def _fields(value: object, count: int) -> list[str]:
    """Return what a record has in a column, for each of its rows."""
    if isinstance(value, list) and len(value) == count:
        return [_text(one) for one in value]
    return [_text(value)] * count


def _text(value: object) -> str:
    """Return a value as a CSV has it; "" for one that is nested."""
    if isinstance(value, bool):
        return str(value).lower()
    return (
        (text_of(value) or "").strip()
        if isinstance(value, str)
        else str(value)
        if isinstance(value, int | float)
        else ""
    )
