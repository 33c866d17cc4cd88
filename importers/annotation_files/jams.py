"""JAMS, the annotation format of music research and of scaper's soundscapes: JSON with annotations of many kinds.

Taken are annotations of the namespaces whose values are labels: a text (`tag_open`, `segment_open`, ...) or an object
with a `label` (`scaper`, `sound_event`, `multi_segment`). Source: https://jams.readthedocs.io/en/stable/jams_structure.html.
The package `jams` loads librosa for it, and refuses the whole file for one value that its schemas do not know.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from labeltool.errors import LabeltoolError
from labeltool.importers.base import quoted
from labeltool.importers.json_file import LabelList, fields_of, items_of, number_of, read_json, text_of
from labeltool.importers.label_rows import ParsedLabels

_KIND, _REMEDY = "a JAMS file", "give a JAMS file with annotations"
_METADATA = ("title", "artist", "release")
_FIELDS = ("time", "duration", "value", "confidence")


def parse(path: Path, *, encoding: str | None = None) -> ParsedLabels:
    """Read a JAMS file, which belongs to the sound beside it; the namespace of an annotation is the track."""
    document, notes = read_json(path, _KIND, _REMEDY, encoding)
    fields = fields_of(document)
    if not isinstance(fields.get("annotations"), list):
        raise LabeltoolError(f"is not {_KIND}: it has no list of annotations", file=path, remedy=_REMEDY)
    metadata = fields_of(fields.get("file_metadata"))
    own = {name: value for name in _METADATA if (value := text_of(metadata.get(name)))}
    labels = LabelList(str(path), notes)
    for number, annotation in enumerate(map(fields_of, items_of(fields["annotations"])), start=1):
        namespace, data = text_of(annotation.get("namespace")) or "", annotation.get("data")
        place = f"annotation {number} ({quoted(namespace)})"
        if not any(_label(one) for one in _observations(data)):
            count = sum(1 for _ in _observations(data))
            labels.skip(f"{place} has no labels: {count} values are not taken")
            continue
        for index, observation in enumerate(_observations(data), start=1):
            try:
                labels.add([{**_row(observation, namespace), "track": namespace or None, **own}])
            except ValueError as error:
                labels.skip(f"{place}, observation {index} {error}")
    return labels.parsed()


def _observations(data: object) -> Iterator[Mapping[str, object]]:
    """Yield the observations, of which a dense namespace has one list a field."""
    if isinstance(data, dict):
        columns = {name: items_of(data[name]) for name in _FIELDS if name in data}
        yield from (dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=False))
    else:
        yield from map(fields_of, items_of(data))


def _label(observation: Mapping[str, object]) -> str | None:
    value = observation.get("value")
    return text_of(fields_of(value).get("label") if isinstance(value, dict) else value)


def _row(observation: Mapping[str, object], namespace: str) -> dict[str, object]:
    label = _label(observation)
    if not label:
        raise ValueError("has no label")
    start_s, duration_s = (number_of(observation.get(name)) for name in ("time", "duration"))
    if start_s is None or duration_s is None or duration_s < 0:
        raise ValueError(f"must have a time and a duration: {quoted(label)}")
    row: dict[str, object] = {"label": label, "confidence": number_of(observation.get("confidence"))}
    if start_s == duration_s == 0 and namespace.startswith("tag_"):  # as some programs write a tag of the whole file
        return row
    return {**row, "start_s": start_s, "end_s": round(start_s + duration_s, 9)}
