"""Projects, made and opened."""

from __future__ import annotations

from pathlib import Path

from labeltool import project as projects
from labeltool.api.labelling import Labelling
from labeltool.api.tables import Tables
from labeltool.api.work import Work


def init(directory: str | Path) -> Project:
    """Make a directory a project; it may hold other files.

    Parameters
    ----------
    directory
        It is created where it does not exist.

    Returns
    -------
    Project

    Raises
    ------
    LabeltoolError
        When there is a project already, or it cannot be written.

    Examples
    --------
    >>> import labeltool
    >>> p = labeltool.init("night")
    >>> len(p.recordings())
    0
    """
    return Project(projects.create(Path(directory)))


def open(directory: str | Path | None = None) -> Project:
    """Open a project.

    Parameters
    ----------
    directory
        None: the current directory or its nearest parent that is a project.

    Returns
    -------
    Project

    Raises
    ------
    LabeltoolError
        When there is none, or its settings cannot be read.

    Examples
    --------
    >>> import labeltool
    >>> labeltool.open("birds").directory.name
    'birds'
    >>> try:
    ...     labeltool.open("sounds")
    ... except labeltool.LabeltoolError as error:
    ...     print(error.reason)
    is no labeltool project
    """
    return Project(projects.find(None if directory is None else Path(directory)))


class Project(Tables, Labelling, Work):
    """A project, as `init` and `open` return it; every method opens its database anew.

    Attributes
    ----------
    directory : pathlib.Path

    Examples
    --------
    >>> import labeltool
    >>> labeltool.open("birds")
    Project('.../birds')
    """

    @property
    def directory(self) -> Path:
        """The project's directory.

        Examples
        --------
        >>> import labeltool
        >>> labeltool.open("birds").directory.name
        'birds'
        """
        return self._project.directory

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.directory)!r})"
