"""From the rows of label files to records, whatever the format: recordings, clips and verdicts.

A row becomes a clip (its span, cut to the recording; `POINT_CLIP_S` around a point; the whole recording where it has no
times) and a verdict with the exact bounds. All rows of a file are treated at once, as columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labeltool.audio.files import describe
from labeltool.audio.remote.listing import REQUESTS_AT_ONCE
from labeltool.errors import LabeltoolError
from labeltool.importers.base import quoted, read_each, recording_of, whole_clip
from labeltool.importers.described_files import described
from labeltool.importers.label_rows import LABEL_COLUMNS, ParsedLabels
from labeltool.importers.sound_files import SoundFiles
from labeltool.records import (
    MAX_LABEL_CHARACTERS,
    MAX_TABLE_ROWS,
    Checked,
    Failed,
    Imported,
    Note,
    Recording,
    Skipped,
    VerdictTable,
    label_name,
)
from labeltool.util.time_grid import MICROSECONDS, length_us
from labeltool.util.urls import as_url, is_url

if TYPE_CHECKING:
    import pandas as pd

    from labeltool.type_aliases import Bools, Float64, Int64

POINT_CLIP_S = 1.0
"""Length of the clip around a point label, seconds: a patch of the default frontend."""

# A label that ends later than this after its recording is reported: programs round, but not by that much.
_LATE_S = 10.0

# Of the ends of a band that is the whole one of its recording.
_BAND_SLACK_HZ = 1.0
# Rows of one file that are reported one by one, of each reason.
_MAX_REPORTED = 10_000

Parse = Callable[[Path], ParsedLabels]
"""A reader of one label file; raises a `LabeltoolError` where nothing in it is a label."""


def read_labels(
    sources: Sequence[Path], parse: Parse, audio: Path | None = None, checked: bool = False
) -> Iterator[Imported]:
    """Read label files and their recordings.

    Parameters
    ----------
    sources
        Label files, or folders where `parse` reads those.
    parse
        Reads one of them.
    audio
        The recording of all files, or the folder below which the recordings are; None finds them below the folder of
        each file, and that of rows which name none beside it, with the same stem.
    checked
        Whether the files have every sound of their recordings: outside their labels is background. A recording of
        which one file cannot be read is not checked.

    Yields
    ------
    Recording, VerdictTable, Checked, Skipped or Failed
        A row outside its recording, or whose sound is missing, is skipped; a present row without a label gives a clip
        without a verdict, and a note. Of several files, one that cannot be read, or gives no clip, is `Failed`.

    Raises
    ------
    LabeltoolError
        Of the only file: as `parse`; when no recording is found, and when no row can be used.
    """
    reader = _LabelReader(parse, SoundFiles(audio), checked)
    yield from read_each(sources, reader.records)
    yield from reader.checked_parts()


def with_seconds(file: Path, parsed: ParsedLabels, audio: Path | None) -> tuple[pd.DataFrame, list[Skipped]]:
    """Return rows whose times are in samples with times in seconds; raises as `_LabelReader._sounds_of`."""
    sounds = _LabelReader(lambda _: parsed, SoundFiles(audio), checked=False)._sounds_of(file, parsed.rows)
    has_sound = sounds.per_row(lambda one: one.sample_rate_hz) > 0
    return _in_seconds(parsed.rows, sounds)[has_sound], [one.report for one in sounds.problems]


def _in_seconds(rows: pd.DataFrame, sounds: _Sounds) -> pd.DataFrame:
    rate_hz = sounds.per_row(lambda one: one.sample_rate_hz).clip(min=1)  # 0 without a recording
    return rows.assign(start_s=rows["start_s"] / rate_hz, end_s=rows["end_s"] / rate_hz)


@dataclass(frozen=True, slots=True)
class _Problem:
    """Why something is not imported, and the number of its row in the file."""

    row: int
    report: Skipped
    is_outside: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Sounds:
    """The recordings of a file's rows: `of_row` (rows,) indexes the others; one without a recording is None."""

    of_row: Int64
    recordings: list[Recording | None]
    problems: list[_Problem]

    def per_row(self, value: Callable[[Recording], float]) -> Float64:
        """Return a number of each row's recording, (rows,); 0 where it has none."""
        import numpy as np

        return np.array([0.0 if one is None else value(one) for one in self.recordings], np.float64)[self.of_row]


