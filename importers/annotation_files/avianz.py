"""AviaNZ's annotations (`a.wav.data`): JSON, a list of segments of the sound beside it.

A segment is `[start, end, low, high, [{"species", "certainty", "filter", "calltype"}, ...]]`, in seconds and hertz,
with 0 for both frequencies where it has no band. A certainty below 100 is unsure, "Don't Know" is unsure without a
label. Call types are not taken. Source: https://github.com/smarsland/AviaNZ, Docs/file_format_specification.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from labeltool.errors import LabeltoolError
from labeltool.importers.json_file import LabelList, fields_of, items_of, number_of, read_json, text_of
from labeltool.importers.label_rows import ParsedLabels

_KIND, _REMEDY = "an annotation file of AviaNZ", "open the sound in AviaNZ and save its annotations"
_NOT_KNOWN = "Don't Know"
_OWN = ("Operator", "Reviewer")
_CERTAIN = 100
# Older versions began with [-1, duration, operator, reviewer, -1].
_OLDER_FIELDS = 5


def parse(path: Path, *, encoding: str | None = None) -> ParsedLabels:
    """Read the segments of a file; who annotated and reviewed it is kept."""
    document, notes = read_json(path, _KIND, _REMEDY, encoding)
    if not isinstance(document, list):
        raise LabeltoolError(f"is not {_KIND}", file=path, remedy=_REMEDY)
    labels = LabelList(str(path), notes)
    first = document[0] if document else None
    metadata = fields_of(first)
    if len(older := items_of(first)) == _OLDER_FIELDS and older[0] == -1:
        metadata = dict(zip(_OWN, older[2:], strict=False))
    own = {name: text for name in _OWN if (text := text_of(metadata.get(name)))}
    for number, segment in enumerate(document[1:] if metadata else document, start=1):
        try:
            labels.add({**row, **own} for row in _rows(items_of(segment)))
        except ValueError as error:
            labels.skip(f"segment {number} {error}")
    return labels.parsed()


def _rows(segment: Sequence[object]) -> Iterator[dict[str, object]]:
    """Yield a row for each label of a segment; ValueError where it is none."""
    start_s, end_s, low_hz, high_hz = (number_of(one) for one in [*segment[:4], None, None, None, None][:4])
    if start_s is None or end_s is None or end_s < start_s or len(segment) < 5:
        raise ValueError("must have a start, an end, two frequencies and labels")
    row: dict[str, object] = {"start_s": start_s, "end_s": end_s}
    if high_hz is not None and high_hz > 1:  # in an older format, parts of the whole band
        row |= {"low_hz": low_hz, "high_hz": high_hz}
    if not items_of(segment[4]):
        raise ValueError("has no labels")
    for label in map(fields_of, items_of(segment[4])):
        species, certainty = text_of(label.get("species")), number_of(label.get("certainty"))
        if species is None or certainty is None:
            raise ValueError("has a label without species and certainty, as older versions wrote it")
        is_sure = certainty >= _CERTAIN and species != _NOT_KNOWN
        yield {
            **row,
            "label": "" if species == _NOT_KNOWN else species,
            "value": "present" if is_sure else "unsure",
            "confidence": None if is_sure else certainty / _CERTAIN,
        }
