"""The rows of a label file: what every reader of labels gives, whatever the format.

A reader knows its format and nothing of recordings: `parse(path)` returns a `ParsedLabels`. What finds the recordings,
makes the clips and reports the rows outside them is common to all formats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from labeltool.errors import LabeltoolError
from labeltool.importers.base import quoted
from labeltool.records import Note, Recording, Skipped

if TYPE_CHECKING:
    import pandas as pd

    from labeltool.type_aliases import Float64

LABEL_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "line": "Int64",
        "recording": "object",
        "start_s": "float64",
        "end_s": "float64",
        "label": "object",
        "value": "object",
        "low_hz": "float64",
        "high_hz": "float64",
        "confidence": "float64",
        "track": "object",
        "group": "object",
        "licence": "object",
        "fold": "Int64",
    }
)
"""The columns of `ParsedLabels.rows` and their pandas dtypes.

`line`
    In the file, from 1; `<NA>` where the format has no lines.
`recording`
    Name or path of the sound as the file gives it; None: the sound beside the label file.
`start_s`, `end_s`
    Seconds; NaN, NaN: the whole recording; both equal: a point.
`label`
    The unchanged text; "": the clip as a whole.
`value`
    "present", "absent" or "unsure"; "present" without a label: a clip without a verdict.
`low_hz`, `high_hz`, `confidence`
    NaN where not known.
`track`, `group`, `licence`
    str or None.
`fold`
    From 1; `<NA>` where the source fixes none.

Any further column is the file's own metadata of the recording (site, device, ...), str or None.
"""

# Of a recording: until where labels in another unit end, and where the last one may end that is rounded up.
_FEWEST_PART, _MOST_PART = 0.05, 1.1
_DEFAULTS = {"label": "", "value": "present"}


@dataclass(frozen=True, slots=True, eq=False)
class ParsedLabels:
    """What a label file contains.

    Attributes
    ----------
    rows
        The columns of `LABEL_COLUMNS` and the file's own, one row a label, in file order.
    skipped
        Lines that are not taken, each with its reason, and notes.
    file
        The file of the rows, where that is not the one that was given: the table in a folder.
    writes_whole_band
        Whether a band from 0 to half the sample rate is what the format has for one that is not known.
    times_in_samples
        Whether `start_s` and `end_s` are numbers of samples of the recording, not seconds.
    unit_s
        The unit of whole times that may be samples as well, seconds; None where the file leaves no doubt.
    """

    rows: pd.DataFrame
    skipped: list[Skipped]
    file: Path | None = None
    writes_whole_band: bool = False
    times_in_samples: bool = False
    unit_s: float | None = None

    def with_sorted_bands(self, source: Path) -> ParsedLabels:
        """Return them with no low frequency above the high one; a note names the first that was, and counts them."""
        import pandas as pd

        low_hz, high_hz = self.rows["low_hz"], self.rows["high_hz"]
        is_above = low_hz > high_hz
        if not is_above.any():
            return self
        first = self.rows[is_above].iloc[0]
        line = None if pd.isna(first["line"]) else int(first["line"])
        reason = (
            f"the low frequency of the label {quoted(first['label'])} is above its high one, {first['low_hz']:g} and "
            f"{first['high_hz']:g} Hz: exchanged ({is_above.sum()} such rows)"
        )
        rows = self.rows.assign(low_hz=low_hz.mask(is_above, high_hz), high_hz=high_hz.mask(is_above, low_hz))
        return replace(self, rows=rows, skipped=[*self.skipped, Note(str(self.file or source), line, reason)])

    def require_unit(self, file: Path, per_row: Callable[[Callable[[Recording], float]], Float64]) -> None:
        """Refuse times that fill the recordings as samples, and only their beginnings in the unit of the format.

        Parameters
        ----------
        per_row
            Returns a number of the recording of each row, (rows,); 0 where it has none.

        Raises
        ------
        LabeltoolError
            With where the last label ends.
        """
        if self.unit_s is None:
            return
        duration_s, rate_hz = per_row(lambda one: one.duration_s), per_row(lambda one: one.sample_rate_hz)
        has_sound = duration_s > 0
        end_s = self.rows["end_s"].to_numpy()[has_sound]
        parts = end_s / duration_s[has_sound]
        as_samples = parts / self.unit_s / rate_hz[has_sound]
        if len(parts) and parts.max() < _FEWEST_PART and as_samples.max() <= _MOST_PART:
            raise LabeltoolError(
                f"has times that may be samples: in units of {self.unit_s:g} s all end by {end_s.max():g} s, "
                f"in the first {parts.max():.2%} of the recording",
                file=file,
                remedy="write a header above them: start_sample end_sample label, or start end label above seconds",
            )


def label_rows(rows: Iterable[Mapping[str, object]]) -> pd.DataFrame:
    """Make the table of `ParsedLabels` from one mapping a row.

    Parameters
    ----------
    rows
        Values by the names of `LABEL_COLUMNS` or of own columns. What a row leaves out, or gives as None, is not known;
        without a label it is a clip without a verdict, without a value it is present.

    Returns
    -------
    pandas.DataFrame
        All columns of `LABEL_COLUMNS` with their dtypes, then the own columns; also where there is no row.
    """
    import pandas as pd

    return label_frame(pd.DataFrame.from_records(list(rows)))


def label_frame(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with all columns of `LABEL_COLUMNS`, their dtypes and their values where not known; see there."""
    import pandas as pd

    columns = {}
    for name in [*LABEL_COLUMNS, *(own for own in table.columns if own not in LABEL_COLUMNS)]:
        column = table[name] if name in table else pd.Series(None, index=table.index, dtype=object)
        dtype = LABEL_COLUMNS.get(name, "object")
        if dtype == "object":
            column = column.astype(object)
            column = column.where(column.notna(), _DEFAULTS.get(name))
        columns[name] = column.astype(pd.api.types.pandas_dtype(dtype))
    return pd.DataFrame(columns).reset_index(drop=True)
