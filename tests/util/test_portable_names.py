"""Names that every system can have, and paths that every system reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from labeltool.errors import LabeltoolError
from labeltool.exporters.file_names import safe_stems
from labeltool.pretrained import registry
from labeltool.project import Project
from labeltool.util.unicode_names import is_device

DEVICES = ("con", "NUL", "aux.txt", "COM1", "com¹.wav", "lpt9 .x", "CONOUT$")


@pytest.mark.parametrize("name", DEVICES)
def test_names_of_windows_devices_get_another_beginning(name: str) -> None:
    assert is_device(name)
    assert safe_stems([name]) == [f"_{name}"]


@pytest.mark.parametrize("name", ["console", "com", "com10", "nulls", "lpt", "a.con"])
def test_names_like_them_stay(name: str) -> None:
    assert not is_device(name) and safe_stems([name]) == [name]


def test_what_windows_forbids_is_replaced_and_names_differ_by_more_than_case() -> None:
    given = ['a<b>:"/\\|?*c', "dot. ", "Owl", "owl", "OWL"]
    assert safe_stems(given) == ["a_b________c", "dot", "Owl", "owl-2", "OWL-3"]


@pytest.mark.parametrize("name", ["con", "Aux.v2", "ends."])
def test_no_pretrained_model_is_called_as_a_device(project: Project, name: str) -> None:
    with pytest.raises(LabeltoolError, match="cannot be called"):
        registry.folder(project, name)


def test_a_path_in_the_project_is_stored_with_slashes(project: Project) -> None:
    inside = project.directory / "sounds" / "a.wav"
    with project.open_store() as store:
        assert store.stored_path(str(inside)) == "sounds/a.wav"
        assert Path(store.absolute_path("sounds/a.wav")) == inside
