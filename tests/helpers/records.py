"""Records of recordings that need no file, and a filter by kind."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from labeltool.importers.label_rows import ParsedLabels
from labeltool.records import Clip, Imported, Recording, Verdict, one_by_one


def records_of(name: str, *labels: str, group: str | None = None, fold: int | None = None) -> list[Imported]:
    """Return the records of a recording of one second and its labelled clip; its hash is made of `name`."""
    recording = Recording(f"/sounds/{name}.wav", name * 4, 16_000, 1, 16_000, group or name)
    clip = Clip(recording.sha256, 0.0, 1.0, fold)
    return [recording, clip, *(Verdict(clip, label) for label in labels)]


def of_kind(records: Iterable[Any], kind: type) -> list[Any]:
    """Return the records of a kind, also those in tables; a clip of several tables once."""
    found = [record for record in one_by_one(records) if isinstance(record, kind)]
    return list(dict.fromkeys(found)) if kind is Clip else found


def rows_of(parsed: ParsedLabels) -> list[Any]:
    """Return the rows of a label file, None where a value is not known."""
    return list(parsed.rows.astype(object).where(parsed.rows.notna(), None).itertuples(index=False))
