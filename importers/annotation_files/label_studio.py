"""Label Studio's JSON: its export (`JSON`), the short one (`JSON-MIN`), and the tasks that it takes.

Its exports as CSV and TSV are JSON-MIN too, in the fields of a table.
Source: https://labelstud.io/guide/export and `label_studio_sdk.converter`. Labels are regions of the sound (`labels`)
and choices for a region or the whole sound (`choices`, `taxonomy`); a task without annotations is a recording to label.
What the task has besides its sound is kept as metadata of the recording.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

from labeltool.audio.files import AUDIO_SUFFIXES, SUFFIXES_NOT_READ
from labeltool.errors import LabeltoolError
from labeltool.importers.base import quoted
from labeltool.importers.file_kinds import file_kind
from labeltool.importers.json_file import LabelList, fields_of, items_of, number_of, read_json, text_of
from labeltool.importers.label_rows import LABEL_COLUMNS, ParsedLabels
from labeltool.importers.tables.text import Table, read_table
from labeltool.records import Note, Skipped
from labeltool.util.files.bounded_read import parse_json

_KIND, _REMEDY = "a JSON file of Label Studio", "export the project in Label Studio as JSON"
_WITH_LABELS = ("labels", "choices", "audiopluslabels", "taxonomy")
_WITHOUT_LABEL = ("audio", "audioplus")  # regions that were drawn and not labelled
_PLAIN = "choice or text"  # JSON-MIN gives both as a plain text
_OF_THE_WHOLE = ("choices", "taxonomy", _PLAIN)
_NOT_METADATA = {*LABEL_COLUMNS, "", "id"}
_URL = re.compile(r"[a-z][a-z0-9+.-]+://|/(?:data|storage-data)/", re.IGNORECASE)
_UPLOAD = re.compile(r"(?:^|/)upload/\d+/(?:[0-9a-f]{8}-)?([^/]+)$")
_AFTER_RESULTS = "annotator"  # in JSON-MIN, what follows the labels, which follow `id`
_USUAL_FIELD = "audio"
_MAX_URL, _MAX_CHOICE, _MAX_COLUMNS, _MAX_NAMED = 4096, 200, 50, 3


def parse(path: Path, *, encoding: str | None = None) -> ParsedLabels:
    """Read an export or tasks of Label Studio, refused where no task has a sound; a control's name is the track."""
    kind = file_kind(path)
    if kind is not None and kind.name == "label studio table":
        document, notes = _records(read_table(path, encoding))
    else:
        document, notes = read_json(path, _KIND, _REMEDY, encoding)
    reader = _Tasks(LabelList(str(path), notes))
    for number, task in enumerate(items_of(document) or [document], start=1):
        reader.add(f"task {number}", _as_task(fields_of(task)))
    if not reader.sounds:
        reason = f"is not {_KIND}, or of another medium: {reader.labels.skipped[-1].reason}"
        raise LabeltoolError(reason, file=path, remedy=_REMEDY)
    reader.report()
    return reader.labels.parsed()


def _records(table: Table) -> tuple[object, list[Skipped]]:
    """Return the rows of an export as CSV or TSV as records of JSON-MIN: what is not a plain text is JSON there."""

    def value_of(text: str) -> object:
        with suppress(ValueError):
            return parse_json(text) if text.startswith(("[", "{")) else text
        return text

    records = table.frame.to_dict("records")
    return [{str(name): value_of(str(one)) for name, one in record.items()} for record in records], table.skipped


