"""The labels in an Audacity 1 or 2 project (`.aup`), which is an XML file."""

from __future__ import annotations

from pathlib import Path

from labeltool.importers.audacity.aup3 import Project, ProjectLabel, label_of, require_bounded
from labeltool.importers.xml_file import read_xml


def read_project(path: Path) -> Project:
    """Read the labels of a project.

    Raises
    ------
    LabeltoolError
        When it is damaged, or declares entities.
    """
    labels: list[ProjectLabel] = []
    track = ""

    def begin(name: str, attributes: dict[str, str]) -> None:
        nonlocal track
        if name == "labeltrack":
            track = attributes.get("name", "")
        elif name == "label":
            labels.append(label_of(track, attributes))

    read_xml(path, "Audacity project", "open it in Audacity and export its labels", begin)
    return require_bounded(path, Project(tuple(labels), unsaved_changes=False))
