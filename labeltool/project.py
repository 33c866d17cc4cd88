"""A project: a directory with settings, the store, models and a cache that may be deleted."""

from __future__ import annotations

import getpass
import os
import shlex
import sys
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from labeltool.audio.remote.limits import set_limits
from labeltool.errors import LabeltoolError
from labeltool.settings import Settings, parse_settings, read_settings, settings_text
from labeltool.settings_template import TEMPLATE
from labeltool.store import Store, backup
from labeltool.store.database_files import COMPANIONS, companion
from labeltool.store.opening import labeltool_errors
from labeltool.util.files.atomic_write import open_empty, write_bytes, write_text
from labeltool.util.files.no_links import make_folder, refuse_links
from labeltool.util.files.project_names import DATABASE_FILE, SETTINGS_FILE
from labeltool.util.files.writable import writable_folder, writing_to
from labeltool.util.user_state import read_user_state

# Databases of which this process tried to write today's backup.
_backup_tried: set[Path] = set()

# Databases of which it was reported that they are read from a copy.
_copy_reported: set[Path] = set()

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

    def reread_settings(self) -> None:
        """Take over what was written into the settings since; all who have this project see it."""
        object.__setattr__(self, "settings", read_settings(self.directory / SETTINGS_FILE))

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
        """What can be made again; a temporary folder where the project's cannot be written."""
        return writable_folder(self.own_cache)

    @property
    def own_cache(self) -> Path:
        """The project's folder of what can be made again; others than `cache` write to it."""
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
        for folder in (self.models, self.own_cache, self.reports, self.exports):
            refuse_links(folder)

    def log_file(self, name: str) -> Path:
        """Return the path of a log."""
        return self.cache / "logs" / f"{name}.log"

    def open_log(self, name: str) -> BinaryIO:
        """Open a log, empty, in place of the one that was there; where it cannot be written, it goes nowhere."""
        try:
            return open_empty(self.log_file(name))
        except OSError:
            return Path(os.devnull).open("wb")

    def open_store(self, *, to_write: bool = False) -> Store:
        """Open the store; close it when done, or use it as a context manager.

        Before the first change of a day a backup is written.
        """
        store = Store.open(self.database, to_write=to_write)
        store.before_writing = self._back_up_before_writing
        if store.of_older_labeltool and self.database not in _copy_reported:
            _copy_reported.add(self.database)
            reason = f"is of an older labeltool ({store.read_only}): what is shown is of a copy of this version"
            print(f"labeltool: {self.database}: {reason}", file=sys.stderr)
        return store

    def back_up_daily(self, is_stopped: Callable[[], bool] = lambda: False) -> str:
        """Write today's backup where one is due; return why it failed, or ""."""
        _backup_tried.add(self.database)
        try:
            backup.back_up_daily(self.database, self.settings.backup.daily, is_stopped)
        except LabeltoolError as error:
            return f"no backup was written today: {error}"
        return ""

    def _back_up_before_writing(self) -> None:
        # Once: a process that runs for days backs up by a thread. A full disk, say, stops no labelling.
        if self.database not in _backup_tried and (problem := self.back_up_daily()):
            print(f"labeltool: {problem}", file=sys.stderr)

    def annotator(self, given: str | None = None) -> str:
        """Return who labels: as given, by LABELTOOL_ANNOTATOR, by the settings, or the user's login name.

        Raises
        ------
        UnicodeEncodeError
            When it is not text.
        """
        named = given or os.environ.get("LABELTOOL_ANNOTATOR") or self.settings.annotator
        if named:
            named.encode()  # now, not when the app writes the first label
            return named
        try:
            return getpass.getuser()
        except (KeyError, OSError, ImportError):  # no login name, as in a bare container; on Windows no USERNAME
            return "someone"


def create(directory: Path, *, empty_database: bool = False) -> Project:
    """Make a project of a directory, which may hold other things but no project.

    Parameters
    ----------
    empty_database
        Whether to make a new database where a project has lost its own; settings, models and backups stay.

    Raises
    ------
    LabeltoolError
        When there is a project already or it cannot be written.
    """
    directory = directory.resolve()
    if os.path.lexists(directory / DATABASE_FILE):
        raise LabeltoolError(
            "is a labeltool project already", file=directory, remedy="`labeltool status` shows what is in it"
        )
    if not empty_database:
        _require_none_lost(directory)
    made: list[Path] = []
    try:
        with labeltool_errors(directory):
            for folder in (*reversed(directory.parents), directory, directory / "models", directory / "cache"):
                made += make_folder(folder)
            for name, text in ((Path("cache", "CACHEDIR.TAG"), _CACHE_TAG), (Path(SETTINGS_FILE), TEMPLATE)):
                if not os.path.lexists(directory / name):
                    write_text(directory / name, text)
                    made.append(directory / name)
            # Last: where there is a database there is a project.
            Store.create(directory / DATABASE_FILE).close()
    except BaseException:
        for left in reversed(made):
            left.rmdir() if left.is_dir() else left.unlink(missing_ok=True)
        raise
    return load(directory)


