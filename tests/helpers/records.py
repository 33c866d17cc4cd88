"""Records: of recordings that need no file, of a format's files, one by one, and of a kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from labeltool.importers.label_rows import ParsedLabels
from labeltool.importers.registry import FORMATS
from labeltool.records import Clip, Imported, Recording, Value, Verdict, VerdictTable


def records_of(name: str, *labels: str, group: str | None = None, fold: int | None = None) -> list[Imported]:
    """Return the records of a recording of one second and its labelled clip; its hash is made of `name`."""
    recording = Recording(f"/sounds/{name}.wav", name * 4, 16_000, 1, 16_000, group or name)
    clip = Clip(recording.sha256, 0.0, 1.0, fold)
    return [recording, clip, *(Verdict(clip, label) for label in labels)]


def read_audacity(files: Sequence[Path], audio: Path | None = None, *, checked: bool = False) -> Iterator[Imported]:
    """Read label files of Audacity and their recordings, as `labeltool import` does."""
    return FORMATS["audacity"].read(files, audio=audio, checked=checked)


def read_esc50(directory: Path, subset: str | None = None) -> Iterator[Imported]:
    """Read ESC-50 or a part of it, as `labeltool import` does."""
    return FORMATS["esc50"].read([directory], subset=subset)


def read_urbansound8k(directory: Path) -> Iterator[Imported]:
    """Read UrbanSound8K, as `labeltool import` does."""
    return FORMATS["urbansound8k"].read([directory])


def one_by_one(records: Iterable[Imported]) -> Iterator[Imported]:
    """Yield records, each clip and verdict of a table by itself."""
    for record in records:
        yield from _rows(record) if isinstance(record, VerdictTable) else (record,)


def _rows(table: VerdictTable) -> Iterator[Clip | Verdict]:
    """Yield the rows of a table one by one: each clip before its first verdict, once."""
    clips: dict[Clip, Clip] = {}
    rows: Iterator[Any] = table.rows.astype(object).where(table.rows.notna(), None).itertuples(index=False)
    for row in rows:
        made = Clip(row.recording_sha256, row.start_us / 1_000_000, row.end_us / 1_000_000, row.fold)
        clip = clips.setdefault(made, made)
        if clip is made:
            yield clip
        if row.label is not None:
            bounds = (row.start_s, row.end_s, row.low_hz, row.high_hz, row.confidence)
            yield Verdict(clip, row.label, Value(row.value), *bounds, row.track, row.file, row.line)


def of_kind(records: Iterable[Any], kind: type) -> list[Any]:
    """Return the records of a kind, also those in tables; a clip of several tables once."""
    found = [record for record in one_by_one(records) if isinstance(record, kind)]
    return list(dict.fromkeys(found)) if kind is Clip else found


def rows_of(parsed: ParsedLabels) -> list[Any]:
    """Return the rows of a label file, None where a value is not known."""
    return list(parsed.rows.astype(object).where(parsed.rows.notna(), None).itertuples(index=False))
