"""What the parts of the Python interface share: the project, and its open store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from labeltool.project import Project
from labeltool.store import Store
from labeltool.store.opening import labeltool_errors


class OfProject:
    """Something of a project, whose database every method opens anew."""

    def __init__(self, project: Project) -> None:
        self._project = project

    @contextmanager
    def _open_store(self, *, to_write: bool = False) -> Iterator[Store]:
        with labeltool_errors(self._project.database), self._project.open_store(to_write=to_write) as store:
            yield store
