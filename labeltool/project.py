"""A project: a directory with settings, the store, models and a cache that may be deleted."""

from __future__ import annotations

import getpass
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from labeltool.errors import LabeltoolError
from labeltool.store import Store
from labeltool.store.database import speaking

SETTINGS_FILE = "labeltool.toml"
DATABASE_FILE = "labels.db"

# Backup programs leave out what carries this tag (bford.info/cachedir).
_CACHE_TAG = "Signature: 8a477f597d28d172789f06886806bc55\n"

_TEMPLATE = """\
# Settings of this labeltool project. Every line may be left out; these are the defaults.

# annotator = "your name"         # who answers, when --annotator and LABELTOOL_ANNOTATOR do not say

[learning]
architecture = "miniresnet"       # `labeltool retrain --help` lists them
retrain_after = 20                # answers in the labelling room before a new model is trained behind it
asking = "default"                # what is asked first; `labeltool simulate --help` lists the strategies
# ear = "yamnet"                  # the borrowed network that suggests and teaches until the project's own is better
# patch_s = 1.0                   # seconds that the network sees at once; else what the architecture was made for
# pooling = "log-mean"            # how patches make a clip: "log-mean", "mean", "majority"; else chosen on validation

[export]
max_int8_loss = 0.02              # a model that loses more clip accuracy than this in int8 needs --force

[speech]
# labels = ["speech", "talking"]  # what `labeltool transcribe` takes for speech; else common names, and AudioSet's
# model = "/models/whisper"       # the speech model's folder, when --model does not say
# language = "en"                 # what is spoken; else the model finds out, clip by clip

[keys]                            # other keys for the labelling room: the action, then one key or several
# undo = "z"
# play = ["space", "f5"]
"""


_SPEECH_LABELS = (
    *("speech", "talking", "talk", "conversation", "voice", "voices", "human voice", "human speech", "people talking"),
    # AudioSet's own, which YAMNet tells apart.
    *("Male speech, man speaking", "Female speech, woman speaking", "Child speech, kid speaking"),
    *("Narration, monologue", "Speech synthesizer"),
)


@dataclass(frozen=True, slots=True)
class SpeechSettings:
    """What `labeltool.toml` says of speech: which labels are, in which folder the model lies, what is spoken."""

    labels: tuple[str, ...] = _SPEECH_LABELS
    model: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """What `labeltool.toml` says.

    `max_int8_loss` is a share of clips, 0 to 1; `retrain_after` counts answers; `ear` is one of
    `labeltool model list`; `patch_s` is seconds of a patch, None
    the architecture's own; `pooling` is one of `aggregate.POOLINGS`, None chosen on validation; `keys` are those of the
    labelling room, action to keys as a person writes them.
    """

    annotator: str | None = field(default=None, metadata={"kind": str})
    architecture: str = field(default="miniresnet", metadata={"table": "learning"})
    retrain_after: int = field(default=20, metadata={"table": "learning"})
    asking: str = field(default="default", metadata={"table": "learning"})
    ear: str | None = field(default=None, metadata={"table": "learning", "kind": str})
    patch_s: float | None = field(default=None, metadata={"table": "learning", "kind": float})
    pooling: str | None = field(default=None, metadata={"table": "learning", "kind": str})
    max_int8_loss: float = field(default=0.02, metadata={"table": "export"})
    speech: SpeechSettings = field(default_factory=SpeechSettings)
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Project:
    """A project's directory and settings."""

    directory: Path
    settings: Settings

    @property
    def database(self) -> Path:
        """The SQLite file that holds the truth."""
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
    def reports(self) -> Path:
        """Where evaluations are written down, one folder each."""
        return self.directory / "reports"

    @property
    def exports(self) -> Path:
        """Where exports go unless told otherwise."""
        return self.directory / "exports"

    def open_store(self) -> Store:
        """Open the store; close it when done, or use it as a context manager."""
        return Store.open(self.database)

    def annotator(self, given: str | None = None) -> str:
        """Return who answers: as given, by LABELTOOL_ANNOTATOR, by the settings, or the user's login name."""
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
        with speaking(directory):
            for folder in (*reversed(directory.parents), directory, directory / "models", directory / "cache"):
                if not folder.exists():
                    folder.mkdir()
                    made.append(folder)
            for name, text in ((Path("cache", "CACHEDIR.TAG"), _CACHE_TAG), (Path(SETTINGS_FILE), _TEMPLATE)):
                made.append(directory / name)
                (directory / name).write_text(text, encoding="utf-8")
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


