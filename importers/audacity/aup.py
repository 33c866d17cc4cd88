"""The labels in an Audacity 1 or 2 project (`.aup`), which is an XML file."""

from __future__ import annotations

from pathlib import Path
from xml.parsers import expat

from labeltool.errors import LabeltoolError
from labeltool.importers.audacity.aup3 import Project, ProjectLabel, label_of, require_bounded
from labeltool.importers.base import MAX_TEXT_BYTES
from labeltool.util.bounded_read import read_bytes

_REMEDY = "open it in Audacity and export its labels"


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

    def refuse(*_: object) -> None:
        # An entity may stand for gigabytes of text; no project has any.
        raise ValueError("it declares entities")

    parser = expat.ParserCreate()
    parser.StartElementHandler = begin
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(read_bytes(path, MAX_TEXT_BYTES), True)
    except OSError as error:
        raise LabeltoolError(f"cannot be read: {error.strerror}", file=path) from error
    except (expat.ExpatError, KeyError, ValueError, LookupError) as error:
        raise LabeltoolError(f"is a damaged Audacity project: {error}", file=path, remedy=_REMEDY) from error
    return require_bounded(path, Project(tuple(labels), unsaved_changes=False))
