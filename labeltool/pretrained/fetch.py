"""A published model for a project: from a file that lies beside it, or else from its publisher."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from labeltool.audio.files import content_hash
from labeltool.errors import LabeltoolError
from labeltool.pretrained import download, registry
from labeltool.pretrained.registry import AddResult
from labeltool.project import Project
from labeltool.type_aliases import Progress

# The newest recordings, and their folders, that are looked into.
_MAX_RECORDINGS, _MAX_FOLDERS = 10_000, 50


def fetch(project: Project | None, *, report: Progress, name: str) -> AddResult:
    """Get a published model and add it to the project; a task of the worker.

    Raises
    ------
    LabeltoolError
        When none has the name, or it is nowhere here and cannot be downloaded.
    """
    assert project is not None
    published = download.published_models()
    if name not in published:
        raise LabeltoolError(f"no published model is called {name!r} here", remedy=f"there are: {', '.join(published)}")
    model = published[name]
    path = file_beside(project, model) or download.fetch(model, report=report)
    return registry.add(project, report=report, file=str(path), name=name, rate_hz=model.rate_hz)


def file_beside(project: Project, model: download.PublishedModel) -> Path | None:
    """Return a file of a model in the project's folder, in the one around it, or beside recordings; None without one.

    The file may have any name that ends like the model's.
    """
    for folder in _folders(project):
        with suppress(OSError):
            for path in sorted(folder.glob(f"*{Path(model.file).suffix}")):
                if path.stat().st_size == model.bytes and content_hash(path) == model.sha256:
                    return path
    return None


def _folders(project: Project) -> Iterator[Path]:
    yield from (project.directory, project.directory.parent)
    with project.open_store() as store:
        rows = store.connection.execute(
            "SELECT path FROM active_recordings ORDER BY id DESC LIMIT ?", (_MAX_RECORDINGS,)
        )
        folders = {Path(store.absolute_path(path)).parent for (path,) in rows}
    yield from sorted(folders)[:_MAX_FOLDERS]