@dataclass(slots=True)
class _Tasks:
    """The labels of the tasks so far."""

    labels: LabelList
    sounds: int = 0
    _predictions: int = 0
    _other_types: Counter[str] = field(default_factory=Counter)
    _plain: dict[str, None] = field(default_factory=dict)
    _columns: set[str] = field(default_factory=set)

    def add(self, place: str, task: Mapping[str, object]) -> None:
        """Take the labels of a task; without any it is a recording to label."""
        data = fields_of(task.get("data")) or task
        try:
            sound_field, sound = _sound_of(data)
        except ValueError as error:
            self.labels.skip(f"{place} {error}")
            return
        self.sounds += 1
        common = {**self._metadata(data, sound_field), "recording": sound}
        self._predictions += sum(
            len(items_of(fields_of(one).get("result"))) for one in items_of(task.get("predictions"))
        )
        count = len(self.labels.rows)
        for annotation in map(fields_of, items_of(task.get("annotations") or task.get("completions"))):
            if annotation.get("was_cancelled") or annotation.get("skipped"):
                self.labels.skip(f"{place} was skipped by an annotator")
                continue
            for result in map(fields_of, items_of(annotation.get("result"))):
                self._add_region(place, result, common)
        if len(self.labels.rows) == count:
            self.labels.add([common])

    def _add_region(self, place: str, result: Mapping[str, object], common: Mapping[str, object]) -> None:
        kind, value = text_of(result.get("type")) or "", fields_of(result.get("value"))
        labels = _labels(kind, value)
        if labels is None:
            self._other_types[kind] += 1
            return
        times = [number_of(value.get(name)) for name in ("start", "end")]
        known = sorted(time_s for time_s in times if time_s is not None)
        if "text" in value or len(known) == 1 or (not known and kind not in _OF_THE_WHOLE):
            self.labels.skip(f"{place}: a region of the type {quoted(kind)} has no times in the sound")
            return
        span = dict(zip(("start_s", "end_s"), known, strict=False))
        track = text_of(result.get("from_name"))
        self._plain |= {track or "": None} if kind == _PLAIN else {}
        self.labels.add({**common, **span, "label": label, "track": track} for label in labels)

    def _metadata(self, data: Mapping[str, object], sound_field: str) -> dict[str, object]:
        """Return the values of a task besides its sound; of a file with hundreds of names, those of the first."""
        own: dict[str, object] = {}
        for key, value in data.items():
            name = text_of(key) or ""
            if key == sound_field or name in _NOT_METADATA or not isinstance(value, str | int | float):
                continue
            if len(self._columns | {name}) <= _MAX_COLUMNS:
                self._columns.add(name)
                own[name] = text_of(value) if isinstance(value, str) else str(value)
        return own

    def report(self) -> None:
        """Report what was not taken of the whole file."""
        for kind, count in self._other_types.items():
            self.labels.skip(f"regions of the type {quoted(kind)} have no labels: {count} not taken")
        for track in self._plain:
            reason = f"{quoted(track)} is taken as labels: where it is a text, export as JSON, not JSON-MIN"
            self.labels.skip(reason, Note)
        if self._predictions:
            self.labels.skip(f"{self._predictions} predictions of a model are not taken", Note)


def _labels(kind: str, value: Mapping[str, object]) -> list[str] | None:
    """Return the labels of a region, "" where it has none; None where it is something else, such as a transcript."""
    if kind not in (*_WITH_LABELS, *_WITHOUT_LABEL, _PLAIN):
        return None
    # A choice in a taxonomy is the path to it.
    names = [one[-1] if isinstance(one, list) and one else one for one in items_of(value.get(kind))]
    return [name for one in names if (name := text_of(one))] or [""]


def _as_task(record: Mapping[str, object]) -> Mapping[str, object]:
    """Return a record of JSON-MIN, where the labels are what stands between `id` and `annotator`, as a task."""
    if "annotation_id" not in record or isinstance(record.get("data"), dict):
        return record
    names = list(record)
    first = names.index("id") + 1 if "id" in names else 0
    last = names.index(_AFTER_RESULTS) if _AFTER_RESULTS in names else len(names)
    results: list[object] = []
    for name in names[first:last]:
        value = record[name]
        for one in items_of(value) or [value]:
            region = {_PLAIN: [one]} if isinstance(one, str) and len(one) <= _MAX_CHOICE else fields_of(one)
            kind = next((kind for kind in (*_WITH_LABELS, *_WITHOUT_LABEL, _PLAIN) if kind in region), "text")
            results.append({"from_name": name, "type": kind, "value": region})
    return {"data": {name: record[name] for name in names[: first or last]}, "annotations": [{"result": results}]}


def _sound_of(data: Mapping[str, object]) -> tuple[str, str]:
    """Return the field of the sound, and its name or path; a ValueError where there is none, or several."""
    sounds = {key: sound for key, value in data.items() if (sound := _sound_name(value)) is not None}
    urls = {key: sound for key, sound in sounds.items() if _URL.match(str(data[key]))}
    usual = {key: sound for key, sound in sounds.items() if key == _USUAL_FIELD}
    for some in (urls, usual, sounds):
        if len({PurePosixPath(sound).name for sound in some.values()}) == 1:
            return next(iter(some.items()))
    if sounds:
        raise ValueError(f"names several sound files: {', '.join(map(quoted, islice(sounds.values(), _MAX_NAMED)))}")
    raise ValueError("names no sound file")


def _sound_name(value: object) -> str | None:
    """Return the name or path of a sound file by its URL: without its host, and what an upload puts before it."""
    url = text_of(value)
    if url is None or len(url) > _MAX_URL:
        return None
    name = url
    if _URL.match(url):
        try:
            parts = urlsplit(url)
            query = parse_qs(parts.query, max_num_fields=_MAX_COLUMNS)
        except ValueError:
            return None
        name = next((query[key][-1] for key in ("d", "filepath") if key in query), unquote(parts.path)).lstrip("/")
    if (uploaded := _UPLOAD.search(name)) is not None:
        name = uploaded[1]
    return name if PurePosixPath(name).suffix.lower() in AUDIO_SUFFIXES | SUFFIXES_NOT_READ else None
