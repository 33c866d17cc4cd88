"""What is assumed of a table where its header does not say it; each is noted, or refused where it may be wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from labeltool.errors import LabeltoolError
from labeltool.importers.audacity.label_track import clock_time_s
from labeltool.importers.base import quoted
from labeltool.importers.tables.columns import Columns
from labeltool.importers.tables.profiles import ALIASES, FREQUENCIES, SAMPLES, TIMES, VALUES, folded, with_unit
from labeltool.records import Note
from labeltool.util.counted import counted, listed

if TYPE_CHECKING:
    import pandas as pd

    from labeltool.importers.tables.text import Table

# Columns of one value that are no classes.
_NO_CLASSES = frozenset(
    {
        *("", "channel", "channels", "id", "index", "unnamed0", "split", "target", "take", "selection", "overlap"),
        *("annotator", "quality", "rating", "country", "actor", "gender", "sex", "age", "speaker", "number", "count"),
        *("intensity", "statement", "repetition", "duplicate", "augmented", "isaugmented"),
    }
    | {"verified", "manuallyverified", "validated", "reviewed", "checked", "valid", "isvalid", "upvotes", "downvotes"}
)
# So are client_id, speakerId, species number.
_NUMBER_OF = re.compile(r"(?i:[ _-](?:id|ids|number|nr|count))$|[a-z]I[Dd]$|^(?i:num|n)[ _-]")
_TIME_NAME = re.compile(
    r"(?:t|time|frame|sample|tick)?(?:start|begin|onset|end(?!path|file)|offset|stop|tmin|tmax)|t[012]$|times?$"
    r"|timestamps?$|xmin$|xmax$|x[12]$|minutes?$|m?sec(?:ond)?s?$|frames?$|zeit$|tiempo$|temps$"
)
_COUNTED = re.compile("frame|sample|tick")
# Two rows with the same of these are about the same sound.
_SAME_LABEL = ("recording", "start_s", "end_s", "low_hz", "high_hz", "track")
# Their clock times are rather those of a day.
_TIMES_OF_DAY = frozenset({"time", "times", "timestamp", "timestamps", "zeit", "tiempo", "temps"})
_HOURS = frozenset({"hour", "hours", "day", "year", "date"})
_MEANINGS_WITH_UNITS = ("start_s", "end_s", "duration_s", "low_hz", "high_hz")
_UNITS = TIMES | FREQUENCIES | {SAMPLES}
_MAX_LISTED = 20


def with_units(table: Table, chosen: Mapping[str, str]) -> Table:
    """Return a table with the units that a row below its header has in the names of its columns, and without that row.

    Such a row has only units and blanks where starts, ends, durations and frequencies are, or in all of its columns.
    """
    if table.frame.empty or table.lines is None:
        return table
    known = {one for meaning in _MEANINGS_WITH_UNITS for one in (*ALIASES[meaning], folded(chosen.get(meaning, "")))}
    known -= {""}
    first = {str(name): str(field).strip(" ()[]").casefold() for name, field in table.frame.iloc[0].items()}
    measured = [name for name in first if known & {folded(name), with_unit(name)[0], folded(f"{name} hz")}]
    units = {name: unit for name, unit in first.items() if unit in _UNITS and (name in measured or _is_time_name(name))}
    looked_at = measured if units.keys() & {*measured} else [*first]
    if not units or any(first[name] not in _UNITS and first[name] not in ("", "-") for name in looked_at):
        return table
    shown = ", ".join(f"{name} ({unit})" for name, unit in units.items())
    note = Note(str(table.path), int(table.lines[0]), f"is read as the units of the columns: {shown}")
    names = [
        f"{name} ({units[name]})" if name in units and with_unit(name)[1] != units[name] else name for name in first
    ]
    frame = table.frame.iloc[1:].reset_index(drop=True).set_axis(names, axis="columns")
    return replace(table, frame=frame, lines=table.lines[1:], skipped=[*table.skipped, note])


def class_columns(columns: Columns, names: Sequence[str]) -> list[str]:
    """Return those columns, of the ones without a meaning, that say of a class whether it is present."""
    return [name for name in names if _is_of_presence(columns, name) and not _is_no_class(name)]


def require_no_times(columns: Columns) -> None:
    """Refuse a table without starts that has a column of numbers which may be times: its labels are of parts.

    Raises
    ------
    LabeltoolError
        With the columns.
    """
    names = [str(name) for name in columns.table.frame.columns]
    used = {name for meaning, of in columns.names.items() for name in of if meaning not in ("end_s", "duration_s")}
    times = [
        name
        for name in names
        if name not in used and _is_time_name(name) and (_has_times(columns, name) or _has_clock_times(columns, name))
    ]
    if _HOURS & {folded(name) for name in names}:  # the time of day of a recording
        times = [name for name in times if not re.match("min|sec|time", folded(name)) and _has_times(columns, name)]
    if times:
        raise LabeltoolError(
            f"has columns that may be times: {_listed(times)}",
            file=columns.table.path,
            remedy="`labeltool import table --column start=NAME --column end=NAME` reads them as seconds, "
            "`--column start=` takes each label for the whole sound",
        )


def notes(columns: Columns, frame: pd.DataFrame, classes: Sequence[str]) -> list[Note]:
    """Return what was assumed of a table: of which columns its labels are, and that they have no times."""
    path, profile = str(columns.table.path), columns.profile
    if profile is not None and profile.is_published:
        return []
    if profile is not None and profile.is_whole:
        return [Note(path, None, "its times are those in the source: each label is of the whole sound file")]
    used = {name for names in columns.names.values() for name in names}
    names = [str(name) for name in columns.table.frame.columns if name not in used]
    found = []
    if classes:
        counts = [name for name in names if name not in classes and not _is_no_class(name) and _counts(columns, name)]
        other = f", not {_listed(counts)}, which have other numbers than 0 and 1" if counts else ""
        found.append(f"its labels are the columns of present and absent: {_listed(classes)}{other}")
    others = [name for name in names if folded(re.sub(r" \(\d+\)$", "", name)) in ALIASES["label"]]
    if others and profile is None:
        used_name = quoted(columns.first_name("label") or "")
        found.append(f"its labels are those of the column {used_name}, not of {_listed(others)} (--column label=NAME)")
    if not classes and "value" not in columns.names and "label" in columns.names:
        unread = [name for name in names if _is_of_presence(columns, name, absent=True)]
        if unread:
            found.append(f"its labels are present, whatever is in {_listed(unread)} (--column value=NAME reads that)")
    if profile is None and "start_s" not in frame and not frame.empty:
        dates = [str(name) for name in columns.table.frame.columns if _is_time_name(str(name))]
        but = f", though there is {_listed(dates)}" if dates else ""
        reason = f"has no times in seconds{but}: each label is of the whole sound file"
        found.append(f"{reason} (--column start=NAME names a column)")
    if profile is None and {"start_s"} == columns.names.keys() & {"start_s", "end_s", "duration_s"}:
        found.append("has starts and no ends: each label is at a point in time (--column end=NAME names a column)")
    if profile is None and "label" in frame and not frame.empty and frame["label"].str.fullmatch("[0-9]+").all():
        found.append("its labels are numbers: `labeltool rename NUMBER NAME` names them")
    if columns.are_samples:
        found.append("its times are counted in samples, of which each recording has its own number a second")
    return [*(Note(path, None, reason) for reason in found), *_notes_of_rows(path, frame)]


def _notes_of_rows(path: str, frame: pd.DataFrame) -> Iterator[Note]:
    """Yield a note of the rows that lack the times that others have, and one of those that contradict each other."""

    def line(place: int) -> int | None:
        return int(frame["line"].iloc[place]) if "line" in frame else None

    if "label" not in frame:
        return
    has_label = (frame["label"].fillna("") != "").to_numpy()
    if "start_s" in frame:
        without = has_label & frame["start_s"].isna().to_numpy()
        if "value" in frame:  # what is absent is so from beginning to end
            without &= (frame["value"] == "present").to_numpy()
        if without.any() and not frame["start_s"].isna().all():
            rows = counted(int(without.sum()), "row")
            reason = f"{rows} with a label and no times, this one first: each label is of the whole sound file"
            yield Note(path, line(int(without.argmax())), reason)
    if "value" in frame and frame["value"].nunique() > 1:
        names = [name for name in (*_SAME_LABEL, "label") if name in frame]
        values = frame.groupby(names, dropna=False)["value"].transform("nunique").to_numpy()
        against = has_label & (values > 1)
        if against.any():
            reason = (
                f"{int(against.sum()):,} rows contradict each other, this one first: of the same label the last counts"
            )
            yield Note(path, line(int(against.argmax())), reason)


def _is_no_class(name: str) -> bool:
    return folded(name) in _NO_CLASSES or _NUMBER_OF.search(name) is not None


def _is_of_presence(columns: Columns, name: str, *, absent: bool = False) -> bool:
    """Return whether each field of a column says present, absent, unsure or nothing; with `absent` also that."""
    known = {text.lower() for text in islice(columns.field_texts(name).unique(), len(VALUES) + 2)}
    return (
        known <= {*VALUES, "", "nan"}
        and known != {""}
        and (not absent or any(VALUES.get(text) == "absent" for text in known))
    )


def _counts(columns: Columns, name: str) -> bool:
    """Return whether a column has small whole numbers only."""
    known = list(islice(columns.field_texts(name).unique(), 100))
    return any(known) and all(re.fullmatch("[0-9]{0,3}", text) for text in known)


def _has_times(columns: Columns, name: str) -> bool:
    """Return whether a column has numbers only, and not only dates, of which 0 is none."""
    known = [text.replace(",", ".") for text in columns.field_texts(name).unique()[:1000] if text]
    if not known or not all(re.fullmatch(r"[0-9]{1,15}(?:\.[0-9]*)?", text) for text in known):
        return False
    return _COUNTED.search(folded(name)) is not None or not all(
        _is_date(number) for number in set(map(float, known)) - {0.0} or {0.0}
    )


def _has_clock_times(columns: Columns, name: str) -> bool:
    known = [text for text in columns.field_texts(name).unique()[:1000] if text]
    is_of_day = with_unit(name)[0] in _TIMES_OF_DAY
    return bool(known) and not is_of_day and all(clock_time_s(text) is not None for text in known)


def _is_date(number: float) -> bool:
    """Return whether a number may be 20240501, or seconds since 1970."""
    return 19_000_000 <= number < 22_000_000 or number >= 900_000_000


def _is_time_name(name: str) -> bool:
    return any(_TIME_NAME.match(one) for one in (folded(name), with_unit(name)[0]))


def _listed(names: Sequence[str]) -> str:
    return listed([*map(quoted, names)], _MAX_LISTED)
