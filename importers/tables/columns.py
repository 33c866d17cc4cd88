"""From the columns of a table to the rows of `label_rows.LABEL_COLUMNS`; a row that cannot be right is reported."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING

from labeltool.audio.files import AUDIO_SUFFIXES
from labeltool.errors import LabeltoolError
from labeltool.importers.base import quoted
from labeltool.importers.tables.numbers import numbers_in, scaled, text_of_field
from labeltool.importers.tables.profiles import (
    ALIASES,
    CLOCKS,
    IDENTIFIERS,
    SAMPLES,
    VALUES,
    TableProfile,
    folded,
    part_of_time,
    scale_of,
    with_unit,
)
from labeltool.importers.tables.text import Table
from labeltool.records import Note, Skipped
from labeltool.util.counted import listed

if TYPE_CHECKING:
    import pandas as pd

    from labeltool.type_aliases import Bools, Float64, Objects

_MAX_REPORTED = 1000
_FOLD = re.compile(r"(?:fold[ _-]?)?([0-9]{1,4})(?:[.,]0*)?", re.IGNORECASE)
_WHOLE_NUMBER = re.compile(r"^([0-9]{1,18})[.,]0+$")
_WHOLE = re.compile(r"\s*[0-9]{1,18}\s*")
# Different texts of a column that are looked at to know what it is.
_MAX_LOOKED_AT = 1000
_SUFFIXES = tuple(AUDIO_SUFFIXES)
_WITH_UNITS = frozenset({"start_s", "end_s", "duration_s", "low_hz", "high_hz"})
_ALIKE = (("start_s", "end_s", "duration_s"), ("low_hz", "high_hz"))
# Few sounds have bands that all end below this one, hertz.
_LOW_BANDS_HZ = 100
_MAX_NAMED = 20


class Columns:
    """The columns of a table by what they mean, and which of its rows are taken.

    Parameters
    ----------
    table, profile
        The table, and which known one it is.
    chosen
        Names of columns by what they mean, as a person gave them.

    Attributes
    ----------
    names
        Columns by what they mean; of several, the first with a text counts.
    taken
        (rows,) which rows have no problem so far.
    skipped
        The problems of the others.
    """

    def __init__(self, table: Table, profile: TableProfile | None, chosen: Mapping[str, str]) -> None:
        import numpy as np

        self.table = table
        self.profile = profile
        self.names = _names(table, profile, chosen)
        self._chosen = frozenset(chosen)
        self.taken: Bools = np.ones(len(table.frame), np.bool_)
        self.skipped = list(table.skipped)
        self._more: Counter[type[Skipped]] = Counter()

    @property
    def all_skipped(self) -> list[Skipped]:
        """The problems in the order of the lines, the first ones of each kind, and the number of the others."""
        path = str(self.table.path)
        rest = [kind(path, None, f"and {more} more of its rows") for kind, more in self._more.items() if more]
        return sorted(self.skipped, key=lambda one: one.line or 0) + rest

    def line(self, row: int) -> int | None:
        """Return the line of a row; None where the table has no lines."""
        return None if self.table.lines is None else int(self.table.lines[row])

    def reject(self, rows: Bools, reason: Callable[[int], str]) -> None:
        """Skip rows, with the reason of each by its number."""
        self._report(Skipped, rows, reason)
        self.taken &= ~rows

    def _report(self, kind: type[Skipped], rows: Bools, reason: Callable[[int], str]) -> None:
        import numpy as np

        new = np.flatnonzero(rows & self.taken)
        path = str(self.table.path)
        self.skipped += [kind(path, self.line(row), reason(row)) for row in map(int, new[:_MAX_REPORTED])]
        self._more[kind] += max(0, len(new) - _MAX_REPORTED)

    def first_name(self, meaning: str) -> str | None:
        """Return the column of a meaning."""
        return next(iter(self.names.get(meaning, ())), None)

    def text(self, meaning: str) -> pd.Series[str] | None:
        """Return a column as texts without blanks around them, "" where there is none; None without such a column."""
        columns = [self.field_texts(name) for name in self.names.get(meaning, ())]
        for other in columns[1:]:
            columns[0] = columns[0].where(columns[0] != "", other)
        return columns[0] if columns else None

    def field_texts(self, name: str) -> pd.Series[str]:
        """Return a column by its own name as texts without blanks around them; of a Parquet file it may be anything."""
        import numpy as np
        import pandas as pd

        column = self.table.frame[name].astype(object)
        codes, known = pd.factorize(column, use_na_sentinel=True)
        texts = np.array([*map(text_of_field, known), ""], object)  # the last one for code -1, no value
        return pd.Series(texts[codes], index=column.index, dtype=object)

    def numbers(self, meaning: str, unit: str) -> Float64 | None:
        """Return a column as finite numbers, NaN where it has none; None without such a column. Of several, as `names`.

        Decimal commas are read, and clock times, whatever the unit of the column. A row with anything else is skipped
        where it is a time, else taken without it. A column of texts only, where no time is wanted, is the file's own.
        """
        import numpy as np

        names = self.names.get(meaning, ())
        found = [one for name in names if (one := self._numbers(meaning, name, unit)) is not None]
        if not found:
            return None
        return reduce(lambda first, other: np.where(np.isnan(first), other, first), found)

    def _numbers(self, meaning: str, name: str, unit: str) -> Float64 | None:
        import numpy as np
        import pandas as pd

        column = self.table.frame[name]
        own_unit = self._unit(meaning, name)
        if pd.api.types.is_numeric_dtype(column.dtype):
            numbers, unclear = scaled(np.asarray(column.astype("float64"), np.float64), own_unit), None
        else:
            fields = column.astype(object).to_numpy()
            numbers, unclear = numbers_in(fields, own_unit, unit, self._written_alike(meaning))
        bad = np.isinf(numbers)

        def reason(row: int) -> str:
            what = f"is not a number{'' if unit == meaning else f' of {unit}'}"
            if unclear is not None and unclear[row]:
                what = "may have decimals or thousands after its separator: write it with 1 or 2 decimals, or without"
            return f"{name} {quoted(str(column.iloc[row]))} {what}"

        if unit != "seconds" and bad.any() and not np.isfinite(numbers).any():
            del self.names[meaning]  # texts ("high", "low"): the file's own
            numbered = [row for row in map(int, np.flatnonzero(bad)) if any(map(str.isdigit, str(column.iloc[row])))]
            for row in numbered[:1]:
                note = f"{reason(row)}: nothing of that column is read"
                self.skipped.append(Note(str(self.table.path), self.line(row), note))
            return None
        if unit == "seconds":
            self.reject(bad, reason)
        else:
            self._report(Note, bad, lambda row: f"{reason(row)}: ignored")
        return np.where(bad, np.nan, numbers)

    def _written_alike(self, meaning: str) -> Iterator[str]:
        """Return the fields of other columns that have decimals as those of this one have them."""
        if "recording_sha256" in self.table.frame:  # labeltool's own have a point, and nothing between thousands
            yield "0.5"
        for other in next((meanings for meanings in _ALIKE if meaning in meanings), ()):
            for name in self.names.get(other, ()) if other != meaning else ():
                yield from map(text_of_field, self.table.frame[name].astype(object))

    def _unit(self, meaning: str, name: str) -> str:
        """Return the unit in the name of a column; an end or a duration without one has the scale of the starts."""
        unit = with_unit(name)[1] if meaning in _WITH_UNITS else ""
        start = self.first_name("start_s")
        if unit or start is None or meaning not in ("end_s", "duration_s"):
            return unit
        return of_start if scale_of(of_start := with_unit(start)[1]) != 1.0 else ""

    @property
    def is_whole(self) -> bool:
        """Whether a person chose that each label is of the whole sound."""
        return "start_s" in self._chosen and "start_s" not in self.names

    @property
    def are_samples(self) -> bool:
        """Whether its times are counted in samples."""
        start = self.first_name("start_s")
        return start is not None and with_unit(start)[1] == SAMPLES

    def _used_times(self) -> dict[str, str]:
        """Return the columns of the starts, and of the ends or else the durations, by what they mean."""
        used = ("start_s", "end_s" if "end_s" in self.names else "duration_s")
        return {meaning: self.names[meaning][0] for meaning in used if meaning in self.names}

    def _require_one_kind_of_unit(self) -> None:
        """Leave out times in samples beside others, and note which unit a column without one is read in."""
        path = str(self.table.path)
        while len({with_unit(name)[1] == SAMPLES for name in self._used_times().values()}) > 1:
            meaning, name = next(one for one in self._used_times().items() if with_unit(one[1])[1] == SAMPLES)
            del self.names[meaning]
            self.skipped.append(Note(path, None, f"{quoted(name)} is in samples, other times are not: not taken"))
        used = self._used_times()
        units = {with_unit(name)[1] for name in used.values()}
        is_noted = any(scale_of(unit) != 1.0 or unit in CLOCKS for unit in units)
        for meaning, name in used.items():
            is_unknown = meaning in self._chosen and folded(name) not in ALIASES[meaning]
            if not with_unit(name)[1] and (is_noted or is_unknown):
                unit = self._unit(meaning, name) or "seconds"
                self.skipped.append(Note(path, None, f"{quoted(name)} has no unit in its name: read in {unit}"))

    def _require_one_column_a_time(self) -> None:
        """Refuse hours, minutes and seconds in columns of their own, of which one would be the whole time."""
        parts = {str(name): part_of_time(str(name)) for name in self.table.frame.columns}
        all_names = {folded(name) for name in parts}
        for name in self._used_times().values():
            base, unit = parts[name]
            for other, (of, part) in parts.items():
                # Beside start_max, start_min is the least one.
                if of == base and part not in ("", unit or "s") and not {f"{base}min", f"{base}max"} <= all_names:
                    reason = f"has times in two columns, {quoted(other)} and {quoted(name)}"
                    raise LabeltoolError(reason, file=self.table.path, remedy="write them in one column, in seconds")

    def times(self) -> tuple[Float64 | None, Float64 | None]:
        """Return the starts and ends in the sound, seconds; None where the table has no times."""
        import numpy as np

        if self.is_whole:
            return None, None
        if "start_s" not in self.names and "duration_s" in self.names:
            # An offset and a duration, as NeMo's manifests have them: that offset is no end.
            ends = self.names.get("end_s", [])
            if ends and folded(ends[0]).startswith("offset"):
                self.names["start_s"] = self.names.pop("end_s")
        if "start_s" in self.names:
            self._require_one_column_a_time()
        self._require_one_kind_of_unit()
        if (kind := self.text("time_format")) is not None:
            other = (kind.str.lower() != "decimal").to_numpy()
            self.reject(other, lambda row: f"has times in the format {quoted(kind.iloc[row])}, not decimal")
        start_s = self.numbers("start_s", "seconds")
        if start_s is None:
            return None, None
        end_s = self.numbers("end_s", "seconds")
        length_s = self.numbers("duration_s", "seconds") if end_s is None else end_s - start_s
        if length_s is None:
            length_s = np.where(np.isnan(start_s), np.nan, 0.0)
        offset_s = self.numbers("offset_s", "seconds")
        if offset_s is not None:
            start_s, end_s = offset_s, None
        end_s = start_s + length_s if end_s is None else end_s
        self.reject(np.isnan(start_s) != np.isnan(end_s), lambda _: "has only one of start and end")
        self.reject(end_s < start_s, lambda row: f"ends at {end_s[row]:g} s, before it starts at {start_s[row]:g} s")
        return start_s, end_s

    def bounds_hz(self) -> tuple[Float64 | None, Float64 | None]:
        """Return the lower and upper frequencies, hertz; a negative one is not set."""
        import numpy as np

        low_hz, high_hz = self.numbers("low_hz", "hertz"), self.numbers("high_hz", "hertz")
        if low_hz is None or high_hz is None:
            return low_hz, high_hz
        low_hz, high_hz = (np.where(hz < 0, np.nan, hz) for hz in (low_hz, high_hz))
        last = np.fmax(low_hz, high_hz)
        if 0 < np.max(last, initial=0, where=~np.isnan(last)) < _LOW_BANDS_HZ:
            high = quoted(self.names["high_hz"][0])
            reason = f"its bands all end below {_LOW_BANDS_HZ} Hz: if in kHz, write (kHz) after names as {high}"
            self.skipped.append(Note(str(self.table.path), None, reason))
        return low_hz, high_hz

    def folds(self) -> pd.Series[int] | None:
        """Return the official folds; None without them. A column of other texts is the file's own."""
        import numpy as np
        import pandas as pd

        text = self.text("fold")
        if text is None:
            return None
        codes, known = pd.factorize(text)
        matches = [_FOLD.fullmatch(str(one)) for one in known]
        is_published = self.profile is not None and self.profile.is_published
        found = np.array([-1 if match is None else int(match[1]) for match in matches], np.int64)
        if not is_published and (found == 0).any():
            found[found >= 0] += 1
            reason = f"its folds begin with 0: {self.first_name('fold')} 0 is fold 1 here, and so on"
            self.skipped.append(Note(str(self.table.path), None, reason))
        numbers = np.maximum(found, 0)[codes]
        if not is_published and not numbers.any():
            del self.names["fold"]
            return None
        missing = (text == "").to_numpy() & (not is_published)
        self.reject((numbers == 0) & ~missing, lambda row: f"fold {quoted(text.iloc[row])} is not a number")
        if self.profile is not None and self.profile.folds is not None:
            last = self.profile.folds
            other = (numbers < 1) | (numbers > last)
            self.reject(other, lambda row: f"fold {numbers[row]} is not one of the {last} official folds")
        return pd.Series(numbers, dtype="Int64").mask(numbers == 0)

    def values(self) -> pd.Series[str] | None:
        """Return what is present, also without a text, absent or unsure; None without a column of these texts."""
        text = self.text("value")
        if text is None:
            return None
        values = text.str.lower().map(dict(VALUES))
        if values.notna().sum() == 0 and len(values):
            del self.names["value"]
            return None
        bad = (values.isna() & (text != "")).to_numpy()
        self.reject(bad, lambda row: f"{quoted(text.iloc[row])} is none of present, absent, unsure")
        return values.fillna("present")