def find(directory: Path | None = None, *, may_be_lost: bool = False) -> Project:
    """Return the project of a directory; by default of the current one or its nearest parent that is one.

    Parameters
    ----------
    may_be_lost
        Whether a project that has lost its database will do.

    Raises
    ------
    LabeltoolError
        When there is none, it has lost its database, or its settings cannot be read.
    """
    here = Path.cwd()
    for candidate in (here, *here.parents) if directory is None else (directory.resolve(),):
        if os.path.lexists(candidate / DATABASE_FILE) or (may_be_lost and _remains(candidate)):
            return load(candidate)
        _require_none_lost(candidate)
    if directory is not None:
        raise LabeltoolError(
            "is no labeltool project", file=directory, remedy=f"`labeltool init {directory}` makes one"
        )
    raise LabeltoolError(
        "no labeltool project here or above", file=here, remedy="`labeltool init` makes one, --project DIR names one"
    )


def recent() -> list[str]:
    """Return the directories of the projects that this user labelled in last, which are still there."""
    return [path for path in read_user_state().recent_projects if Path(path, DATABASE_FILE).exists()]


def _require_none_lost(directory: Path) -> None:
    """Raise a `LabeltoolError` where there is what remains of a project that has lost its database."""
    remains = _remains(directory)
    if not remains:
        return
    copies = backup.copies(directory / DATABASE_FILE)
    new = "`labeltool init --empty-database` begins without labels"
    if copies:
        newest = f"copies of it: {len(copies)}, the newest {copies[0].relative_to(directory)}"
        remedy = f"`labeltool restore {shlex.quote(str(copies[0]))}` puts that in its place; {new}"
    else:
        newest, remedy = "copies of it: none", f"`labeltool restore FILE` takes a backup from elsewhere; {new}"
    reason = f"the project's database is missing; still there: {', '.join(remains)}; {newest}"
    raise LabeltoolError(reason, file=directory / DATABASE_FILE, remedy=remedy)


def _remains(directory: Path) -> list[str]:
    """Return what remains of a project that has lost its database; nothing where there is no sign of a project.

    A folder `backups` is none: others make one too.
    """
    database = directory / DATABASE_FILE
    signs = [directory / SETTINGS_FILE, *(companion(database, suffix) for suffix in COMPANIONS)]
    found = [sign.name for sign in (*signs, *directory.glob(f"{DATABASE_FILE}.*.bak")) if os.path.lexists(sign)]
    if not found:
        return []
    models = len([model for model in (directory / "models").glob("*/card.json")])
    return [*found, f"{models} models"]


def choose_pretrained(project: Project, name: str) -> bool:
    """Write into the settings which pretrained model suggests and is the teacher, unless one is named; return whether.

    Everything else in the file stays as a person wrote it.
    """
    if read_settings(project.directory / SETTINGS_FILE).learning.pretrained is not None:
        return False
    write_setting(project, "learning", "pretrained", name)
    return True


def write_setting(project: Project, table: str, name: str, value: object) -> Settings:
    """Write one setting and return all; everything else in the file stays as a person wrote it.

    Raises
    ------
    LabeltoolError
        When the setting cannot have this value, or the file cannot be written; it is as it was then.
    """
    import tomlkit  # light commands need not pay for it

    path = project.directory / SETTINGS_FILE
    before = settings_text(path)
    parse_settings(before, path)  # as a person wrote it meanwhile
    document = tomlkit.parse(before)
    if table not in document:
        document[table] = tomlkit.table()
    cast(MutableMapping[str, object], document[table])[name] = value
    text = tomlkit.dumps(document)
    settings = parse_settings(text, path)
    with writing_to(path):
        write_bytes(path, text.encode(), durable=True)
    return settings


def load(directory: Path) -> Project:
    """Read a project's settings; those of remote sounds count for this process and those that it starts."""
    settings = read_settings(directory / SETTINGS_FILE)
    set_limits(settings.remote.cache_gb, settings.remote.timeout_s)
    return Project(directory, settings)
