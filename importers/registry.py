"""The foreign formats that `labeltool import` reads.

To add one: write a module with a function, and add an entry to `FORMATS`. For labels that is `parse(path, *,
encoding=None, ...)`, which returns the rows of a file (`label_rows.ParsedLabels`); finding the recordings is common to
all. For anything else it is a generator `read(sources, ...)` that yields records.
`labeltool import NAME`, with its argument and its options, is made from that entry. This module imports no reader
until one is used, so that `labeltool import --help` stays light. Another distribution adds a `Format` through an entry
point of the group `labeltool.importers` (`util/plugins.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

from labeltool.errors import LabeltoolError, require_known
from labeltool.records import Carried, Damaged, Imported, Recording, Skipped
from labeltool.util.plugins import Registry, import_module, instance_named

if TYPE_CHECKING:
    import pandas as pd

    from labeltool.importers.label_rows import ParsedLabels
    from labeltool.type_aliases import Progress

Kind = Literal["path", "seconds", "choice", "flag", "name", "pairs"]


class LabelParser(Protocol):
    """The function `parse` of a module for labels; it takes the format's options but `audio` and `checked` too."""

    def __call__(self, source: Path, /, *, encoding: str | None = None, **options: Any) -> ParsedLabels:
        """Read the labels of a file or a folder, without its recordings.

        Parameters
        ----------
        encoding
            Of a text; None to find out (`base.read_text`).

        Raises
        ------
        LabeltoolError
            When it is missing, damaged or another kind of file, or nothing in it is a label.
        """


class Reader(Protocol):
    """The function of a format's module; beside the sources it takes the format's options by their names."""

    def __call__(self, sources: Any, /, **options: Any) -> Iterator[Imported]:
        """Read files or one directory (see `Format.takes`).

        Yields
        ------
        Recording, Clip, Verdict, Checked, DevicePrediction, DeviceDetections or Skipped
            A clip after its recording, a verdict after its clip.

        Raises
        ------
        LabeltoolError
            When a source cannot be read at all.
        """


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a format.

    Attributes
    ----------
    name
        Keyword of the format's `read`; on the command line with a hyphen for each underscore.
    kind
        What the value is: a path, a number (seconds), one of `choices`, a name, a flag, which has no value, or several
        `MEANING=NAME`.
    help
        One line for the help page.
    default
        The value without the option.
    choices
        The values of a `choice`.
    needs
        Name of the option without which this one means nothing; None where it stands alone.
    """

    name: str
    kind: Kind
    help: str
    default: float | None = None
    choices: tuple[str, ...] = ()
    needs: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"an option's kind is one of {', '.join(get_args(Kind))}")


@dataclass(frozen=True, slots=True)
class Format:
    """A format of the registry.

    Attributes
    ----------
    name
        What follows `labeltool import`.
    help
        For the help page; its first sentence is the line in the list of formats.
    module
        Name of the module that has its `parse` or `read` function; in this file without `labeltool.importers.`.
    takes
        `files`: one or several; `directory`: exactly one; `paths`: one or several files or directories.
    metavar
        Name of that argument on the help page.
    options
        The options of its reader; `parse` takes those of a format of labels but `audio` and `checked`.
    is_labels
        Whether its module has `parse`.
    carries
        What files of the format can say beside the label of a recording.
    """

    name: str
    help: str
    module: str
    takes: Literal["files", "directory", "paths"]
    metavar: str
    options: tuple[Option, ...] = ()
    is_labels: bool = False
    carries: tuple[Carried, ...] = ()

    def require_options(self, options: Mapping[str, object]) -> None:
        """Refuse options that the format does not have, and those without another that they need.

        Raises
        ------
        LabeltoolError
            Naming the option.
        """
        require_known(self.name, options, (option.name for option in self.options))
        for option in self.options:
            if option.needs is not None and options.get(option.name) is not None and options.get(option.needs) is None:
                raise LabeltoolError(f"{option.name} means nothing without {option.needs}")

    def parser(self, **options: Any) -> Callable[[Path], ParsedLabels]:
        """Return the function that reads the labels of one source; options as in `options`."""
        own = {name: value for name, value in options.items() if name not in ("audio", "checked")}
        parse: LabelParser = import_module(self.module).parse
        return lambda source: parse(source, **own).with_sorted_bands(source)

    def parse_each(self, sources: Sequence[Path], **options: Any) -> Iterator[tuple[Path, pd.DataFrame] | Skipped]:
        """Yield the label files and their rows (`label_rows.LABEL_COLUMNS`), and what is skipped.

        Nothing is described but the recordings of rows whose times are counted in samples.

        Raises
        ------
        LabeltoolError
            When the only source cannot be read, or as `require_options`.
        """
        from labeltool.importers.base import read_each

        self.require_options(options)

        def read_one(source: Path) -> Iterator[tuple[Path, pd.DataFrame] | Skipped]:
            parsed = parse(source)
            yield from parsed.skipped
            file, rows = parsed.file or source, parsed.rows
            if parsed.times_in_samples:
                from labeltool.importers.label_records import with_seconds

                rows, problems = with_seconds(file, parsed, options.get("audio"))
                yield from problems
            yield file, rows

        if not self.is_labels:
            each: Callable[..., Iterator[tuple[Path, pd.DataFrame] | Skipped]]
            each = import_module(self.module).parse_each
            return each(sources, **options)
        parse = self.parser(**options)
        return read_each(sources, read_one)

    def batches(
        self, sources: Sequence[Path], report: Progress, group_by: str | None = None, **options: Any
    ) -> Iterator[Batch]:
        """Yield what is to be stored, one after the other; of all formats but `auto` it is one.

        Parameters
        ----------
        report
            Called after each recording that was read.
        group_by
            What stays together in splits (`grouping.HOW`); None: the source's groups, else guessed from names.

        Raises
        ------
        LabeltoolError
            When nothing can be read, or as `require_options`.
        """
        from labeltool.importers.grouping import grouped

        self.require_options(options)
        module = import_module(self.module)
        batches: Iterable[Batch] = [Batch(self.name, tuple(sources), self.read(sources, **options))]
        if hasattr(module, "batches"):
            batches = module.batches(sources, **options)
        for batch in batches:
            yield replace(batch, records=grouped(_reported(batch.records, report), group_by))

    def read(self, sources: Sequence[Path], **options: Any) -> Iterator[Imported]:
        """Import the format's module and read the sources with it; options as in `options`."""
        if self.is_labels:
            from labeltool.importers.label_records import read_labels

            audio = options.get("audio", sources[0] if self.takes == "directory" else None)
            return read_labels(sources, self.parser(**options), audio, options.get("checked", False))
        reader: Reader = import_module(self.module).read
        if self.takes == "directory":
            (directory,) = sources
            return reader(directory, **options)
        return reader(sources, **options)


