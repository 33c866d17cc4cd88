"""What the readers have in common: text of unknown encoding, tables in CSV, and clips measured in microseconds."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from labeltool.audio.files import AUDIO_SUFFIXES, AudioFile, describe
from labeltool.errors import LabeltoolError
from labeltool.records import Clip, Imported, Recording, Skipped, Verdict
from labeltool.util.time_grid import MICROSECONDS, length_us

# The longest mark first: UTF-32's little-endian one begins with UTF-16's.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NEVER_IN_TEXT = re.compile(r"[\x00-\x08\x0e-\x19\x1c-\x1f]")
_HEAD_BYTES = 65536
# What people and programs add to a recording's name to name its labels.
_ADDED_TO_STEM = re.compile(r"[._ -](?:audacity|labels?|label[ _-]?track|birdnet(?:\.results)?)$", re.IGNORECASE)
_LONGEST_SHOWN = 40


def shown(text: str) -> str:
    """Quote what a file says for a message: one line, printable, short, whatever it holds."""
    cut = text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "..."
    return "'" + "".join(character if character.isprintable() else ascii(character)[1:-1] for character in cut) + "'"


def reason_of(error: LabeltoolError) -> str:
    """Tell an error as the reason of a `Skipped`, which names the file itself."""
    return error.reason + (f" ({error.remedy})" if error.remedy else "")


def read_text(path: Path, kind: str, remedy: str) -> str:
    """Read a text file as Audacity and spreadsheets may have written it.

    A byte order mark (UTF-8, UTF-16, UTF-32) decides; else UTF-8, and Latin-1 where the bytes are not UTF-8.

    Parameters
    ----------
    path
        The file.
    kind, remedy
        For the error when it is no text: "is not `kind`", and what to do.

    Raises
    ------
    LabeltoolError
        When it is missing, a directory, unreadable or binary.
    """
    binary = LabeltoolError(f"is not {kind}: it holds binary data", file=path, remedy=remedy)
    try:
        with path.open("rb") as file:
            content = file.read(_HEAD_BYTES)
            encoding = next((name for mark, name in _BYTE_ORDER_MARKS if content.startswith(mark)), "utf-8")
            # A sound of gigabytes given by mistake is known by its head.
            if encoding.startswith("utf-8") and b"\0" in content:
                raise binary
            content += file.read()
    except FileNotFoundError as error:
        raise LabeltoolError("no such file", file=path, remedy="check the name") from error
    except IsADirectoryError as error:
        raise LabeltoolError(f"is a directory, not {kind}", file=path, remedy=remedy) from error
    except OSError as error:
        raise LabeltoolError(f"cannot be read: {error.strerror}", file=path) from error
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise binary from error
        text = content.decode("latin-1")
        # Latin-1 makes text of any bytes, so here one control character is enough to know better.
        if _NEVER_IN_TEXT.search(text):
            raise binary from error
    if "\0" in text:
        raise binary
    return text


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row of a table: the line it ends on, and its fields by the header's names."""

    line: int
    fields: Mapping[str, str]


def read_table(
    path: Path, columns: Collection[str], renamed: Mapping[str, str] | None = None
) -> Iterator[TableRow | Skipped]:
    """Read a CSV with a header; every field stays text. Rows without a field in any column are passed over.

    Parameters
    ----------
    path
        The file: comma-separated, any line ends, encodings as in `read_text`.
    columns
        The columns that must be there; others may be.
    renamed
        Names under which some copies of the table carry a column, and the name it has here.

    Yields
    ------
    TableRow or Skipped
        Skipped is a row whose number of fields is not the header's.

    Raises
    ------
    LabeltoolError
        When it is no text, lacks columns, or a quotation mark in it is never closed.
    """
    text = read_text(path, "a CSV table", "give the data set as it is published")
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)  # strict: a stray quote must not swallow the rest
    header: list[str] = []
    try:
        for row in rows:
            if not any(field.strip() for field in row):
                continue
            if not header:
                header = [(renamed or {}).get(name.strip(), name.strip()) for name in row]
                _require(path, header, columns)
            elif len(row) != len(header):
                yield Skipped(str(path), rows.line_num, f"has {len(row)} fields where the header has {len(header)}")
            else:
                yield TableRow(rows.line_num, dict(zip(header, row, strict=True)))
    except csv.Error as error:
        raise LabeltoolError(f"is not a CSV table that can be read: {error}", file=path, line=rows.line_num) from error
    if not header:
        _require(path, header, columns)