def choose_ear(project: Project, name: str) -> bool:
    """Write into the settings which ear suggests and teaches, where they say nothing of it; return whether it was done.

    Everything else in the file stays as a person wrote it.
    """
    path = project.directory / SETTINGS_FILE
    if _read_settings(path).ear is not None:
        return False
    before = path.read_bytes().decode() if path.exists() else ""
    line = f'ear = "{name}"'
    told, found = re.subn(
        r"(?m)^([ \t]*\[[ \t]*learning[ \t]*\].*)$", lambda head: f"{head[1]}\n{line}", before, count=1
    )
    if not found:
        told = f"{before.rstrip()}\n\n[learning]\n{line}\n".lstrip()
    try:
        tomllib.loads(told)
    except tomllib.TOMLDecodeError:
        return False  # the table is written in another way there: a person's to change
    beside = path.with_suffix(".partial")
    beside.write_bytes(told.encode())
    beside.replace(path)
    return True


def load(directory: Path) -> Project:
    """Read a project's settings."""
    return Project(directory, _read_settings(directory / SETTINGS_FILE))


def _read_settings(path: Path) -> Settings:
    if not path.exists():
        return Settings()
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise LabeltoolError(f"cannot be read as settings: {error}", file=path) from error
    values: dict[str, Any] = {}
    for setting in fields(Settings):
        if setting.default is MISSING:
            continue  # a table of its own
        table = told.get(setting.metadata["table"], {}) if "table" in setting.metadata else told
        if not isinstance(table, dict):
            raise LabeltoolError(f"[{setting.metadata['table']}] must be a table", file=path)
        if setting.name not in table:
            continue
        value = table[setting.name]
        wanted = setting.metadata.get("kind", type(setting.default))
        if wanted is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not wanted:
            raise LabeltoolError(f"{setting.name} must be of the kind {wanted.__name__}, not {value!r}", file=path)
        values[setting.name] = value
    speech = _read_speech(told.get("speech", {}), path)
    return Settings(**values, speech=speech, keys=_read_keys(told.get("keys", {}), path))


def _read_speech(table: Any, path: Path) -> SpeechSettings:
    if not isinstance(table, dict):
        raise LabeltoolError("[speech] must be a table", file=path)
    told = {name: table[name] for name in ("labels", "model", "language") if name in table}
    if "labels" in told:
        labels = told["labels"]
        if not isinstance(labels, list) or not labels or not all(isinstance(label, str) for label in labels):
            raise LabeltoolError(f"[speech] labels must be a list of labels, not {labels!r}", file=path)
        told["labels"] = tuple(labels)
    for name in ("model", "language"):
        if not isinstance(told.get(name, ""), str):
            raise LabeltoolError(f"[speech] {name} must be text, not {told[name]!r}", file=path)
    return SpeechSettings(**told)


def _read_keys(table: Any, path: Path) -> Mapping[str, tuple[str, ...]]:
    if not isinstance(table, dict):
        raise LabeltoolError("[keys] must be a table", file=path)
    keys: dict[str, tuple[str, ...]] = {}
    for action, told in table.items():
        several = told if isinstance(told, list) else [told]
        if not several or not all(isinstance(key, str) and key for key in several):
            raise LabeltoolError(f"[keys] {action} must be a key or a list of keys, not {told!r}", file=path)
        keys[action] = tuple(several)
    return MappingProxyType(keys)
