"""One STM32 package for all tests of packages, and the networks of the registry."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.exports import export
from helpers.made_once import made_once
from helpers.networks import converted_network
from helpers.pretrained import written
from labeltool.project import Project


@pytest.fixture(scope="session")
def package(modelled: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The STM32 package of the model in `modelled`, in its place there."""

    def make(folder: Path) -> None:
        shutil.move(export(modelled, "stm32").written[0], folder)

    (made,) = made_once(tmp_path_factory, "package", make).iterdir()
    return Path(shutil.copytree(made, modelled.exports / made.name))


@pytest.fixture(scope="session")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], bytes]:
    """Return a function that gives an architecture of the registry with ten labels as an int8 file."""

    def of(arch: str) -> bytes:
        def make(folder: Path) -> None:
            written(folder / "int8.tflite", converted_network(arch))

        return (made_once(tmp_path_factory, f"converted-{arch}", make) / "int8.tflite").read_bytes()

    return of