def _names(table: Table, profile: TableProfile | None, chosen: Mapping[str, str]) -> dict[str, list[str]]:
    by_name = {folded(str(name)): str(name) for name in reversed(list(table.frame.columns))}
    by_unit = {with_unit(str(name))[0]: str(name) for name in reversed(list(table.frame.columns))}
    by_unit |= {f"{base}hz": name for base, name in by_unit.items() if with_unit(name)[1] == "khz"}
    known = profile.columns if profile is not None else {}
    names: dict[str, list[str]] = {}
    for meaning in dict.fromkeys([*chosen, *known, *ALIASES]):
        if meaning in chosen and not chosen[meaning]:
            names[meaning] = []
        elif meaning in chosen:
            # Units that are below the header are in the names (`assumptions.with_units`).
            name = by_name.get(folded(chosen[meaning]), by_unit.get(folded(chosen[meaning])))
            if name is None:
                raise no_column(table, f"no column {quoted(chosen[meaning])}")
            names[meaning] = [name]
        elif profile is not None and profile.is_whole and meaning in ("start_s", "end_s", "duration_s"):
            continue  # times of the source, kept as the file's own
        elif meaning in known:
            names[meaning] = [by_name[folded(name)] for name in known[meaning] if folded(name) in by_name]
        else:
            taken = {name for others in names.values() for name in others}
            free = [by_name[name] for name in ALIASES[meaning] if name in by_name]
            free += [by_unit[name] for name in ALIASES[meaning] if name in by_unit and meaning in _WITH_UNITS]
            free = [name for name in free if name not in taken]
            if meaning == "label":
                free = sorted(free, key=lambda name: _are_indices(table, name, free))
            names[meaning] = free[:1]
    if profile is None and not names["recording"]:
        names["recording"] = _sound_column(table, names)
    if "label" in chosen or "labels" in chosen:
        names["label"] = [*names.get("labels", ()), *(names["label"] if "label" in chosen else ())]
    return {meaning: columns for meaning, columns in names.items() if columns}