class _LabelReader:
    """Reads label files one after the other; a recording of several of them is yielded once."""

    def __init__(self, parse: Parse, sounds: SoundFiles, checked: bool) -> None:
        self._parse = parse
        self._sounds = sounds
        self._checked = checked
        self._described: dict[Path, Recording | LabeltoolError] = {}
        self._incomplete: set[Path] = set()
        self._yielded: dict[Recording, None] = {}

    def checked_parts(self) -> Iterator[Checked]:
        """Yield the recordings all of whose files were read, where the files have every sound."""
        incomplete = {str(sound.resolve()) for sound in self._incomplete}
        complete = [one for one in self._yielded if self._checked and one.path not in incomplete]
        for whole in dict.fromkeys(map(whole_clip, complete)):
            yield Checked(whole.recording_sha256, whole.start_s, whole.end_s)

    def records(self, file: Path) -> Iterator[Imported]:
        """Yield the records of a file; raises a `LabeltoolError` where it gives none."""
        try:
            yield from self._read(file)
        except LabeltoolError:
            with suppress(LabeltoolError):
                self._incomplete.add(self._sounds.beside(file))
            raise

    def _read(self, file: Path) -> Iterator[Imported]:
        parsed = self._parse(file)
        file = parsed.file or file
        yield from parsed.skipped
        if parsed.rows.empty:
            nothing = [Skipped(str(file), None, "contains no labels")]
            yield from self._new([self._recording(self._sounds.beside(file))]) if self._checked else nothing
            return
        sounds = self._sounds_of(file, parsed.rows)
        yield from self._sounds.moved(file)
        parsed.require_unit(file, sounds.per_row)
        yield from self._new([one for one in sounds.recordings if one is not None])
        rows = _without_whole_bands(parsed.rows, sounds) if parsed.writes_whole_band else parsed.rows
        if parsed.times_in_samples:
            rows = _in_seconds(rows, sounds)
        tables, problems = _tables(file, rows, sounds)
        problems = sorted(sounds.problems + problems, key=lambda one: one.row)
        yield from (problem.report for problem in problems)
        if not tables:
            raise _nothing_taken(file, problems)
        yield from tables

    def _new(self, recordings: Sequence[Recording]) -> list[Recording]:
        new = [one for one in dict.fromkeys(recordings) if one not in self._yielded]
        self._yielded.update(dict.fromkeys(new))
        return new

    def _recording(self, sound: Path) -> Recording:
        """Describe a sound file, once; raises a `LabeltoolError` where it cannot be read."""
        if sound not in self._described:
            try:
                self._described[sound] = recording_of(describe(sound))
            except LabeltoolError as error:
                self._described[sound] = error
        described = self._described[sound]
        if isinstance(described, LabeltoolError):
            raise described
        return described

    def _describe(self, file: Path, names: Iterable[tuple[str | None, int | None]]) -> None:
        """Describe the sounds that rows name, by name and fold, all at once; what is not found is left."""
        found: dict[Path, None] = {}
        for name, fold in names:
            with suppress(LabeltoolError):
                sound = None if name is None else self._sounds.named(file, name, fold)
                if sound is not None and sound not in self._described:
                    found[sound] = None
        at_once = REQUESTS_AT_ONCE if any(map(is_url, found)) else None
        for sound, one in zip(found, described(found, at_once), strict=True):
            self._described[sound] = one if isinstance(one, LabeltoolError) else recording_of(one)

    def _sounds_of(self, file: Path, rows: pd.DataFrame) -> _Sounds:
        """Find and describe the recording of each row; a missing one is a problem, named once with its first row.

        Raises a `LabeltoolError` where rows that name no sound have none beside the file.
        """
        import numpy as np
        import pandas as pd

        keys = ["recording", "fold", "group", "licence"]
        if self._sounds.only is not None and rows["recording"].nunique() <= 1:
            rows = rows.assign(recording=None)
        of_row = rows.groupby(keys, dropna=False, sort=False).ngroup().to_numpy().astype(np.int64)
        first = rows[["line", *keys]].assign(of=of_row, count=1).drop_duplicates("of").astype(object)
        counts = rows.groupby(of_row, sort=False).size()
        named = pd.factorize(rows["recording"], use_na_sentinel=False)[0].astype(np.int64)
        own = _own_columns(rows, named)
        recordings: list[Recording | None] = []
        problems: list[_Problem] = []
        first = first.where(first.notna(), None)
        self._describe(file, zip(first["recording"], first["fold"], strict=True))
        for row, one in first.iterrows():
            sound = self._sound(file, one["recording"], one["fold"])
            if isinstance(sound, Skipped):
                recordings.append(None)
                more = f" ({counts[one['of']]} rows)" if counts[one["of"]] > 1 else ""
                report = replace(sound, line=one["line"], reason=sound.reason + more)
                problems.append(_Problem(int(str(row)), report))
                continue
            described = self._recording(sound)
            group = described.group if one["group"] is None else one["group"]
            # What was measured counts, not what a table has by that name.
            columns = tuple({**dict(own[named[int(str(row))]]), **dict(described.columns)}.items())
            recordings.append(replace(described, group=group, licence=one["licence"], columns=columns))
        return _Sounds(of_row, recordings, problems)

    def _sound(self, file: Path, name: str | None, fold: int | None) -> Path | Skipped:
        """Return a sound that rows name, or why it is not there or cannot be read."""
        if name is None:
            return self._sounds.beside(file)
        try:
            sound = self._sounds.named(file, name, fold)
            if sound is not None:
                self._sounds.require_one(file, name, sound)
        except LabeltoolError as error:
            return Skipped(str(file), None, error.without_place)
        if sound is None:
            return Skipped(str(self._sounds.folder_of(file) / name), None, "is listed in the table, but missing")
        try:
            self._recording(sound)
        except LabeltoolError as error:
            return Failed(as_url(sound), None, error.without_place)
        return sound