def _require(path: Path, header: Collection[str], columns: Collection[str]) -> None:
    missing = [name for name in columns if name not in header]
    if missing:
        raise LabeltoolError(
            f"has no column {', '.join(missing)}" if header else "is empty: not even a header",
            file=path,
            line=1 if header else None,
            remedy=f"its columns must include {', '.join(columns)}",
        )


def recording_of(sound: AudioFile, group: str | None = None, licence: str | None = None) -> Recording:
    """Make the record of a sound file; its group is its content where the source names none."""
    return Recording(
        path=sound.path,
        sha256=sound.sha256,
        sample_rate_hz=sound.sample_rate_hz,
        channels=sound.channels,
        frames=sound.frames,
        group=group if group is not None else sound.sha256,
        licence=licence,
    )


def clip_of(recording: Recording, start_us: int, end_us: int, fold: int | None = None) -> Clip:
    """Make the clip from one microsecond to another."""
    return Clip(recording.sha256, start_us / MICROSECONDS, end_us / MICROSECONDS, fold)


def whole_clip(recording: Recording, fold: int | None = None) -> Clip:
    """Make the clip that is all of a recording."""
    return clip_of(recording, 0, length_us(recording.frames, recording.sample_rate_hz), fold)


@dataclass(frozen=True, slots=True)
class Listed:
    """What one row of a data set's table says: a sound file in a folder, its fold and its label."""

    line: int
    folder: Path
    name: str
    group: str
    fold: int
    label: str
    licence: str


def read_listed(
    table: Path,
    columns: Collection[str],
    entry_of: Callable[[TableRow], Listed | None],
    renamed: Mapping[str, str] | None = None,
) -> Iterator[Imported]:
    """Turn a data set's table into records: a recording, one clip of its whole length and one verdict for each row.

    A file that is listed but not there, or no sound, is skipped; `.flac`, `.ogg` (and `.wav`) stand in for one another.
    Folders are listed once: a table of thousands of absent files costs no more than reading it.

    Parameters
    ----------
    table, columns, renamed
        As in `read_table`.
    entry_of
        Reads one row; None where the row is not asked for; raises ValueError, with a reason for people, where it cannot
        be right.

    Raises
    ------
    LabeltoolError
        When the table cannot be read, or nothing at all could be taken.
    """
    names: dict[Path, frozenset[str]] = {}
    first_lines: dict[tuple[Path, str, int, str], int] = {}
    first_skipped: Skipped | None = None
    taken = False
    for row in read_table(table, columns, renamed):
        try:
            entry = row if isinstance(row, Skipped) else entry_of(row)
        except ValueError as error:
            entry = Skipped(str(table), row.line, str(error))
        if entry is None:
            continue
        for record in (entry,) if isinstance(entry, Skipped) else _records(table, entry, names, first_lines):
            if isinstance(record, Skipped):
                first_skipped = first_skipped or record
            else:
                taken = True
            yield record
    if taken:
        return
    if first_skipped is None:
        raise LabeltoolError("lists no files that were asked for", file=table)
    raise LabeltoolError(
        f"nothing it lists could be imported, beginning with {first_skipped.file}: {first_skipped.reason}",
        file=table,
        line=first_skipped.line,
    )


