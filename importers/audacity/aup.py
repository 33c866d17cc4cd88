"""The labels in an Audacity 1 or 2 project (`.aup`), which is an XML file."""

from __future__ import annotations

from pathlib import Path

from labeltool.importers.audacity.aup3 import MAX_LABELS, label_of
from labeltool.importers.audacity.label_track import LabelRow
from labeltool.importers.xml_file import read_xml


def read_project(path: Path) -> list[LabelRow]:
    """Read the labels of a project."""
    labels: list[LabelRow] = []
    track = ""

    def begin(name: str, attributes: dict[str, str]) -> None:
        nonlocal track
        if name == "labeltrack":
            track = attributes.get("name", "")
        elif name == "label":
            labels.append(label_of(track, attributes))
            if len(labels) > MAX_LABELS:
                raise ValueError(f"it has more than {MAX_LABELS} labels")

    read_xml(path, "Audacity project", "open it in Audacity and export its labels", begin)
    return labels
