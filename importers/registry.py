"""The foreign formats that `labeltool import` reads.

To add one: write a module with a generator `read(sources, ...)` that yields records, and add an entry to `FORMATS`.
`labeltool import NAME`, with its argument and its options, is made from that entry. This module imports no reader
until one is used, so that `labeltool import --help` stays light. Another distribution adds a `Format` through an entry
point of the group `labeltool.importers` (`util/plugins.py`).
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

from labeltool.records import Carried, Imported
from labeltool.util.plugins import Registry, instance_named

Kind = Literal["path", "seconds", "choice", "flag", "name"]


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
        What the value is: a path, a number (seconds), one of `choices`, a name, or a flag, which has no value.
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
        Name of the module that has its `read` function; in this file without `labeltool.importers.`.
    takes
        `files`: one or several; `directory`: exactly one; `paths`: one or several files or directories.
    metavar
        Name of that argument on the help page.
    options
        The options of its reader.
    carries
        What files of the format can say beside the label of a recording.
    """

    name: str
    help: str
    module: str
    takes: Literal["files", "directory", "paths"]
    metavar: str
    options: tuple[Option, ...] = ()
    carries: tuple[Carried, ...] = ()

    def read(self, sources: Sequence[Path], **options: Any) -> Iterator[Imported]:
        """Import the format's module and read the sources with it; options as in `options`.

        Raises
        ------
        LabeltoolError
            When a source cannot be read at all.
        """
        reader: Reader = importlib.import_module(self.module).read
        if self.takes == "directory":
            (directory,) = sources
            return reader(directory, **options)
        return reader(sources, **options)


def _by_name(*formats: Format) -> Registry[Format]:
    own = {one.name: replace(one, module=f"labeltool.importers.{one.module}") for one in formats}
    return Registry("labeltool.importers", own, instance_named(Format))


def _audio_option(metavar: str) -> Option:
    return Option("audio", "path", f"The recording; without it, the one beside each {metavar} with the same name.")


_ENCODING = Option("encoding", "name", "Encoding of the text, such as cp1252 or shift_jis.  [default: found out]")

FORMATS = _by_name(
    Format(
        "audacity",
        "Labels of Audacity: exported tracks and projects. Text, .srt, .vtt, .aup3 and .aup, known by the content.",
        "audacity",
        "files",
        "FILE",
        (
            _audio_option("FILE"),
            Option(
                "checked", "flag", "The tracks have every sound: outside their labels is background.", default=False
            ),
            _ENCODING,
        ),
        carries=("regions", "bands", "confidence"),
    ),
    Format(
        "esc50",
        "ESC-50 as published, with its folds and sources. It is in DIR/meta/esc50.csv and DIR/audio.",
        "esc50",
        "directory",
        "DIR",
        (Option("subset", "choice", "Only the ten classes of ESC-10.", choices=("esc10",)), _ENCODING),
        carries=("groups", "folds", "licence"),
    ),
    Format(
        "urbansound8k",
        "UrbanSound8K as published, with its folds and sources. It is in DIR/metadata and DIR/audio/foldN.",
        "urbansound8k",
        "directory",
        "DIR",
        (_ENCODING,),
        carries=("groups", "folds", "licence"),
    ),
    Format(
        "device",
        "Logs of a device that runs an exported model. Its predictions and events become suggestions.",
        "device_log",
        "files",
        "LOG",
        (_audio_option("LOG"), Option("clip_seconds", "seconds", "Length of the clips.", default=2.0)),
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