@dataclass(frozen=True, slots=True)
class Batch:
    """What is stored at once: the format as which it is stored, what was read, and its records."""

    kind: str
    sources: tuple[Path, ...]
    records: Iterator[Imported]

    @property
    def source(self) -> str:
        """The files and folders, on one line."""
        return ", ".join(str(path) for path in self.sources)


def _reported(records: Iterator[Imported], report: Progress) -> Iterator[Imported]:
    numbers = count(1)
    for record in records:
        if isinstance(record, Recording):
            report("reading", next(numbers), 0, Path(record.path).name)
            if record.fault is not None:
                yield Damaged(record.path, None, record.fault)
        yield record


def _by_name(*formats: Format) -> Registry[Format]:
    own = {one.name: replace(one, module=f"labeltool.importers.{one.module}") for one in formats}
    return Registry("labeltool.importers", own, instance_named(Format))


_ENCODING = Option("encoding", "name", "Encoding of the text, such as cp1252 or shift_jis.  [default: found out]")
_COLUMN = Option("column", "pairs", "What a column means: label=species, start=onset...  [default: by its name]")
_LABEL_FILES = (
    Option(
        "audio", "path", "The recording, or a folder with them; without it, as named in FILE, or of its name beside it."
    ),
    Option("checked", "flag", "The labels are of every sound: outside them is background.", default=False),
    _ENCODING,
)


_BANDS: tuple[Carried, ...] = ("regions", "bands", "confidence")


def _label_files(name: str, help: str, module: str, *carries: Carried) -> Format:
    return Format(name, help, module, "files", "FILE", _LABEL_FILES, is_labels=True, carries=carries)


