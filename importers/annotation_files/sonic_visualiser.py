"""Layers of Sonic Visualiser (`.svl`): XML with points of models, whose times are frames of the model's rate.

A point with a duration is a segment, another one an instant; a box whose unit is Hz has a band. Those without a label
(of curves) are not taken. Source: svcore's `toXml` of https://www.sonicvisualiser.org.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from labeltool.importers.base import quoted
from labeltool.importers.json_file import LabelList
from labeltool.importers.label_rows import ParsedLabels
from labeltool.importers.xml_file import read_xml
from labeltool.records import Note
from labeltool.util.counted import counted


def parse(path: Path, *, encoding: str | None = None) -> ParsedLabels:
    """Read the labelled points of a layer, which belongs to the sound beside it."""
    layer = _Layer()
    read_xml(path, "layer of Sonic Visualiser", "export the layer again", layer.begin)
    labels = LabelList(str(path))
    labels.add(layer.rows)
    if layer.boxes:
        labels.skip(f"{counted(layer.boxes, 'band')} of boxes not taken: their unit is not Hz", Note)
    if layer.unlabelled:
        labels.skip(f"{counted(layer.unlabelled, 'point')} without a label not taken", Note)
    return labels.parsed()


@dataclass(slots=True)
class _Layer:
    """What the elements so far contain; the models by their data sets, and boxes whose bands are not in hertz."""

    rows: list[dict[str, object]] = field(default_factory=list)
    unlabelled: int = 0
    boxes: int = 0
    _models: dict[str, dict[str, str]] = field(default_factory=dict)
    _model: dict[str, str] = field(default_factory=dict)

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """Take an element."""
        if name == "model" and "dataset" in attributes:
            self._models[attributes["dataset"]] = attributes
        elif name == "dataset":
            self._model = self._models.get(attributes.get("id", ""), {})
        elif name == "point" and not attributes.get("label", "").strip():
            self.unlabelled += 1
        elif name == "point":
            rate_hz = _number(self._model, "sampleRate")
            if not 1 <= rate_hz < 1e9:
                raise ValueError(f"a sample rate of {rate_hz:g} is not possible")
            start, frames = _number(attributes, "frame"), _number({"duration": "0"} | attributes, "duration")
            if frames < 0 or max(abs(start), frames) > 1e15 or start % 1 or frames % 1:
                raise ValueError(f"a point at {start:.15g} with {frames:.15g} frames is not possible")
            start_s, end_s = (round(at / rate_hz, 9) for at in (start, start + frames))
            row = {"start_s": start_s, "end_s": end_s, "label": attributes["label"]}
            self.rows.append(row | self._band(attributes))

    def _band(self, attributes: dict[str, str]) -> dict[str, object]:
        """Return the band of a box: from its value, as high as its extent."""
        if self._model.get("subtype") != "box":
            return {}
        if self._model.get("units", "").strip().lower() != "hz":
            self.boxes += 1
            return {}
        low_hz, extent_hz = _number(attributes, "value"), _number(attributes, "extent")
        if low_hz < 0 or extent_hz < 0:
            raise ValueError(f"a box at {low_hz:g} Hz, {extent_hz:g} Hz high, is not possible")
        return {"low_hz": low_hz, "high_hz": round(low_hz + extent_hz, 6)}


def _number(attributes: dict[str, str], name: str) -> float:
    """Return a finite number; ValueError where it is none."""
    text = attributes.get(name, "")
    with suppress(ValueError):
        if "_" not in text and math.isfinite(number := float(text)):
            return number
    raise ValueError(f"{name} is no number: {quoted(text)}" if text else f"there is no {name}")
