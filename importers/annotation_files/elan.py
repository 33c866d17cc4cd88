"""Annotations of ELAN (`.eaf`): XML with tiers of annotations that have times, or refer to one that has.

Source: the schema EAF 3.0 (https://www.mpi.nl/tools/elan/EAF_Annotation_Format_3.0_and_ELAN.pdf).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from labeltool.audio.files import AUDIO_SUFFIXES
from labeltool.importers.base import quoted
from labeltool.importers.label_rows import ParsedLabels, label_rows
from labeltool.importers.xml_file import read_xml
from labeltool.records import Skipped

_MAX_ANNOTATIONS = 500_000
# Tiers are nested by hand: a chain as long as the file would be walked from each of its annotations.
_MAX_DEPTH = 50


def parse(path: Path, *, encoding: str | None = None) -> ParsedLabels:
    """Read the annotations of a file: a tier is a track, an empty annotation a label without a name."""
    document = _Document()
    read_xml(path, "annotation file of ELAN", "open it in ELAN and save it", document.begin, document.text)
    sound = document.sounds[0] if len(document.sounds) == 1 else None
    rows: list[dict[str, object]] = []
    skipped: list[Skipped] = []
    for one in document.annotations.values():
        times = document.times_of(one)
        label = "".join(one.text).strip()
        if len(times) < 2:
            skipped.append(
                Skipped(str(path), None, f"the annotation {quoted(label)} in {quoted(one.tier)} has no times")
            )
            continue
        rows.append({"recording": sound, "start_s": min(times), "end_s": max(times), "label": label, "track": one.tier})
    return ParsedLabels(label_rows(rows), skipped)


@dataclass(frozen=True, slots=True)
class _Annotation:
    tier: str
    attributes: dict[str, str]
    text: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Document:
    """What the elements so far contain: annotations by their ids, times in seconds by those of their slots."""

    annotations: dict[str, _Annotation] = field(default_factory=dict)
    sounds: list[str] = field(default_factory=list)
    _slots: dict[str, float] = field(default_factory=dict)
    _tier: str = ""
    _text: list[str] = field(default_factory=list)

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """Take an element."""
        self._text = []
        if name == "TIER":
            self._tier = attributes["TIER_ID"]
        elif name == "TIME_SLOT" and "TIME_VALUE" in attributes:
            self._slots[attributes["TIME_SLOT_ID"]] = int(attributes["TIME_VALUE"]) / 1000
        elif name in ("ALIGNABLE_ANNOTATION", "REF_ANNOTATION"):
            self.annotations[attributes["ANNOTATION_ID"]] = _Annotation(self._tier, attributes)
            if len(self.annotations) > _MAX_ANNOTATIONS:
                raise ValueError(f"it has more than {_MAX_ANNOTATIONS} annotations")
        elif name == "ANNOTATION_VALUE" and self.annotations:
            self._text = next(reversed(self.annotations.values())).text
        elif name == "MEDIA_DESCRIPTOR":
            url = unquote(attributes.get("RELATIVE_MEDIA_URL") or attributes["MEDIA_URL"])
            self.sounds += [url] if Path(url).suffix.lower() in AUDIO_SUFFIXES else []

    def text(self, piece: str) -> None:
        """Take the text of the element that began last."""
        self._text.append(piece)

    def times_of(self, annotation: _Annotation) -> list[float]:
        """Return the start and the end, seconds, of an annotation or of the one that it refers to."""
        one: _Annotation | None = annotation
        for _ in range(_MAX_DEPTH):
            if one is None or "ANNOTATION_REF" not in one.attributes:
                break
            one = self.annotations.get(one.attributes["ANNOTATION_REF"])
        slots = [] if one is None else [one.attributes.get(f"TIME_SLOT_REF{number}", "") for number in (1, 2)]
        return [self._slots[slot] for slot in slots if slot in self._slots]