FORMATS = _by_name(
    Format(
        "auto",
        "Files of any format, by their content. Folders with everything in them, URLs of recordings.",
        "auto",
        "paths",
        "PATH",
        (_ENCODING,),
    ),
    Format(
        "table",
        "A table of labels: CSV, TSV, JSON, Parquet. Those of Raven, BirdNET, DCASE, FSD50K, AudioSet, hoplite and "
        "more are known by their header, --column names other columns.",
        "tables.table",
        "files",
        "FILE",
        (*_LABEL_FILES, _COLUMN),
        is_labels=True,
        carries=("regions", "bands", "absent", "unsure", "confidence", "groups", "folds", "licence"),
    ),
    Format(
        "folders",
        "A folder of sounds for each label. In DIR/LABEL or DIR/train/LABEL.",
        "folders",
        "directory",
        "DIR",
        is_labels=True,
    ),
    _label_files(
        "audacity",
        "Labels of Audacity: exported tracks and projects. Text, .srt, .vtt, .aup, .aup3, .aup4, known by the content.",
        "audacity",
        *_BANDS,
    ),
    _label_files(
        "textgrid",
        "TextGrids of Praat. Long or short text; a tier becomes a track.",
        "annotation_files.textgrid",
        "regions",
    ),
    _label_files(
        "label-studio",
        "Label Studio's exports. JSON, JSON-MIN, CSV, TSV, or tasks; predictions are not taken.",
        "annotation_files.label_studio",
        "regions",
    ),
    _label_files(
        "jams",
        "JAMS, such as scaper's soundscapes. Annotations of every namespace that has labels.",
        "annotation_files.jams",
        *("regions", "confidence"),
    ),
    _label_files(
        "soundevent",
        "AOEF of soundevent and Whombat. Tags of clips and sound events.",
        "annotation_files.soundevent",
        *("regions", "bands"),
    ),
    _label_files(
        "elan", "Annotations of ELAN. .eaf files; a tier becomes a track.", "annotation_files.elan", "regions"
    ),
    _label_files("avianz", "Annotations of AviaNZ. NAME.wav.data.", "annotation_files.avianz", *_BANDS, "unsure"),
    _label_files("via", "Segments of VGG's VIA 3. Projects and exports.", "annotation_files.via", "regions"),
    _label_files("audino", "Exports of audino. Transcriptions are not taken.", "annotation_files.audino", "regions"),
    _label_files("htk", "Labels of HTK. .lab and .mlf, in units of 100 ns.", "annotation_files.htk", "regions"),
    _label_files("rttm", "RTTM of speaker diarisation.", "annotation_files.rttm", "regions"),
    _label_files(
        "sonic-visualiser",
        "Layers of Sonic Visualiser. .svl.",
        "annotation_files.sonic_visualiser",
        *("regions", "bands"),
    ),
    Format(
        "esc50",
        "ESC-50 as published, with its folds and sources. It is in DIR/meta/esc50.csv and DIR/audio.",
        "tables.esc50",
        "directory",
        "DIR",
        (Option("subset", "choice", "Only the ten classes of ESC-10.", choices=("esc10",)), _ENCODING),
        is_labels=True,
        carries=("groups", "folds", "licence"),
    ),
    Format(
        "urbansound8k",
        "UrbanSound8K as published, with its folds and sources. It is in DIR/metadata and DIR/audio/foldN.",
        "tables.urbansound8k",
        "directory",
        "DIR",
        (_ENCODING,),
        is_labels=True,
        carries=("groups", "folds", "licence"),
    ),
    Format(
        "device",
        "Logs of a device that runs an exported model. Its predictions and events become suggestions.",
        "device_log",
        "files",
        "LOG",
        (
            Option("audio", "path", "The recording; without it, the one beside each LOG with the same name."),
            Option("clip_seconds", "seconds", "Length of the clips.", default=2.0),
        ),
        carries=("regions", "confidence"),
    ),
    Format(
        "audio",
        "Recordings without labels: files, or directories of them.",
        "audio_files",
        "paths",
        "PATH",
        (
            Option("clip_seconds", "seconds", "Cut recordings into clips of this length; without it, one clip each."),
            Option(
                "hop_seconds",
                "seconds",
                "From one clip's start to the next; without it, the clip's length.",
                needs="clip_seconds",
            ),
        ),
    ),
)
"""Formats by the name that `labeltool import NAME` takes, in the order of the help page."""
