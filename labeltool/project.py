"""A project: a directory with settings, the store, models and a cache that may be deleted."""

from __future__ import annotations

import getpass
import os
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from labeltool.errors import LabeltoolError
from labeltool.settings import SETTINGS_FILE, TEMPLATE, Settings, read_settings
from labeltool.store import Store
from labeltool.store.database import labeltool_errors
from labeltool.util.atomic_write import open_empty, write_bytes, write_text
from labeltool.util.no_links import make_folder, refuse_links

DATABASE_FILE = "labels.db"

# Backup programs leave out what carries this tag (bford.info/cachedir).
_CACHE_TAG = "Signature: 8a477f597d28d172789f06886806bc55\n"


@dataclass(frozen=True, slots=True)
class Project:
    """A project's directory, which is no link nor reached by one, and settings.

    Attributes
    ----------
    shared_features
        Where its features are kept; None: in its own cache.
    """

    directory: Path
    settings: Settings
    shared_features: Path | None = None

    @property
    def database(self) -> Path:
        """The SQLite file with everything people labelled."""
        return self.directory / DATABASE_FILE

    @property
    def models(self) -> Path:
        """One folder a model, named by its id."""
        return self.directory / "models"

    @property
    def cache(self) -> Path:
        """What can be made again."""
        return self.directory / "cache"

    @property
    def features(self) -> Path:
        """The feature cache."""
        return self.shared_features or self.cache / "features"

    @property
    def reports(self) -> Path:
        """Where evaluations are written down, one folder each."""
        return self.directory / "reports"

    @property
    def exports(self) -> Path:
        """Where exports go by default."""
        return self.directory / "exports"

    def refuse_links(self) -> None:
        """Raise a `LabeltoolError` where one of the project's folders is a link: it might lead anywhere."""
        for folder in (self.models, self.cache, self.reports, self.exports):
            refuse_links(folder)

    def log_file(self, name: str) -> Path:
        """Return the path of a log."""
        return self.cache / "logs" / f"{name}.log"

    def open_log(self, name: str) -> BinaryIO:
        """Open a log, empty, in place of the one that was there.

        Raises
        ------
        LabeltoolError
            When it cannot be written.
        """
        path = self.log_file(name)
        try:
            return open_empty(path)
        except OSError as error:
            raise LabeltoolError(f"{error.strerror}", file=path) from error

    def open_store(self) -> Store:
        """Open the store; close it when done, or use it as a context manager."""
        return Store.open(self.database)

    def annotator(self, given: str | None = None) -> str:
        """Return who labels: as given, by LABELTOOL_ANNOTATOR, by the settings, or the user's login name."""
        named = given or os.environ.get("LABELTOOL_ANNOTATOR") or self.settings.annotator
        if named:
            return named
        try:
            return getpass.getuser()
        except (KeyError, OSError):  # no login name, as in a bare container
            return "someone"


def create(directory: Path) -> Project:
    """Make a project of a directory, which may hold other things but no project.

    Raises
    ------
    LabeltoolError
        When there is a project already or it cannot be written.
    """
    directory = directory.resolve()
    if (directory / DATABASE_FILE).exists() or (directory / SETTINGS_FILE).exists():
        raise LabeltoolError("is a labeltool project already", file=directory)
    made: list[Path] = []
    try:
        with labeltool_errors(directory):
            for folder in (*reversed(directory.parents), directory, directory / "models", directory / "cache"):
                made += make_folder(folder)
            for name, text in ((Path("cache", "CACHEDIR.TAG"), _CACHE_TAG), (Path(SETTINGS_FILE), TEMPLATE)):
                write_text(directory / name, text)
                made.append(directory / name)
            # Last: where there is a database there is a project.
            Store.create(directory / DATABASE_FILE).close()
    except BaseException:
        for left in reversed(made):
            left.rmdir() if left.is_dir() else left.unlink(missing_ok=True)
        raise
    return load(directory)


def find(directory: Path | None = None) -> Project:
    """Return the project of a directory; by default of the current one or its nearest parent that is one.

    Raises
    ------
    LabeltoolError
        When there is none, or its settings cannot be read.
    """
    if directory is not None:
        if not (directory / DATABASE_FILE).exists():
            raise LabeltoolError(
                "is no labeltool project", file=directory, remedy=f"`labeltool init {directory}` makes one"
            )
        return load(directory.resolve())
    here = Path.cwd()
    for candidate in (here, *here.parents):
        if (candidate / DATABASE_FILE).exists():
            return load(candidate)
    raise LabeltoolError(
        "no labeltool project here or above", file=here, remedy="`labeltool init` makes one, --project DIR names one"
    )


def choose_pretrained(project: Project, name: str) -> bool:
    """Write into the settings which pretrained model suggests and teaches, where they name none; return whether it was.

    Everything else in the file stays as a person wrote it.
    """
    import tomlkit  # light commands need not pay for it

    path = project.directory / SETTINGS_FILE
    if read_settings(path).learning.pretrained is not None:
        return False
    document = tomlkit.parse(path.read_bytes().decode() if path.exists() else "")
    if "learning" not in document:
        document["learning"] = tomlkit.table()
    cast(MutableMapping[str, object], document["learning"])["pretrained"] = name
    try:
        write_bytes(path, tomlkit.dumps(document).encode(), durable=True)
    except OSError as error:
        raise LabeltoolError(f"cannot be written: {error.strerror}", file=path) from error
    return True


def load(directory: Path) -> Project:
    """Read a project's settings."""
    return Project(directory, read_settings(directory / SETTINGS_FILE))
