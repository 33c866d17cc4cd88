"""The project's settings: `labeltool.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from labeltool.errors import LabeltoolError

SETTINGS_FILE = "labeltool.toml"


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
