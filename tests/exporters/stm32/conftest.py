"""One STM32 package for all tests of packages."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.exports import export
from labeltool.project import Project


@pytest.fixture(scope="session")
def package(modelled: Project) -> Path:
    """The STM32 package of the model in `modelled`."""
    return Path(export(modelled, "stm32").written[0])
