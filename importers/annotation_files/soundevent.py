"""AOEF, the JSON of the package `soundevent` and of Whombat: annotations of recordings by clips and sound events.

Source: `soundevent.io.aoef` 2.10, which refuses a whole file for one value that it does not know, and needs pydantic. A
tag is a label, its key the track; of a geometry its bounds in time and frequency are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from labeltool.errors import LabeltoolError
from labeltool.importers.json_file import LabelList, fields_of, items_of, number_of, read_json, text_of
from labeltool.importers.label_rows import ParsedLabels
from labeltool.records import Note

_KIND, _REMEDY = "an AOEF file of soundevent", "export annotations as AOEF"
_PREDICTIONS = ("clip_predictions", "sound_event_predictions")
_METADATA = ("date", "latitude", "longitude")

Fields = Mapping[str, object]


def parse(path: Path, *, encoding: str | None = None) -> ParsedLabels:
    """Read an annotation set or project, or a data set, whose recordings have no labels."""
    document, notes = read_json(path, _KIND, _REMEDY, encoding)
    data = fields_of(fields_of(document).get("data"))
    recordings = {key: _recording(one) for key, one in _by_id(data, "recordings").items() if text_of(one.get("path"))}
    if not recordings:
        raise LabeltoolError(f"is not {_KIND}: it has no recordings", file=path, remedy=_REMEDY)
    tags = _by_id(data, "tags", "id")
    labels = LabelList(str(path), notes)
    for number, (part, annotation, bounds) in enumerate(_annotations(data), start=1):
        recording = recordings.get(_key(part.get("recording")))
        if recording is None or bounds is None:
            labels.skip(f"annotation {number} has no recording, or no times")
            continue
        names = (_name(tags.get(_key(one), {})) for one in items_of(annotation.get("tags")) or [None])
        labels.add({**recording, **bounds, **name} for name in names)
    with_rows = {row["recording"] for row in labels.rows}
    labels.add(row for row in recordings.values() if row["recording"] not in with_rows)
    if predictions := sum(len(items_of(data.get(name))) for name in _PREDICTIONS):
        labels.skip(f"{predictions} predictions of a model are not taken", Note)
    return labels.parsed()


def _name(tag: Fields) -> dict[str, str | None]:
    return {"label": text_of(tag.get("value")), "track": text_of(tag.get("key"))}


def _annotations(data: Fields) -> Iterator[tuple[Fields, Fields, dict[str, float] | None]]:
    """Yield what is annotated (a sound event or a clip), its annotation, and its bounds, None without times."""
    events, clips = _by_id(data, "sound_events"), _by_id(data, "clips")
    for annotation in map(fields_of, items_of(data.get("sound_event_annotations"))):
        event = events.get(_key(annotation.get("sound_event")), {})
        yield event, annotation, _bounds(fields_of(event.get("geometry")))
    for annotation in map(fields_of, items_of(data.get("clip_annotations"))):
        if annotation.get("tags"):
            clip = clips.get(_key(annotation.get("clip")), {})
            times = [number_of(clip.get(name)) for name in ("start_time", "end_time")]
            known = sorted(time_s for time_s in times if time_s is not None)
            yield clip, annotation, dict(zip(("start_s", "end_s"), known, strict=True)) if len(known) == 2 else None


def _bounds(geometry: Fields) -> dict[str, float] | None:
    """Return the bounds of a geometry: of one number or two, times; else of pairs of a time and a frequency."""
    numbers = list(_numbers(geometry.get("coordinates"), 4))
    times, frequencies = numbers[::2], numbers[1::2]
    if geometry.get("type") in ("TimeStamp", "TimeInterval"):
        times, frequencies = numbers, []
    if not times:
        return None
    bounds = {"start_s": min(times), "end_s": max(times)}
    return bounds | ({"low_hz": min(frequencies), "high_hz": max(frequencies)} if frequencies else {})


def _numbers(value: object, depth: int) -> Iterator[float]:
    number = number_of(value)
    if number is not None:
        yield number
    for one in items_of(value) if depth else ():
        yield from _numbers(one, depth - 1)


def _recording(recording: Fields) -> dict[str, object]:
    values = [(name, recording.get(name)) for name in _METADATA]
    own = {name: text_of(str(value)) for name, value in values if isinstance(value, str | int | float)}
    return {"recording": text_of(recording["path"]), "licence": text_of(recording.get("rights")), **own}


def _by_id(data: Fields, name: str, id_name: str = "uuid") -> dict[str, Fields]:
    return {_key(row.get(id_name)): row for row in map(fields_of, items_of(data.get(name)))}


def _key(value: object) -> str:
    return str(value) if isinstance(value, str | int) else ""
