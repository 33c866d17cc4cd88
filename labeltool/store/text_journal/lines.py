"""The journal as text: JSON lines that mean the same in somebody else's project.

The first line names the format. Then come labels, imports, joined groups, each recording followed by its clips, and the
rows of the journal in their order. A line refers only to lines before it: a recording is its SHA-256, a clip its start
and end in it, an import the hash of its line, a row its id. What was computed from sounds stays behind: models,
suggestions, transcripts, regions that only a model detected. The format is described in `docs/journal.md`.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import IO, Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from labeltool.errors import LabeltoolError
from labeltool.store.database import Store
from labeltool.store.groups import MAX_NAME_CHARACTERS
from labeltool.store.labels import LABEL_ORDER, checked_name
from labeltool.util.urls import checked_url, is_url

VERSION = 2
"""The version of the format that is written; older ones are read, newer ones refused."""

MAX_LINE_BYTES = 1 << 24
"""No line is longer: the longest that a project can have lists the files of one import's command line."""

_MAX_REASON = 200

_Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
_Seconds = Annotated[float, Meta(ge=0)]
_Text = Annotated[str, Meta(min_length=1)]
_Name = Annotated[str, Meta(max_length=MAX_NAME_CHARACTERS)]
_Sha256 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
# The first digit keeps an id below the half of all, so that there is always a later one for the next row.
_RowId = Annotated[str, Meta(pattern=r"\A[0-7][0-9a-f]{7}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\Z")]
_Time = Annotated[str, Meta(pattern=r"\A[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}(\.[0-9]{1,6})?Z\Z")]


class _Line(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="type"):
    """A line; its keys are in the order of the fields, those of None are omitted."""

    def check(self) -> None:
        """Check what the types of the fields do not; not done in `__post_init__`, for what is stored is exported.

        Raises
        ------
        ValueError, LabeltoolError
            With what is wrong.
        """


class Header(_Line, frozen=True, tag="labeltool journal"):
    """The first line."""

    version: int


class LabelLine(_Line, frozen=True, tag="label"):
    """A label of the project; which names were renamed is in the rows."""

    name: _Text
    created_at: _Time
    hotkey: str | None = None
    colour: str | None = None
    retired_at: _Time | None = None
    look_set_at: _Time | None = None

    def check(self) -> None:
        """Check the name and the times."""
        checked_name(self.name)
        for time in (self.created_at, self.retired_at, self.look_set_at):
            if time is not None:
                _check_time(time)


class ImportLine(_Line, frozen=True, tag="import"):
    """An import that rows came from, without its report of what was skipped."""

    kind: str
    source: str
    sha256: str
    imported_at: _Time
    recordings: _Count
    clips: _Count
    verdicts: _Count

    @property
    def key(self) -> str:
        """By what the rows name it."""
        return hashlib.sha256(_ENCODER.encode(self)).hexdigest()[:32]


class GroupLine(_Line, frozen=True, tag="group"):
    """A group of recordings that was joined to another."""

    alias: str
    name: str


class RecordingLine(_Line, frozen=True, tag="recording"):
    """A sound file: by its content, with the place it had; `group` is the one that an import gave."""

    sha256: _Sha256
    path: Annotated[str, Meta(min_length=1, max_length=4096)]
    sample_rate_hz: Annotated[int, Meta(ge=1, le=10**8)]
    channels: Annotated[int, Meta(ge=1, le=10**4)]
    frames: _Count
    group: str
    added_at: _Time
    licence: str | None = None
    samples_sha256: _Sha256 | None = None
    columns: Annotated[dict[_Name, _Name], Meta(max_length=1000)] = {}

    def check(self) -> None:
        """Check the path, the duration and the time."""
        if is_url(self.path):
            checked_url(self.path)
        # Longer names are no file's, and every look for one would fail.
        elif "\0" in self.path or any(len(part.encode()) > 255 for part in self.path.split("/")):
            raise ValueError("no path of a file")
        _check_time(self.added_at)

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.frames / self.sample_rate_hz


LONGEST_S = 2.0**63
"""An older version took lengths from headers, and some claim as many samples as can be written."""


class ClipLine(_Line, frozen=True, tag="clip"):
    """A clip of a recording; `id` is its number, the smallest of all projects', which it gets where that is free."""

    id: Annotated[int, Meta(ge=1, le=2**31)]
    recording: _Sha256
    start_s: _Seconds
    end_s: _Seconds
    fold: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    is_region: bool = False


