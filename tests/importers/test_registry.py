"""The registry of formats: light to import, and true to its readers."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from labeltool.importers.registry import FORMATS
from labeltool.importers.tables import esc50
from labeltool.records import Recording

LIGHT = (
    "import sys; from labeltool.importers import registry as importers; from labeltool.exporters import registry;"
    "assert importers.FORMATS and registry.EXPORTERS;"
    "print(*{'numpy', 'pandas', 'tensorflow', 'librosa', 'soundfile', 'sqlite_utils'} & set(sys.modules))"
)


def test_both_registries_import_nothing_heavy() -> None:
    result = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""


@pytest.mark.parametrize("name", FORMATS)
def test_an_entry_has_the_options_and_defaults_of_its_reader(name: str) -> None:
    entry = FORMATS[name]
    module = importlib.import_module(entry.module)
    common = {"audio", "checked"} if entry.is_labels else set()
    _, *parameters = inspect.signature(module.parse if entry.is_labels else module.read).parameters.values()
    assert {option.name: option.default or None for option in entry.options if option.name not in common} == {
        parameter.name: parameter.default or None for parameter in parameters
    }


def test_the_choices_of_esc50_are_its_subsets() -> None:
    subset, _ = FORMATS["esc50"].options
    assert subset.choices == esc50.SUBSETS


def test_an_entry_reads_files_or_a_directory_with_its_options(write_tone: Callable[..., Path]) -> None:
    sound = write_tone("audio/1-1-A-0.wav", seconds=2.0)
    assert len(list(FORMATS["audio"].read([sound], clip_seconds=1.0))) == 3
    table = sound.parents[1] / "meta" / "esc50.csv"
    table.parent.mkdir()
    table.write_text("filename,fold,target,category,esc10,src_file,take\n1-1-A-0.wav,1,0,dog,True,1,A\n")
    recording, *_ = FORMATS["esc50"].read([table.parents[1]], subset="esc10")
    assert isinstance(recording, Recording) and recording.group == "freesound:1"
