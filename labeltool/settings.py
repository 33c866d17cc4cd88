"""The project's settings: `labeltool.toml`, read by msgspec into frozen dataclasses."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, ValidationError, convert

from labeltool.errors import LabeltoolError
from labeltool.util.files.bounded_read import MAX_TOML_BYTES, parse_toml, read_text

TRUNK_LAYERS = (5, 7, 9, 11, 13, 15, 27)
"""Numbers of layers that the trunk of a network may have; each ends with a pointwise convolution."""

_Count = Annotated[int, Meta(ge=0, le=1_000_000)]
_PatchSeconds = Annotated[float, Meta(gt=0, le=3600)]
_HeadUnits = Annotated[int, Meta(ge=0, le=1024)]
_Decibels = Annotated[int, Meta(ge=0, le=120)]
_Share = Annotated[float, Meta(ge=0, le=1)]
_Percent = Annotated[int, Meta(ge=0, le=100)]

_Level = Annotated[float, Meta(ge=-200, le=0)]
_Ratio = Annotated[float, Meta(ge=1, le=1_000_000)]
_Loss = Annotated[float, Meta(ge=0, le=200)]
_Gigabytes = Annotated[float, Meta(ge=0.001, le=100_000)]
_Timeout = Annotated[float, Meta(ge=0.1, le=3600)]
_ErrorShare = Annotated[float, Meta(ge=0.001, le=0.5)]

_SPEECH_LABELS = (
    *("speech", "talking", "talk", "conversation", "voice", "voices", "human voice", "human speech", "people talking"),
    # Classes of AudioSet, which YAMNet predicts.
    *("Male speech, man speaking", "Female speech, woman speaking", "Child speech, kid speaking"),
    *("Narration, monologue", "Speech synthesizer"),
)

# Names in files of earlier development versions.
_RENAMED = {"asking": "query_strategy", "ear": "pretrained"}  # former names


@dataclass(frozen=True, slots=True)
class LearningSettings:
    """Table `[learning]`.

    Attributes
    ----------
    architecture
        Of the project's own model; `labeltool retrain --help` lists them.
    retrain_after
        Labels given in the app before a new model is trained in the background.
    query_strategy
        Orders the queue; `labeltool simulate --help` lists the strategies.
    pretrained
        A pretrained model of the project (`labeltool model list`) that suggests labels and is the teacher; None: none.
    patch_s
        Seconds of one input of the network; None: the architecture's own.
    target
        The ST application that new networks are for, a name that `labeltool export --for` takes; None: none.
    trunk_layers
        Of architectures that begin with the layers of a pretrained model: how many of them (5, 7, 9, 11, 13, 15 or 27).
    head_units
        Units of the hidden layer behind those layers; 0: none.
    pooling
        How patches make a clip ("log-mean", "mean" or "majority"); None: chosen on validation clips.
    cache_gb
        Gigabytes (10^9 bytes) that computed features may have; the default is about 300,000 clips of five seconds.
    """

    architecture: str = "miniresnet"
    retrain_after: _Count = 20
    query_strategy: str = "default"
    pretrained: str | None = None
    patch_s: _PatchSeconds | None = None
    target: str | None = None
    trunk_layers: int = 11
    head_units: _HeadUnits = 56
    pooling: str | None = None
    cache_gb: _Gigabytes = 20.0


@dataclass(frozen=True, slots=True)
class LabellingSettings:
    """Table `[labelling]`.

    Attributes
    ----------
    goal
        Labelled clips that each label should have; 0: none.
    max_error
        The error, a share of clips, that a sample must exclude before clips are accepted automatically.
    overlap
        The share of the clips that a second person labels too, without seeing the first's labels.
    """

    goal: _Count = 20
    overlap: _Share = 0.0
    max_error: _ErrorShare = 0.05


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """Table `[export]`.

    Attributes
    ----------
    max_int8_loss
        Share of clips, 0 to 1, that int8 may cost a model that is exported.
    split_shares
        Of the clips for training, validation and test, per cent, where a split is drawn.
    """

    max_int8_loss: _Share = 0.02
    split_shares: tuple[_Percent, _Percent, _Percent] = (70, 15, 15)


@dataclass(frozen=True, slots=True)
class CheckSettings:
    """Table `[check]`: from where on `labeltool check` reports something.

    Attributes
    ----------
    silence_dbfs
        A clip without a tenth of a second of at least this RMS level is silent.
    clipped_share
        Share of a recording's samples that may be in flat tops or beyond full scale, 0 to 1.
    dc_offset
        Magnitude that the mean of a recording's samples may have; full scale is 1.
    cancelled_db
        Decibels that the mono mix may lose against the mean of the channels; unrelated channels lose 3.
    shortcut_accuracy
        Balanced accuracy, 0 to 1, from which features that are not the sound predict a label too well.
    bandwidth_accuracy
        The same of the bandwidth alone.
    max_imbalance
        How many times as many clips the most frequent label may have as another one.
    """

    silence_dbfs: _Level = -60.0
    clipped_share: _Share = 0.002
    dc_offset: _Share = 0.01
    cancelled_db: _Loss = 6.0
    shortcut_accuracy: _Share = 0.9
    bandwidth_accuracy: _Share = 0.8
    max_imbalance: _Ratio = 10.0


@dataclass(frozen=True, slots=True)
class BackupSettings:
    """Table `[backup]`.

    Attributes
    ----------
    daily
        Number of daily backups that are kept in `backups/`, written before the first change of a day; 0: none.
    """

    daily: _Count = 7


@dataclass(frozen=True, slots=True)
class RemoteSettings:
    """Table `[remote]`: sounds that lie elsewhere.

    Attributes
    ----------
    cache_gb
        Gigabytes (10^9 bytes) that are kept of them on this disk.
    timeout_s
        How long a server may send nothing before the request is repeated, seconds.
    """

    cache_gb: _Gigabytes = 10.0
    timeout_s: _Timeout = 15.0


@dataclass(frozen=True, slots=True)
class SpeechSettings:
    """Table `[speech]`, for `labeltool transcribe`.

    Attributes
    ----------
    labels
        Labels that mean speech.
    model
        The speech model's folder, unless `--model` is given.
    language
        The spoken language, such as "en"; None: detected for each clip.
    """

    labels: tuple[str, ...] = _SPEECH_LABELS
    model: str | None = None
    language: str | None = None


class ColourMap(StrEnum):
    """The colours of spectrograms; `TEAL` is made for the app's themes, the others are those of matplotlib."""

    TEAL = "teal"
    VIRIDIS = "viridis"
    MAGMA = "magma"
    GREY = "grey"