# fmt: off
_Kind = Literal[
    "verdict", "skip", "bad audio", "note", "revoke", "rename", "checked", "remove", "group",
    "define", "example", "parent", "retire", "split", "lock",
]
# fmt: on
_OF_CLIP = ("verdict", "skip", "bad audio", "note", "checked", "example")
_OF_LABEL = ("rename", "define", "example", "parent", "retire", "split")


class RowLine(_Line, frozen=True, tag="row"):
    """A row of the journal; the names are those of its columns, clip and import apart.

    Attributes
    ----------
    recording, clip
        The SHA-256 of the recording, and the clip's start and end in it in seconds.
    """

    id: _RowId
    kind: _Kind
    annotator: str
    origin: Literal["human", "suggestion", "import", "rule"]
    created_at: _Time
    recording: _Sha256 | None = None
    clip: tuple[_Seconds, _Seconds] | None = None
    label: _Text | None = None
    value: Literal["present", "absent", "unsure"] | None = None
    new_label: _Text | None = None
    note: str | None = None
    revokes: _RowId | None = None
    redoes: _RowId | None = None
    batch_id: _RowId | None = None
    start_s: float | None = None
    end_s: float | None = None
    low_hz: float | None = None
    high_hz: float | None = None
    confidence: float | None = None
    track: str | None = None
    response_ms: _Count | None = None
    model_uid: str | None = None
    suggested_label: str | None = None
    import_: str | None = msgspec.field(default=None, name="import")
    import_key: str | None = None
    group_name: _Text | None = None

    def check(self) -> None:
        """Check what a row of the kind has, what it refers to, names of labels and the time."""
        for kinds, value in (
            (("verdict",), self.value),
            (("revoke",), self.revokes),
            (("rename", "parent"), self.new_label),
            (("note", "define", "split"), self.note),
            (("group",), self.group_name),
        ):
            if (self.kind in kinds) is not (value is not None):
                raise ValueError(f"what a row of the kind {kinds[0]!r} needs is missing, or is in another")
        if self.kind == "rename" and self.label == self.new_label:
            raise ValueError("a renaming needs two names")
        of_recording, of_clip = self.kind in ("remove", "group", "lock"), self.kind in _OF_CLIP
        if self.clip is None and of_clip:
            raise ValueError(f"a row of the kind {self.kind!r} needs a clip")
        if self.clip is not None and of_recording:
            raise ValueError(f"a row of the kind {self.kind!r} is of a recording, not of a clip")
        if self.label is None and self.kind in _OF_LABEL:
            raise ValueError(f"a row of the kind {self.kind!r} needs a label")
        if (self.recording is None) is not (self.clip is None and not of_recording):
            raise ValueError("a clip needs its recording")
        if any(other is not None and other > self.id for other in (self.revokes, self.redoes, self.batch_id)):
            raise ValueError("refers to a later row")
        for label in (self.label, self.new_label):
            if label is not None:
                checked_name(label)
        _check_time(self.created_at)


Line = Header | LabelLine | ImportLine | GroupLine | RecordingLine | ClipLine | RowLine

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Line)


def _check_time(text: str) -> None:
    datetime.fromisoformat(text)


class _AnyHeader(Struct):
    """What the header of every version has."""

    type: Literal["labeltool journal"]
    version: int


def export_lines(store: Store, is_wanted: Callable[[Line], bool] = lambda _: True) -> Iterator[bytes]:
    """Yield the lines of a project's journal, each with its line end: the same for the same content.

    Raises
    ------
    LabeltoolError
        When the database cannot be read.
    """
    with store.snapshot() as connection:
        for line in filter(is_wanted, _lines(connection)):
            yield _ENCODER.encode(line) + b"\n"


def _lines(connection: sqlite3.Connection) -> Iterator[Line]:
    yield Header(VERSION)
    # By their time, for ids are the project's own; of one import, in the order of their keys.
    for row in connection.execute(
        f"SELECT name, created_at, hotkey, colour, retired_at, look_set_at FROM labels ORDER BY {LABEL_ORDER}"
    ):
        yield LabelLine(*row)
    imports: dict[int, str] = {}
    before = None
    for number, *fields in connection.execute(
        "SELECT id, kind, source, sha256, imported_at, recordings, clips, verdicts FROM imports "
        "ORDER BY imported_at, kind, source, sha256, id"
    ):
        line = ImportLine(*fields)
        imports[number] = line.key
        if line != before:
            yield line
        before = line
    for row in connection.execute("SELECT alias, group_name FROM group_aliases ORDER BY alias"):
        yield GroupLine(*row)
    for number, *fields in connection.execute(
        "SELECT id, sha256, path, sample_rate_hz, channels, frames, COALESCE(imported_group, group_name), added_at, "
        "licence, samples_sha256 FROM recordings ORDER BY added_at, sha256"
    ):
        columns = connection.execute(
            "SELECT name, value FROM recording_columns WHERE recording_id = ? ORDER BY name", (number,)
        )
        fields.append(dict(columns.fetchall()))
        yield RecordingLine(*fields)
        yield from _clip_lines(connection, number, fields[0])
    yield from _row_lines(connection, imports)


