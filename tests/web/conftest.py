"""A project with a small pretrained model and labelled clips, and its page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.level_network import HOSTILE, label_clips
from helpers.progress import quiet
from helpers.serve import PageServer
from labeltool.project import Project
from labeltool.similarity import compare


@pytest.fixture
def labelled(level_project: Project) -> Project:
    """Its 24 clips are compared, and of those above zero four have a label that looks like HTML."""
    with level_project.open_store() as store:
        label_clips(store, range(0, 8, 2), lambda _: HOSTILE)
        label_clips(store, range(1, 8, 2), lambda _: "below")
    compare.compare(level_project, report=quiet)
    return level_project


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """Where the server's process keeps sounds while it works on them."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@pytest.fixture
def server(labelled: Project, temporary: Path) -> Iterator[PageServer]:
    server = PageServer(labelled, "--model", "pretrained", "--max-duration", "30", TMPDIR=str(temporary))
    yield server
    server.close()
