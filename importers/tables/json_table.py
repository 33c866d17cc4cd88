"""Tables as JSON: an object a line, such as `metadata.jsonl` of a Hugging Face AudioFolder, or a list of objects.

Source: https://huggingface.co/docs/datasets/audio_dataset. A record whose label is a list has a row for each of them;
lists of the same length, such as starts and ends, go with them. One with a list of objects that have labels, such as
the `audio_spans` of Prodigy, has a row for each of these. A document may also have records by the names of sounds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from labeltool.audio.files import AUDIO_SUFFIXES
from labeltool.errors import LabeltoolError
from labeltool.importers.audacity.label_track import LINE_END
from labeltool.importers.base import quoted, read_text
from labeltool.importers.json_file import fields_of, items_of, read_json, text_of
from labeltool.importers.tables.profiles import ALIASES, folded
from labeltool.importers.tables.text import MAX_COLUMNS, Table, are_labels, require_bounded
from labeltool.records import Skipped
from labeltool.util.files.bounded_read import parse_json

_KIND, _REMEDY = "a table as JSON Lines", "give one JSON object a line, with a file_name and a label"
_LIST_KIND, _LIST_REMEDY = "a table as JSON", "give a list of objects, each with a file_name and a label"
_SUFFIXES = tuple(AUDIO_SUFFIXES)
_KEY = re.compile(r'"([^"\\\n]{1,200})"\s*+:')


def looks_like_labels(text: str) -> bool:
    """Return whether the beginning of a JSON document has labels, and the names or times of sounds."""
    names = set(_KEY.findall(text))
    return any(map(_is_sound, names)) or are_labels(names, needs_label=True)


def read(path: Path, encoding: str | None = None, *, is_lines: bool = True) -> Table:
    """Read a table; what a record lacks, and objects in it, are "".

    Raises
    ------
    LabeltoolError
        When it cannot be read as text, has too many columns or rows, or none of its lines is an object.
    """
    import numpy as np
    import pandas as pd

    if is_lines:
        text, skipped = read_text(path, _KIND, _REMEDY, encoding)
        records: Iterator[tuple[int | None, _Record]] = _records_of_lines(path, text, skipped)
    else:
        document, skipped = read_json(path, _LIST_KIND, _LIST_REMEDY, encoding)
        records = ((None, record) for record in _records_of(path, document, skipped))
    numbers: list[int | None] = []
    columns: dict[str, list[str]] = {}
    lists: set[str] = set()
    for number, record in records:
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
        kind, remedy = (_KIND, _REMEDY) if is_lines else (_LIST_KIND, _LIST_REMEDY)
        why = f": {skipped[0].reason}" if skipped else ""
        raise LabeltoolError(f"is not {kind}{why}", file=path, line=first, remedy=remedy)
    for column in columns.values():
        column += [""] * (len(numbers) - len(column))
    frame = pd.DataFrame({name: np.array(column, object) for name, column in columns.items()})
    return Table(path, frame, np.array(numbers, np.int64) if is_lines else None, skipped, frozenset(lists))


_Record = dict[str, object]


def _records_of_lines(path: Path, text: str, skipped: list[Skipped]) -> Iterator[tuple[int | None, _Record]]:
    for number, line in enumerate(LINE_END.split(text), start=1):
        if not line.strip():
            continue
        try:
            value = parse_json(line)
        except ValueError:
            value = None
        if isinstance(value, dict):
            yield from ((number, record) for record in _parts(_named(value), path, number, skipped))
        else:
            skipped.append(Skipped(str(path), number, f"is no JSON object: {quoted(line)}"))


def _records_of(path: Path, document: object, skipped: list[Skipped]) -> Iterator[_Record]:
    """Yield the records of a document: a list of them, or an object with a list, or with one for each sound."""
    fields = fields_of(document)
    if fields and all(map(_is_sound, fields)):
        for name, value in fields.items():
            for one in items_of(value) or [value]:
                label = {"label": one} if isinstance(one, str | int) else {}
                yield {"file": text_of(name), **(_named(one) or label)}
    elif (columns := [fields_of(one) for one in fields.values()]) and all(columns) and len({*map(len, columns)}) == 1:
        for number in columns[0]:  # as pandas writes a table: by columns, then by rows
            yield {text_of(name) or "": one.get(number) for name, one in zip(fields, columns, strict=True)}
    elif fields:
        yield from _parts(_named(fields), path, None, skipped, needs_label=False)
    for one in items_of(document):
        if isinstance(one, dict):
            yield from _parts(_named(one), path, None, skipped)


def _named(record: object) -> _Record:
    return {text_of(name) or "": one for name, one in fields_of(record).items()}


def _parts(
    record: _Record, path: Path, line: int | None, skipped: list[Skipped], *, needs_label: bool = True
) -> Iterator[_Record]:
    """Yield an object for each in the list of objects with labels that a record has, with its other fields, or it.

    A record with several such lists is skipped.
    """
    lists = {name: value for name, value in record.items() if items_of(value) and isinstance(items_of(value)[0], dict)}
    labelled = {name: value for name, value in lists.items() if _has_label(items_of(value)[0])}
    if len(labelled) > 1:
        reason = f"not taken: labels are in several of its lists ({', '.join(map(quoted, labelled))})"
        skipped.append(Skipped(str(path), line, reason))
        return
    inner = labelled if needs_label else lists
    if len(inner) != 1:
        yield record
        return
    rest = {name: value for name, value in record.items() if name not in lists}
    for one in items_of(*inner.values()):
        yield {**rest, **_named(one)}


def _has_label(record: object) -> bool:
    return any(folded(text_of(name) or "") in ALIASES["label"] for name in fields_of(record))


def _is_sound(name: str) -> bool:
    return name.lower().endswith(_SUFFIXES)


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