def _clip_lines(connection: sqlite3.Connection, recording_id: int, sha256: str) -> Iterator[ClipLine]:
    for number, start_s, end_s, fold, is_region in connection.execute(
        "SELECT COALESCE(id_elsewhere, id), start_s, end_s, fold, is_region FROM clips WHERE recording_id = ? "
        # What only a model detected is not a person's.
        "AND NOT (is_region AND NOT EXISTS (SELECT 1 FROM journal j WHERE j.clip_id = clips.id)) "
        "ORDER BY start_s, end_s",
        (recording_id,),
    ):
        yield ClipLine(number, sha256, start_s, end_s, fold, bool(is_region))


COLUMNS = (
    *("id", "kind", "annotator", "origin", "created_at", "label", "value", "new_label", "note", "revokes", "redoes"),
    *("batch_id", "start_s", "end_s", "low_hz", "high_hz", "confidence", "track", "response_ms", "model_uid"),
    *("suggested_label", "import_key", "group_name"),
)
"""Columns of the journal that a line has under their names."""


def _row_lines(connection: sqlite3.Connection, imports: dict[int, str]) -> Iterator[RowLine]:
    for row in connection.execute(
        f"""
        SELECT {", ".join(f"j.{name}" for name in COLUMNS)}, j.import_id, r.sha256,
               c.start_s AS clip_start_s, c.end_s AS clip_end_s
        FROM journal j LEFT JOIN clips c ON c.id = j.clip_id
        LEFT JOIN recordings r ON r.id = COALESCE(j.recording_id, c.recording_id) ORDER BY j.id
        """
    ):
        yield RowLine(
            **{name: row[name] for name in COLUMNS},
            recording=row["sha256"],
            clip=None if row["clip_start_s"] is None else (row["clip_start_s"], row["clip_end_s"]),
            import_=None if row["import_id"] is None else imports[row["import_id"]],
        )


def read_lines(file: IO[bytes], name: str) -> Iterator[tuple[int, Line | LabeltoolError]]:
    """Yield each line with its number, the first being 1: read and checked, or why it is none of a journal.

    Parameters
    ----------
    file
        Read once, a line at a time.
    name
        What errors call the file.

    Raises
    ------
    LabeltoolError
        When the file is no journal, or of a newer version.
    """
    number = 1
    _check_header(file.readline(MAX_LINE_BYTES + 1), name)
    while text := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(text) > MAX_LINE_BYTES:
            while text and not text.endswith(b"\n"):
                text = file.readline(MAX_LINE_BYTES)
            yield number, LabeltoolError(f"is longer than {MAX_LINE_BYTES >> 20} MB", file=name, line=number)
        elif text.strip():
            yield number, _decoded(_DECODER, text, name, number)


def _check_header(text: bytes, name: str) -> None:
    header = _decoded(msgspec.json.Decoder(_AnyHeader), text.removeprefix(b"\xef\xbb\xbf"), name, 1)
    if isinstance(header, LabeltoolError):
        raise LabeltoolError(
            "is no journal of labeltool", file=name, remedy="`labeltool journal export` writes one"
        ) from header
    if header.version > VERSION:
        raise LabeltoolError(
            f"is a journal of a newer labeltool (version {header.version}, this one reads up to {VERSION})",
            file=name,
            remedy="update labeltool; nothing was changed",
        )


def _decoded(decoder: msgspec.json.Decoder[Any], text: bytes, name: str, number: int) -> Any:
    try:
        line = decoder.decode(text)
        if isinstance(line, _Line):
            line.check()
        return line
    except (msgspec.DecodeError, LabeltoolError, ValueError, RecursionError) as error:
        reason = error.reason if isinstance(error, LabeltoolError) else str(error)
        reason = reason[:_MAX_REASON] or "is nested too deep"
        return LabeltoolError(f"is no line of a journal: {reason}", file=name, line=number)