def _are_numbers(table: Table, name: str) -> bool:
    fields = (str(field) for field in table.frame[name].unique()[:_MAX_LOOKED_AT])
    return all(_WHOLE.fullmatch(field) for field in fields if field.strip())


def _are_indices(table: Table, name: str, names: Sequence[str]) -> bool:
    """Return whether a column has the indices of classes whose names are in another: each name has one number."""
    if not _are_numbers(table, name):
        return False
    pairs = (table.frame[[other, name]].drop_duplicates() for other in names if not _are_numbers(table, other))
    return any(pair.iloc[:, 0].is_unique for pair in pairs)


def _sound_column(table: Table, names: Mapping[str, list[str]]) -> list[str]:
    """Return the column whose fields are all names of sound files; for labels of whole sounds also their identifiers.

    A column that counts the rows is none.
    """
    used = {name for others in names.values() for name in others}
    columns = {str(name): table.frame[name].unique() for name in table.frame.columns if name not in used}
    for name, fields in columns.items():
        looked_at = [str(field).strip().lower() for field in fields[:_MAX_LOOKED_AT]]
        if looked_at and all(field.endswith(_SUFFIXES) for field in looked_at):
            return [name]
    if names.get("start_s"):
        return []
    identifiers = [name for one in IDENTIFIERS for name in columns if folded(name) == one]
    return [name for name in identifiers if not _are_counted(columns[name])][:1]


def _are_counted(fields: Objects) -> bool:
    numbers = [str(field).strip() for field in fields]
    return any(numbers == [*map(str, range(first, first + len(numbers)))] for first in (0, 1))


def no_column(table: Table, what: str) -> LabeltoolError:
    """Return the error of a table that lacks a column, with those that it has."""
    columns = [quoted(str(name)) for name in table.frame.columns]
    reason = f"has {what}: its columns are {listed(columns, _MAX_NAMED)}"
    return LabeltoolError(reason, file=table.path, remedy="`labeltool import table --column label=NAME` names one")


def source_names(text: pd.Series[str]) -> pd.Series[str]:
    """Return the names of source recordings; a number as spreadsheets write it, 100.0, is one without decimals."""
    return text.str.replace(_WHOLE_NUMBER, r"\1", regex=True)
