"""Files and folders of any format: each file is recognised by its content and read by the reader of its format."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from labeltool.audio.files import AUDIO_SUFFIXES, SUFFIXES_NOT_READ
from labeltool.audio.remote.listing import are_urls
from labeltool.errors import LabeltoolError
from labeltool.importers.base import marked_encoding, project_notes, quoted, read_each
from labeltool.importers.file_kinds import file_kind
from labeltool.importers.folders import SPLITS
from labeltool.importers.registry import FORMATS, Batch, Format
from labeltool.importers.tables import json_table
from labeltool.importers.tables.text import fields_in, looks_like_labels
from labeltool.records import Failed, Imported, Note, Recording, Skipped
from labeltool.util.files.project_names import searched
from labeltool.util.urls import as_url, is_url

if TYPE_CHECKING:
    import pandas as pd

_SOUND_SUFFIXES = AUDIO_SUFFIXES | SUFFIXES_NOT_READ
_MAX_FILES = 1_000_000
_HEAD_BYTES = 1 << 16
_MAX_SHOWN = 6
_NAMED = "`labeltool import table --column label=NAME` names them, with file=, start=, end= for others"
_REMEDIES = {
    "spreadsheet": ": save a spreadsheet as CSV",
    "json": f"; where it is a list of objects with sounds and labels, {_NAMED}",
}
_LABEL_LINE = re.compile(
    r"(?:\s|#[^\n]*\n)*[+-]?(?:[\d.,:]{1,30}(?:e[+-]?\d{1,3})?|nan|inf)(?:\t|[\r\n]|$| +\d{1,9}\.\d{1,9} +[^\s\d.,+-])",
    re.ASCII | re.IGNORECASE,
)
# Folders of sounds that are called after a place, a time or a part of a data set, not after what sounds in them.
_NO_LABEL = re.compile(
    r"(?:audio|sounds?|wavs?|recordings?|clips?|data|files?|raw|fold|site|station|plot|loc\w*|rec\w*|card|sd|day|night"
    r"|week|session|trip|am|swift|unit)[ _-]?\d*|.*\d{4}.*|[\d _-]+",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class KnownSource:
    """A file or a folder.

    Attributes
    ----------
    path, format
        It, and the format that reads it.
    words
        What it is, for a person; "" for a sound that is not named by itself.
    root
        The folder with its sounds.
    kind
        The format as which it is stored, where it has one of its own: an import of that name finds it there already.
    """

    path: Path
    format: Format
    words: str
    root: Path | None = None
    kind: str = ""

    def options(self, encoding: str | None) -> dict[str, object]:
        """Return the options with which its format reads it."""
        known = {option.name for option in self.format.options}
        given = {"encoding": encoding, "audio": self.root if self.format.is_labels else None}
        return {name: value for name, value in given.items() if name in known and value is not None}


def sources(paths: Sequence[Path]) -> Iterator[KnownSource | Skipped]:
    """Yield what is known at or below paths, and what nobody reads; sounds that are named one by one come last."""
    for path in paths:
        if is_url(path):
            yield KnownSource(path, FORMATS["audio"], "remote recordings without labels")
        elif path.is_dir():
            yield from _in_folder(path)
        else:
            yield _known(path, None)


def read(paths: Sequence[Path], encoding: str | None = None) -> Iterator[Imported]:
    """Read everything that is known at or below paths: the records of all `batches`."""
    for batch in batches(paths, encoding):
        yield from batch.records


def batches(paths: Sequence[Path], encoding: str | None = None) -> Iterator[Batch]:
    """Yield what is known at or below paths, by the format that reads it.

    Parameters
    ----------
    paths
        Files and folders, and URLs of recordings as `audio_files.read` takes them. Of a folder, label files find their
        sounds anywhere below it; other sounds are recordings without labels. Where it has no label files, and folders
        that are called after what sounds in them, those are the labels.
    encoding
        Of the files that are text; None to find out.

    Yields
    ------
    Batch
        First a note for each file or folder, what it was taken for, and a `Skipped` for what nobody reads. Each is to
        be read to its end before the next.

    Raises
    ------
    LabeltoolError
        When nothing at all is taken; of the only file, as its format.
    """
    found = list(sources(paths))
    known = [one for one in found if isinstance(one, KnownSource)]
    if not known:
        first = next((one for one in found if isinstance(one, Skipped)), None)
        if first is None:
            raise LabeltoolError("has no sounds and no labels", file=paths[0], remedy="give a folder with some")
        raise LabeltoolError(f"nothing was taken: {first.reason}", file=first.file)
    yield Batch("auto", tuple(paths), _as_notes(found))
    taken: set[str] = set()
    for group in _groups(known):
        records = _records(group, taken, encoding, is_only=len(known) == 1)
        yield Batch(group[0].kind or group[0].format.name, tuple(one.root or one.path for one in group[:1]), records)


def _records(group: list[KnownSource], taken: set[str], encoding: str | None, *, is_only: bool) -> Iterator[Imported]:
    """Read what one call of a format reads, and note its sounds; of sounds without a name, those not noted yet."""
    if not group[0].words:
        group = [one for one in group if str(one.path.resolve()) not in taken]
        if not group:
            return
        yield Note(str(group[0].root), None, f"taken for: {_without_labels(len(group))}")
    try:
        for record in group[0].format.read([one.path for one in group], **group[0].options(encoding)):
            if isinstance(record, Recording | Failed):
                taken.add(record.path if isinstance(record, Recording) else record.file)
            yield record
    except LabeltoolError as error:
        if is_only:
            raise
        yield Failed.of(error, group[0].path)


def parse_each(paths: Sequence[Path], encoding: str | None = None) -> Iterator[tuple[Path, pd.DataFrame] | Skipped]:
    """Yield the label files at or below paths with their rows, as `read` takes them, and what is not taken."""
    found = list(sources(paths))
    yield from _as_notes(found)
    by_path = {one.path: one for one in found if isinstance(one, KnownSource) and one.format.is_labels}

    def parse(path: Path) -> Iterator[tuple[Path, pd.DataFrame] | Skipped]:
        return by_path[path].format.parse_each([path], **by_path[path].options(encoding))

    yield from read_each(list(by_path), parse)


def _as_notes(found: Sequence[KnownSource | Skipped]) -> Iterator[Note | Skipped]:
    for one in found:
        if isinstance(one, Skipped):
            yield one
        elif one.words:
            yield Note(as_url(one.path), None, f"taken for: {one.words}")


def _groups(known: Sequence[KnownSource]) -> list[list[KnownSource]]:
    """Return what one call of a format reads: its files of one folder; sounds without labels at the end."""
    groups: dict[tuple[bool, str, str, Path | None, int], list[KnownSource]] = {}
    for number, one in enumerate(known):
        is_alone = one.format.takes == "directory"
        key = (not one.words, one.format.name, one.kind, one.root, number if is_alone else -1)
        groups.setdefault(key, []).append(one)
    return [groups[key] for key in sorted(groups, key=lambda key: key[0])]


def _in_folder(folder: Path) -> Iterator[KnownSource | Skipped]:
    sounds: list[Path] = []
    labels = 0
    for path in islice(_files(folder), _MAX_FILES):
        if path.suffix.lower() in _SOUND_SUFFIXES:
            sounds.append(path)
            continue
        one = _known(path, folder)
        labels += isinstance(one, KnownSource) and one.format.is_labels
        yield one
    above = _shared_folder(folder, sounds)
    if sounds and not labels and _are_labels(above, sounds):
        yield KnownSource(above, FORMATS["folders"], "a folder of sounds for each label")
    elif sounds and not labels:
        yield KnownSource(folder, FORMATS["audio"], _without_labels(len(sounds)))
    else:
        yield from project_notes([folder])  # which the formats above give themselves
        # Those that no label file names; they are not named one by one.
        yield from (KnownSource(path, FORMATS["audio"], "", folder) for path in sounds)


def _without_labels(sounds: int) -> str:
    return f"{sounds} recording{'' if sounds == 1 else 's'} without labels"


def _files(folder: Path) -> Iterator[Path]:
    for here, folders, names in os.walk(folder):
        wanted = searched([*folders, *names])
        below = set(folders)
        yield from (Path(here, name) for name in wanted if name not in below)
        folders[:] = [name for name in wanted if name in below]


def _shared_folder(folder: Path, sounds: Sequence[Path]) -> Path:
    """Return the folder that all sounds below one are in, where archives have a folder of their own around others."""
    parts = [sound.relative_to(folder).parent.parts for sound in sounds]
    shared = takewhile(
        lambda level: len(set(level)) == 1 and level[0].casefold() not in SPLITS, zip(*parts, strict=False)
    )
    return folder.joinpath(*(level[0] for level in shared))


def _are_labels(folder: Path, sounds: Sequence[Path]) -> bool:
    """Return whether sounds lie in folders that are called after what sounds in them."""
    labels: Counter[str] = Counter()
    for sound in sounds:
        *folders, _ = sound.relative_to(folder).parts
        if folders and folders[0].casefold() in SPLITS:
            folders = folders[1:]
        labels[folders[0] if folders else ""] += 1
    return len(labels) > 1 and not any(name == "" or _NO_LABEL.fullmatch(name) for name in labels)


def _known(path: Path, root: Path | None) -> KnownSource | Skipped:
    if path.exists() and not path.is_file():  # a pipe, a socket or a device: reading it would never end
        return Skipped(str(path), None, "not taken: is not a regular file")
    kind = file_kind(path)
    if kind is not None and kind.importer is not None:
        one = FORMATS[kind.importer]
        # The table of a data set may lie alone, or its sounds elsewhere.
        return KnownSource(path, FORMATS["table"] if one.takes == "directory" else one, kind.words, root, one.name)
    if kind is not None and kind.name == "json" and json_table.looks_like_labels(_head(path)):
        return KnownSource(path, FORMATS["table"], "a table as JSON", root)
    if kind is not None:
        return Skipped(
            str(path), None, f"not taken: is {kind.words}, which no format reads{_REMEDIES.get(kind.name, '')}"
        )
    if path.suffix.lower() in _SOUND_SUFFIXES:
        return KnownSource(path, FORMATS["audio"], "a recording without labels")
    if path.suffix.lower() == ".tflite":
        return Skipped(str(path), None, "not taken: is a model; `labeltool model add FILE` adds it to the project")
    try:
        head = _head(path)
    except FileNotFoundError:
        return Failed(str(path), None, "not taken: no such file")
    except (OSError, ValueError) as error:
        return Failed(str(path), None, f"not taken: cannot be read: {getattr(error, 'strerror', error)}")
    if _LABEL_LINE.match(head):
        return KnownSource(path, FORMATS["audacity"], "a label track", root)
    if looks_like_labels(head):
        return KnownSource(path, FORMATS["table"], "a table of labels", root)
    reason = "no format reads it" if head.strip() else "is empty"
    if are_urls(head if path.stat().st_size <= _HEAD_BYTES else head.rpartition("\n")[0], path.suffix.lower()):
        if root is None:
            return KnownSource(path, FORMATS["audio"], "a list of URLs of recordings")
        # A folder may be a stranger's: no text in it makes this machine ask another one for something.
        reason = "is a list of URLs; `labeltool import audio FILE` imports what it lists"
        return Skipped(str(path), None, f"not taken: {reason}")
    if len(fields := fields_in(head)) > 1:
        shown = ", ".join(map(quoted, fields[:_MAX_SHOWN]))
        reason = f"is no table that is known by its columns ({shown}): {_NAMED}; without a header by numbers from 1"
    return Skipped(str(path), None, f"not taken: {reason}")


def _head(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    return head.decode(marked_encoding(head) or "utf-8", "ignore")