def _own_columns(rows: pd.DataFrame, sound: Int64) -> list[tuple[tuple[str, str], ...]]:
    """Return the file's own columns of each sound, by its number of `sound` (rows,), that have one value there."""
    import numpy as np

    first = np.unique(sound, return_index=True)[1]
    pairs: list[list[tuple[str, str]]] = [[] for _ in first]
    for name in rows.columns.difference(list(LABEL_COLUMNS), sort=False):
        values = rows[name].fillna("").to_numpy(object)
        several = set(sound[values != values[first][sound]].tolist())
        for number, (own, value) in enumerate(zip(pairs, values[first], strict=True)):
            if value != "" and number not in several:
                own.append((str(name), str(value)))
    return [tuple(one) for one in pairs]


def _clips(rows: pd.DataFrame, sounds: _Sounds) -> tuple[Int64, Int64, Bools]:
    """Return the clips of rows, from and to which microsecond, and which rows have one, each (rows,)."""
    import numpy as np

    start_s, end_s = rows["start_s"].to_numpy(), rows["end_s"].to_numpy()
    duration_s = sounds.per_row(lambda one: one.duration_s)
    length = sounds.per_row(lambda one: length_us(one.frames, one.sample_rate_hz)).astype(np.int64)
    is_whole = np.isnan(start_s) & np.isnan(end_s)
    is_point = start_s == end_s
    is_possible = is_whole | (np.isfinite(start_s) & np.isfinite(end_s) & (start_s <= end_s))
    is_possible &= ~is_point | ((start_s >= 0) & (start_s <= duration_s))
    half = np.where(is_point, POINT_CLIP_S / 2, 0.0)
    # Cut before it is scaled, and to the microsecond: as `util.time_grid.span_us`.
    start = np.clip(np.where(is_possible & ~is_whole, start_s - half, 0.0), 0.0, duration_s)
    end = np.clip(np.where(is_possible & ~is_whole, end_s + half, duration_s), 0.0, duration_s)
    start_us = np.rint(start * MICROSECONDS).astype(np.int64)
    end_us = np.minimum(np.rint(end * MICROSECONDS).astype(np.int64), length)
    return start_us, end_us, is_possible & (start_us < end_us)


def _without_whole_bands(rows: pd.DataFrame, sounds: _Sounds) -> pd.DataFrame:
    """Return rows without the bands that are those of their recordings, from 0 to half the sample rate."""
    nyquist_hz = sounds.per_row(lambda one: one.sample_rate_hz / 2)
    is_whole = (rows["low_hz"].abs() <= _BAND_SLACK_HZ) & ((rows["high_hz"] - nyquist_hz).abs() <= _BAND_SLACK_HZ)
    return rows.assign(low_hz=rows["low_hz"].mask(is_whole), high_hz=rows["high_hz"].mask(is_whole))


