"""Records of recordings that need no file, and a filter by kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labeltool.records import Clip, Imported, Recording, Verdict


def records_of(name: str, *labels: str, group: str | None = None, fold: int | None = None) -> list[Imported]:
    """Return the records of a recording of one second and its labelled clip; its hash is made of `name`."""
    recording = Recording(f"/sounds/{name}.wav", name * 4, 16_000, 1, 16_000, group or name)
    clip = Clip(recording.sha256, 0.0, 1.0, fold)
    return [recording, clip, *(Verdict(clip, label) for label in labels)]


def of_kind(records: Sequence[object], kind: type) -> list[Any]:
    return [record for record in records if isinstance(record, kind)]
