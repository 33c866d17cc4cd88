"""A small real project, what is written into it, and the program over it, in a browser and in a real terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.app import fill
from helpers.serve import Server
from helpers.tmux import Terminal
from labeltool.project import Project
from labeltool.records import Value
from labeltool.store import Store, clips, journal


@pytest.fixture
def app_project(project: Project, tmp_path: Path) -> Project:
    """A project of four tones and two labels, `low` given to the first clip made."""
    fill(project, tmp_path / "sounds", 5)
    with project.open_store() as store:
        first = clips.all_clips(store)[0].id
        journal.annotate(store, first, "low", annotator="before")
        journal.annotate(store, first, "high", Value.ABSENT, annotator="before")
    return project


@pytest.fixture
def reading(app_project: Project) -> Iterator[Store]:
    """The project's store, to read what the app wrote."""
    with app_project.open_store() as store:
        yield store


@pytest.fixture
def server(app_project: Project) -> Iterator[Server]:
    """The app in the browser, as a process."""
    server = Server(app_project)
    yield server
    server.close()


@pytest.fixture
def terminal(app_project: Project, tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path / "tmux", app_project)
    yield terminal
    terminal.close()