def _tables(file: Path, rows: pd.DataFrame, sounds: _Sounds) -> tuple[list[VerdictTable], list[_Problem]]:
    """Return the verdicts of all rows that can be used, and why the others cannot."""
    import numpy as np
    import pandas as pd

    has_sound = np.array([one is not None for one in sounds.recordings], bool)[sounds.of_row]
    start_us, end_us, has_clip = _clips(rows, sounds)
    codes, titles = pd.factorize(rows["label"])
    lengths = np.array([len(label_name(str(title))) for title in titles], np.int64)[codes]
    is_inside, is_long = has_sound & has_clip, lengths > MAX_LABEL_CHARACTERS
    is_clip_alone = is_inside & (lengths == 0) & (rows["value"] == "present").to_numpy()

    def outside(row: Any) -> str:
        recording = sounds.recordings[sounds.of_row[row.Index]]
        ends = "" if recording is None else f", which ends at {recording.duration_s:.6f} s"
        return f"{_described(row)} is outside the recording{ends}"

    problems = [
        *_problems(file, rows[has_sound & ~has_clip], outside, is_outside=True),
        *_problems(file, rows[is_inside & is_long], lambda row: f"{_described(row)} has more than {_LONGEST}"),
        *_problems(file, rows[is_clip_alone], lambda row: f"{_described(row)} has no title: {_AS_CLIP}"),
    ]
    late = np.flatnonzero(is_inside & (rows["end_s"].to_numpy() > sounds.per_row(lambda one: one.duration_s) + _LATE_S))
    if len(late):
        first = next(iter(rows.iloc[late[:1]].itertuples()))
        reason = f"{_described(first)} ends long after its recording, and is cut ({len(late)} such rows): in seconds?"
        line = None if pd.isna(first.line) else int(first.line)  # type: ignore[arg-type]
        problems.append(_Problem(int(late[0]), Note(str(file), line, reason)))
    hashes = np.array([None if one is None else one.sha256 for one in sounds.recordings], object)
    table = rows[[*_KEPT]].assign(
        recording_sha256=hashes[sounds.of_row],
        start_us=start_us,
        end_us=end_us,
        label=rows["label"].where(lengths > 0, None),
        file=str(file.resolve()),
    )[is_inside & ~is_long]
    parts = (table.iloc[at : at + MAX_TABLE_ROWS] for at in range(0, len(table), MAX_TABLE_ROWS))
    return [VerdictTable(part.reset_index(drop=True)) for part in parts], problems


_KEPT = ("fold", "value", "start_s", "end_s", "low_hz", "high_hz", "confidence", "track", "line")
_LONGEST = f"{MAX_LABEL_CHARACTERS} characters"
_AS_CLIP = "imported as an unlabelled clip"


def _problems(
    file: Path, rows: pd.DataFrame, reason: Callable[[Any], str], *, is_outside: bool = False
) -> Iterator[_Problem]:
    import pandas as pd

    first: Iterator[Any] = rows.head(_MAX_REPORTED).itertuples()
    for row in first:
        line = None if pd.isna(row.line) else int(row.line)
        yield _Problem(row.Index, Skipped(str(file), line, reason(row)), is_outside)
    if (more := len(rows) - _MAX_REPORTED) > 0:
        yield _Problem(int(rows.index[-1]), Skipped(str(file), None, f"and {more} more rows like these"))


def _described(row: Any) -> str:
    title = f" {quoted(row.label)}" if row.label.strip() else ""
    start, end = (f"{time_s:.6f}" if abs(time_s) < 1e9 else f"{time_s:g}" for time_s in (row.start_s, row.end_s))
    if start == end:
        return f"the label{title} of the whole recording" if start == "nan" else f"the label{title} at {start} s"
    return f"the label{title} at {start} to {end} s"


def _nothing_taken(file: Path, problems: Sequence[_Problem]) -> LabeltoolError:
    first = problems[0].report
    if all(one.is_outside for one in problems):
        return LabeltoolError(
            f"none of its labels is inside the recording: {first.reason}",
            file=file,
            line=first.line,
            remedy="does it belong to another recording? --audio names it",
        )
    named = "" if first.file == str(file) else f"{first.file}: "
    reason = f"nothing could be imported; the first problem: {named}{first.reason}"
    return LabeltoolError(reason, file=file, line=first.line)