class Pixels(StrEnum):
    """Whether spectrograms have real pixels, where the terminal can show them; `AUTO`: not over SSH."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


class ThemeName(StrEnum):
    """The app's colours; `AUTO`: by the background of the terminal, as far as it is known."""

    AUTO = "auto"
    DARK = "dark"
    LIGHT = "light"


@dataclass(frozen=True, slots=True)
class AppSettings:
    """Table `[app]`: how the app looks and plays.

    Attributes
    ----------
    tour
        Whether the tour is shown to a user who has not seen it; `labeltool demo` sets it.
    theme
        "auto": by the background of the terminal, as far as it is known.
    autoplay
        Whether a clip plays when it appears.
    colour_map
        The colours of spectrograms.
    pixels
        Whether spectrograms have real pixels where the terminal can; "auto": not over SSH; "off": half blocks.
    db_range
        The decibels that a spectrogram shows below its peaks; 0: down to the noise of the sound.
    """

    tour: bool = False
    theme: ThemeName = ThemeName.AUTO
    autoplay: bool = True
    colour_map: ColourMap = ColourMap.TEAL
    db_range: _Decibels = 0
    pixels: Pixels = Pixels.AUTO


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole of `labeltool.toml`; `keys` maps actions of the app to their keys, as a person writes them.

    Attributes
    ----------
    annotator
        Who labels, unless `--annotator` or `LABELTOOL_ANNOTATOR` is given; None: the login name.
    """

    annotator: str | None = None
    learning: LearningSettings = field(default_factory=LearningSettings)
    labelling: LabellingSettings = field(default_factory=LabellingSettings)
    export: ExportSettings = field(default_factory=ExportSettings)
    check: CheckSettings = field(default_factory=CheckSettings)
    backup: BackupSettings = field(default_factory=BackupSettings)
    remote: RemoteSettings = field(default_factory=RemoteSettings)
    speech: SpeechSettings = field(default_factory=SpeechSettings)
    app: AppSettings = field(default_factory=AppSettings)
    keys: dict[str, tuple[str, ...]] = field(default_factory=dict)


def read_settings(path: Path) -> Settings:
    """Read a project's settings; without a file they are the defaults.

    Raises
    ------
    LabeltoolError
        Naming the file and the setting that cannot be used.
    """
    return parse_settings(settings_text(path), path)


def settings_text(path: Path) -> str:
    """Return the text of `labeltool.toml`; none where there is no file.

    Raises
    ------
    LabeltoolError
        When it cannot be read.
    """
    try:
        return read_text(path, MAX_TOML_BYTES) if path.exists() else ""
    except (ValueError, OSError) as error:
        raise LabeltoolError(f"cannot be read as settings: {error}", file=path) from error


def parse_settings(text: str, path: Path) -> Settings:
    """Return the settings of a file's text.

    Raises
    ------
    LabeltoolError
        Naming the file and the setting that cannot be used.
    """
    try:
        tables = parse_toml(text)
    except ValueError as error:
        raise LabeltoolError(f"cannot be read as settings: {error}", file=path) from error
    _refuse_unknown(tables, path)
    try:
        settings = convert(_normalised(tables, path), Settings)
    except ValidationError as error:
        raise LabeltoolError(_reason(str(error)), file=path) from error
    if not settings.speech.labels:
        raise LabeltoolError("[speech] labels must be a list of labels, not empty", file=path)
    learning = settings.learning
    if learning.trunk_layers not in TRUNK_LAYERS:
        numbers = ", ".join(map(str, TRUNK_LAYERS))
        raise LabeltoolError(f"[learning] trunk_layers: one of {numbers}, not {learning.trunk_layers}", file=path)
    return settings


def _refuse_unknown(tables: dict[str, Any], path: Path) -> None:
    """Refuse a slip in one of our tables, which would be a setting without effect; other tables are of other tools."""
    for table, own in asdict(Settings()).items():
        given = tables.get(table)
        if table == "keys" or not isinstance(own, dict) or not isinstance(given, dict):
            continue
        if unknown := sorted(given.keys() - own.keys() - (_RENAMED.keys() if table == "learning" else set())):
            raise LabeltoolError(
                f"[{table}] names an unknown setting: {unknown[0]!r}",
                file=path,
                remedy=f"the settings are {', '.join(sorted(own))}",
            )


def _normalised(tables: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return the tables with the names of now, and a list for every single key."""
    learning, keys = tables.get("learning"), tables.get("keys")
    if isinstance(learning, dict):
        renamed = {_RENAMED[name]: value for name, value in learning.items() if name in _RENAMED}
        tables = {**tables, "learning": {**renamed, **learning}}
    if not isinstance(keys, dict):
        return tables
    lists = {}
    for action, value in keys.items():
        lists[action] = value if isinstance(value, list) else [value]
        if not lists[action] or not all(isinstance(key, str) and key for key in lists[action]):
            raise LabeltoolError(f"[keys] {action} must be a key or a list of keys", file=path)
    return {**tables, "keys": lists}


def _reason(error: str) -> str:
    """Turn "Expected `int`, got `str` - at `$.learning.retrain_after`" into words that name the setting."""
    problem, _, place = error.partition(" - at `$.")
    table, _, name = place.rstrip("`").rpartition(".")
    setting = f"[{table}] {name}" if table else name or "the file"
    return f"{setting}: {problem[:1].lower()}{problem[1:].replace('`', '')}"
