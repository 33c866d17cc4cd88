"""The rows of a published data set with official folds, checked against what is known of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labeltool.importers.base import quoted
from labeltool.importers.tables.profiles import TableProfile, folded

if TYPE_CHECKING:
    import pandas as pd

    from labeltool.importers.tables.columns import Columns
_IS_TRUE = dict.fromkeys(("true", "1", "1.0", "yes"), True) | dict.fromkeys(("false", "0", "0.0", "no"), False)


def checked(columns: Columns, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the label rows of a data set with its groups and licences; what cannot be right is skipped."""
    profile = columns.profile
    if profile is None:
        return frame
    name = frame["recording"].fillna("")
    frame = frame.assign(licence=_licences(columns, profile, frame))
    if profile.fold_in_name is not None:
        _reject_moved(columns, profile.fold_in_name, frame["fold"], name)
    for meaning, column in (("group", columns.first_name("group")), ("label", "label")):
        _reject_empty(columns, frame[meaning], str(column), name)
    is_no_name = name.str.contains(r"(?:^|[\\/])\.{1,2}(?:[\\/]|$)|\0|^\s*$|[\\/]$", regex=True)
    columns.reject(is_no_name.to_numpy(bool), lambda row: f"{quoted(name[row])} is not the name of a file")
    _reject_repeated(columns, frame)
    return frame.assign(group=profile.group_prefix + frame["group"].fillna(""))


def _licences(columns: Columns, profile: TableProfile, frame: pd.DataFrame) -> pd.Series[str] | str | None:
    if profile.licence_of is None:
        return profile.licence
    column, licences = profile.licence_of
    own = next((str(one) for one in frame if folded(str(one)) == folded(column)), None)
    if own is None:
        return None
    text = frame[own].fillna("")
    is_free = text.str.lower().map(_IS_TRUE)
    columns.reject(is_free.isna().to_numpy(), lambda row: f"{own} is {quoted(text[row])}, not True or False")
    return is_free.map(dict(licences))


def _reject_moved(columns: Columns, pattern: str, fold: pd.Series[int], name: pd.Series[str]) -> None:
    """Skip rows whose fold is not that in their names.

    Official folds are never reshuffled: a table that moves a file to another fold could split a group.
    """
    import numpy as np

    named = name.str.extract(rf"^(?:.*[\\/])?{pattern}", expand=False)
    in_name, in_table = named.fillna("0").astype(np.int64).to_numpy(), fold.fillna(0).to_numpy(np.int64)
    columns.reject(
        named.notna().to_numpy() & (in_name != in_table),
        lambda row: f"fold {fold[row]} contradicts the file name {quoted(name[row])}",
    )


def _reject_empty(columns: Columns, text: pd.Series[str], column: str, name: pd.Series[str]) -> None:
    missing = (text.fillna("").str.strip() == "").to_numpy(bool)
    columns.reject(missing, lambda row: f"has no {column} for {quoted(name[row])}")


def _reject_repeated(columns: Columns, frame: pd.DataFrame) -> None:
    import numpy as np

    keys = ["recording", "fold", "label"]
    numbers = np.arange(len(frame))
    first = numbers.copy()
    rows = frame[keys].assign(row=numbers)[columns.taken]
    first[columns.taken] = rows.groupby(keys, dropna=False)["row"].transform("first").to_numpy(np.int64)
    columns.reject(first != numbers, lambda row: f"is a duplicate of line {columns.line(int(first[row]))}")
