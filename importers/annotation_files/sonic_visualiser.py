"""Layers of Sonic Visualiser (`.svl`): XML with points of models, whose times are frames of the model's rate.

A point with a duration is a segment, another one an instant; those without a label (of curves) are not taken. Source:
svcore's `toXml` of https://www.sonicvisualiser.org.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

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
    if layer.unlabelled:
        labels.skip(f"{counted(layer.unlabelled, 'point')} without a label not taken", Note)
    return labels.parsed()


@dataclass(slots=True)
class _Layer:
    """What the elements so far contain; the rates of models by their data sets, hertz."""

    rows: list[dict[str, object]] = field(default_factory=list)
    unlabelled: int = 0
    _rates_hz: dict[str, float] = field(default_factory=dict)
    _rate_hz: float = 0.0

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """Take an element."""
        if name == "model" and "dataset" in attributes:
            self._rates_hz[attributes["dataset"]] = float(attributes["sampleRate"])
        elif name == "dataset":
            self._rate_hz = self._rates_hz[attributes["id"]]
        elif name == "point" and not attributes.get("label", "").strip():
            self.unlabelled += 1
        elif name == "point":
            if not 1 <= self._rate_hz < 1e9:
                raise ValueError(f"a sample rate of {self._rate_hz:g} is not possible")
            start, frames = int(attributes["frame"]), int(attributes.get("duration", 0))
            if frames < 0 or max(abs(start), frames) > 1e15:
                raise ValueError(f"a point at {start} with {frames} frames is not possible")
            start_s, end_s = (round(at / self._rate_hz, 9) for at in (start, start + frames))
            self.rows.append({"start_s": start_s, "end_s": end_s, "label": attributes["label"]})
