"""Numbers in the fields of a table, as people write them: with units, with decimal commas, as a clock shows them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from labeltool.importers.audacity.label_track import clock_time_s
from labeltool.importers.tables.profiles import CLOCKS, FREQUENCIES, SAMPLES, TIMES, scale_of

if TYPE_CHECKING:
    from labeltool.type_aliases import Bools, Float64, Objects

_UNKNOWN = frozenset({"", "na", "n/a", "nan", "none", "null", "-"})
_MAX_NUMBER = 100
_WITH_UNIT = re.compile(r"([+-]?[0-9][0-9.,]*)[ \t]*([a-z\u00b5\u03bc]+)\.?", re.IGNORECASE)
_WHOLE = re.compile(r"[0-9]{1,9}")
# Where whole numbers reach the hundreds and none a thousand, others may have a separator for that.
_LEAST_UNSEPARATED, _FIRST_THOUSAND = 100, 1000
# Units in which times are whole numbers; so are frequencies in hertz.
_SMALL_UNITS = frozenset({SAMPLES, *(unit for unit in TIMES if scale_of(unit) < 1.0)})


def scaled(numbers: Float64, unit: str) -> Float64:
    """Return numbers of a unit in seconds or hertz; infinity where each is to be as a clock shows it."""
    import numpy as np

    if unit in CLOCKS:
        return np.where(np.isnan(numbers), numbers, np.inf)
    return numbers if (scale := scale_of(unit)) == 1.0 else np.round(numbers * scale, 9)


def numbers_in(fields: Objects, unit: str, wanted: str, beside: Iterable[str] = ()) -> tuple[Float64, Bools]:
    """Return the numbers of fields, and where a comma or a point may be a decimal one or one of thousands.

    Parameters
    ----------
    fields
        (rows,) texts, or what a Parquet file has.
    unit
        That of the column; a field with one of its own, or as a clock shows it, is read in that.
    wanted
        "seconds", "hertz" or another word.
    beside
        Other fields that are written as these are: where one has decimals, a separator is a decimal one.

    Returns
    -------
    Float64, Bools
        (rows,) in seconds or hertz: NaN where there is none, infinity where there is another text or the separator is
        not clear; and (rows,) where it is not.
    """
    import numpy as np

    try:
        numbers = fields.astype(np.float64)  # exactly as Python reads them, unlike `pandas.to_numeric`
    except (ValueError, TypeError):
        numbers = None
    if any(isinstance(field, str) and "_" in field for field in fields):
        numbers = None  # Python reads 1_0 as 10
    are_whole = unit in _SMALL_UNITS or (wanted == "hertz" and unit != "khz")
    if numbers is not None and not are_whole:
        return scaled(numbers, unit), np.zeros(len(fields), np.bool_)
    texts = [text_of_field("" if field is None else field) for field in fields]
    unclear = _unclear_separators(texts, list(beside), are_whole=are_whole)
    if numbers is None:
        own = [_with_unit(text, wanted, unit) for text in texts]
        plain = np.array([_number(text, wanted) for text in texts], np.float64)
        has_own = np.array([one is not None for one in own], np.bool_)
        numbers = np.where(has_own, np.array(own, np.float64), scaled(plain, unit))
    else:
        numbers = scaled(numbers, unit)
    return np.where(unclear, np.inf, numbers), unclear


def text_of_field(field: object) -> str:
    """Return a field as a text without blanks around it; of a whole number without decimals."""
    whole = isinstance(field, float) and field.is_integer()
    return (field if isinstance(field, str) else str(int(field) if whole else field)).strip()  # type: ignore[call-overload]


def _unclear_separators(texts: Sequence[str], beside: Sequence[str], *, are_whole: bool) -> Bools:
    """Return where 1,250 or 1.250 may be a thousand or one, and no text has a decimal separator of that kind.

    Others have the other separator, or stop below 1000, or the unit is one of whole numbers.
    """
    import numpy as np

    unclear = np.zeros(len(texts), np.bool_)
    largest = max((int(text) for text in texts if _WHOLE.fullmatch(text)), default=0)
    stops = _LEAST_UNSEPARATED <= largest < _FIRST_THOUSAND
    for mark, other in (",.", ".,"):
        groups = re.compile(rf"[1-9][0-9]{{0,2}}(?:\{mark}[0-9]{{3}})+(?:[ \t]*hz)?", re.IGNORECASE)
        grouped = [mark in text and groups.fullmatch(text) is not None for text in texts]
        is_decimal = any(
            mark in text and other not in text and not groups.fullmatch(text) for text in (*texts, *beside)
        )
        has_other = any(other in text for text in texts)
        if not is_decimal and (are_whole or has_other or (stops and mark == ",")):
            unclear |= np.array(grouped, np.bool_)
    return unclear


def _with_unit(text: str, wanted: str, unit: str) -> float | None:
    """Return a field that has its own unit, in seconds or hertz; None of any other."""
    if wanted == "seconds" and unit != SAMPLES and (time_s := clock_time_s(text)) is not None:
        return time_s
    match = _WITH_UNIT.fullmatch(text[:_MAX_NUMBER])
    known = {"seconds": TIMES, "hertz": FREQUENCIES}.get(wanted, frozenset())
    if match is None or match[2].casefold() not in known:
        return None
    return round(_number(match[1], wanted) * scale_of(match[2].casefold()), 9)


def _number(text: str, wanted: str) -> float:
    if text.casefold() in _UNKNOWN:
        return math.nan
    try:
        if len(text) > _MAX_NUMBER or "_" in text:
            return math.inf
        is_share = text.endswith("%") and wanted not in ("seconds", "hertz")
        return float(text[:-1].replace(",", ".")) / 100 if is_share else float(text.replace(",", "."))
    except ValueError:
        return math.inf
