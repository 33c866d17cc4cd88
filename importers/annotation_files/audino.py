"""Annotations of audino as its button exports them: JSON, a list of sounds with segmentations.

The label of a segmentation is the value that was chosen; what was chosen of is the track. Transcriptions are not taken.
Source: `get_project_annotations` in backend/routes/projects.py of https://github.com/midas-research/audino.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from labeltool.errors import LabeltoolError
from labeltool.importers.json_file import LabelList, fields_of, items_of, number_of, read_json, text_of
from labeltool.importers.label_rows import ParsedLabels
from labeltool.records import Note
from labeltool.util.counted import counted

_KIND, _REMEDY = "an export of audino", "export the annotations of the project again"


def parse(path: Path, *, encoding: str | None = None) -> ParsedLabels:
    """Read the segmentations of all sounds, called as before they were uploaded where that was not done repeatedly."""
    document, notes = read_json(path, _KIND, _REMEDY, encoding)
    sounds = items_of(fields_of(document).get("annotations")) or items_of(document)
    if not any(isinstance(fields_of(sound).get("segmentations"), list) for sound in sounds):
        raise LabeltoolError(f"is not {_KIND}: no sound has segmentations", file=path, remedy=_REMEDY)
    labels = LabelList(str(path), notes)
    transcriptions = 0
    uploads: dict[object, set[object]] = {}
    for sound in map(fields_of, sounds):
        uploads.setdefault(text_of(sound.get("original_filename")), set()).add(text_of(sound.get("filename")))
    several = {name for name, files in uploads.items() if name and len(files) > 1}
    for upload in sorted(map(str, several)):
        reason = f"{upload} was uploaded {len(uploads[upload])} times: looked for under the names that audino gave"
        labels.skip(reason, Note)
    for sound in map(fields_of, sounds):
        name, own = text_of(sound.get("original_filename")), text_of(sound.get("filename"))
        if name in several and not own:
            labels.skip(f"a sound called {name}, as others are, has no filename")
            continue
        name = own if name in several or not name else name
        for segmentation in map(fields_of, items_of(sound.get("segmentations"))):
            transcriptions += bool(segmentation.get("transcription"))
            try:
                labels.add({"recording": name, **row} for row in _rows(segmentation))
            except ValueError as error:
                labels.skip(f"a segmentation of {name} {error}")
    if transcriptions:
        labels.skip(f"{counted(transcriptions, 'transcription')} not taken", Note)
    return labels.parsed()


def _rows(segmentation: Mapping[str, object]) -> Iterator[dict[str, object]]:
    start_s, end_s = (number_of(segmentation.get(name)) for name in ("start_time", "end_time"))
    if start_s is None or end_s is None or end_s < start_s:
        raise ValueError("must have a start and an end")
    row: dict[str, object] = {"start_s": start_s, "end_s": end_s}
    chosen = [
        {**row, "label": label, "track": text_of(track)}
        for track, one in fields_of(segmentation.get("annotations")).items()
        for value in items_of(fields_of(one).get("values")) or [fields_of(one).get("values")]
        if (label := text_of(fields_of(value).get("value")))
    ]
    yield from chosen or [row]