def _records(
    table: Path,
    entry: Listed,
    names: dict[Path, frozenset[str]],
    first_lines: dict[tuple[Path, str, int, str], int],
) -> Iterator[Imported]:
    if not _is_plain_name(entry.name):
        yield Skipped(str(table), entry.line, f"{shown(entry.name)} is not the name of a file in {entry.folder.name}/")
        return
    if not entry.label.strip():
        yield Skipped(str(table), entry.line, f"names no label for {shown(entry.name)}")
        return
    first_line = first_lines.setdefault((entry.folder, entry.name, entry.fold, entry.label), entry.line)
    if first_line != entry.line:
        yield Skipped(str(table), entry.line, f"says again what line {first_line} says")
        return
    if entry.folder not in names:
        names[entry.folder] = _names_in(entry.folder)
    stem = entry.name.rpartition(".")[0] or entry.name
    stand_ins = (entry.name, *(stem + suffix for suffix in (".wav", ".flac", ".ogg")))
    name = next((name for name in stand_ins if name in names[entry.folder]), None)
    if name is None:
        yield Skipped(str(entry.folder / entry.name), entry.line, "listed but not there")
        return
    try:
        recording = recording_of(describe(entry.folder / name), entry.group, entry.licence)
    except LabeltoolError as error:
        yield Skipped(str(entry.folder / name), entry.line, reason_of(error))
        return
    clip = whole_clip(recording, entry.fold)
    yield recording
    yield clip
    yield Verdict(clip, entry.label, file=str(table.resolve()), line=entry.line)


def _is_plain_name(name: str) -> bool:
    """Tell a file's name from a path: a table may not lead out of its data set."""
    return name not in ("", ".", "..") and not any(character in name for character in "/\\\0")


def _names_in(folder: Path) -> frozenset[str]:
    try:
        return frozenset(entry.name for entry in folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()


def find_table(directory: Path, folder: str, name: str) -> Path:
    """Find a data set's table at `directory/folder/name`.

    Raises
    ------
    LabeltoolError
        When the directory is missing or none, or the table is not in it.
    """
    if not directory.exists():
        raise LabeltoolError("no such directory", file=directory, remedy="check the name")
    if not directory.is_dir():
        raise LabeltoolError("is a file, not the directory of a data set", file=directory)
    table = directory / folder / name
    if not table.exists():
        raise LabeltoolError(
            f"holds no {folder}/{name}", file=directory, remedy=f"give the directory that holds {folder}/ and audio/"
        )
    return table


def fold_of(text: str, folds: int) -> int:
    """Read an official fold, 1 to `folds`.

    Raises
    ------
    ValueError
        With a reason for people, when it is none.
    """
    if not re.fullmatch(r"\s*[0-9]{1,4}\s*", text):
        raise ValueError(f"fold {shown(text)} is not a number")
    if not 1 <= int(text) <= folds:
        raise ValueError(f"fold {int(text)} is not one of the {folds} official folds")
    return int(text)


def sound_beside(file: Path) -> Path:
    """Find the recording that a file of labels or scores speaks of: beside it, under the same stem.

    Raises
    ------
    LabeltoolError
        When there is none, or more than one.
    """
    stems = [file.stem, _ADDED_TO_STEM.sub("", file.stem)]
    for stem in dict.fromkeys(stems):
        suffixes = sorted(AUDIO_SUFFIXES) + [suffix.upper() for suffix in sorted(AUDIO_SUFFIXES)]
        if Path(stem).suffix.lower() in AUDIO_SUFFIXES:
            suffixes.append("")  # dawn.wav.txt labels dawn.wav
        candidates = (file.with_name(stem + suffix) for suffix in suffixes)
        found = [sound for sound in candidates if sound.is_file()]
        if len(found) > 1:
            names = ", ".join(sound.name for sound in found)
            raise LabeltoolError(f"has several sounds beside it: {names}", file=file, remedy="say which with --audio")
        if found:
            return found[0]
    raise LabeltoolError(
        f"has no sound beside it: no {shown(stems[-1] + '.wav')} (or .flac, .ogg, .mp3...)",
        file=file,
        remedy="name the recording with --audio",
    )
