"""Segments of VGG's annotator VIA 3: a project (JSON), or one of its two exports (CSV below lines with #).

A segment has a value for each attribute of the project, which are labels; the attribute is the track. A value is a text
or the number of an option. Parts of pictures are not taken. Source: `_via_import_export.js` of
https://gitlab.com/vgg/via, version 3.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from labeltool.errors import LabeltoolError
from labeltool.importers.base import read_text
from labeltool.importers.json_file import LabelList, fields_of, items_of, number_of, read_json, text_of
from labeltool.importers.label_rows import ParsedLabels
from labeltool.records import Note
from labeltool.util.files.bounded_read import parse_json

_KIND, _REMEDY = "a project or an export of VIA 3", "export the project again"
_HEADER, _ATTRIBUTES = re.compile(r"# CSV_HEADER = ([^\r\n]*)"), re.compile(r"# ATTRIBUTES? = ([^\r\n]*)")
_CHECKBOX = 2
_NO_LABEL = "_DEFAULT"


def parse(path: Path, *, encoding: str | None = None) -> ParsedLabels:
    """Read the segments of a project or an export."""
    text, notes = read_text(path, _KIND, _REMEDY, encoding)
    labels = LabelList(str(path), notes)
    if text.lstrip().startswith("{"):
        project = fields_of(read_json(path, _KIND, _REMEDY, encoding)[0])
        segments, attributes = _of_project(project), fields_of(project.get("attribute"))
    else:
        header, found = _HEADER.search(text), _ATTRIBUTES.search(text)
        if header is None:
            raise LabeltoolError(f"is not {_KIND}: it has no line with CSV_HEADER", file=path, remedy=_REMEDY)
        attributes = fields_of(_json(found[1]) if found else None)
        segments = _of_export(path, text, [name.strip() for name in header[1].split(",")])
    for number, segment in enumerate(segments, start=1):
        try:
            labels.add(_rows(segment, attributes))
        except ValueError as error:
            labels.skip(f"segment {number} {error}")
    has_options = any(fields_of(one).get("options") for one in attributes.values())
    if labels.rows and not has_options and all(str(row.get("label")).isdecimal() for row in labels.rows):
        labels.skip("its labels are numbers of options, whose names are in the project", Note)
    return labels.parsed()


_Segment = tuple[object, object, Mapping[str, object]]


def _of_project(project: Mapping[str, object]) -> Iterator[_Segment]:
    """Yield the file, the times and the values of each segment."""
    files, views = fields_of(project.get("file")), fields_of(project.get("view"))
    for one in map(fields_of, fields_of(project.get("metadata")).values()):
        numbers = items_of(fields_of(views.get(str(one.get("vid")))).get("fid_list"))
        file = fields_of(files.get(str(numbers[0]))) if numbers else {}
        yield text_of(file.get("fname")) or file.get("src"), one.get("z"), fields_of(one.get("av"))


def _of_export(path: Path, text: str, header: list[str]) -> Iterator[_Segment]:
    lines = [line if not line.startswith("#") else "" for line in text.splitlines()]
    try:
        for fields in csv.reader(lines, strict=True):
            row = dict(zip(header, fields, strict=False))
            if row:
                times = [_json(row.get(f"temporal_segment_{name}", "")) for name in ("start", "end")]
                files, values = items_of(_json(row.get("file_list", ""))), fields_of(_json(row.get("metadata", "")))
                yield files[0] if files else None, _json(row.get("temporal_coordinates", "")) or times, values
    except csv.Error as error:
        raise LabeltoolError(f"cannot be read as CSV: {error}", file=path, remedy=_REMEDY) from error


def _json(text: str) -> object:
    try:
        return parse_json(text)
    except ValueError:
        return None


def _rows(segment: _Segment, attributes: Mapping[str, object]) -> Iterator[dict[str, object]]:
    """Yield a row for each value of a segment; ValueError where it has no times."""
    file, coordinates, values = segment
    times = [time_s for one in items_of(coordinates) if (time_s := number_of(one)) is not None]
    if not times or times[-1] < times[0]:
        raise ValueError("has no times")
    row: dict[str, object] = {"recording": text_of(file), "start_s": times[0], "end_s": times[-1]}
    for number, value in values.items():
        named = attributes.get(str(number))  # a text is the name, as early exports wrote it
        attribute = {"aname": named} if isinstance(named, str) else fields_of(named)
        options, text = fields_of(attribute.get("options")), text_of(value) or ""
        chosen = [one for one in text.split(",") if one] or [""] if attribute.get("type") == _CHECKBOX else [text]
        track = text_of(attribute.get("aname")) or str(number)
        for one in chosen:
            name = text_of(options.get(one)) or one
            yield {**row, "label": "" if name == _NO_LABEL else name, "track": track}
    if not values:
        yield row
