"""The rows of a published data set with official folds, checked against what is known of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labeltool.importers.base import quoted
from labeltool.importers.tables.profiles import folded

if TYPE_CHECKING:
    import pandas as pd

    from labeltool.importers.tables.columns import Columns
_IS_TRUE = dict.fromkeys(("true", "1", "1.0", "yes"), True) | dict.fromkeys(("false", "0", "0.0", "no"), False)


def checked(columns: Columns, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the label rows of a data set with its groups and licences; what cannot be right is skipped."""
    import numpy as np

    profile = columns.profile
    if profile is None:
        return frame
    name = frame["recording"].fillna("")
    if profile.licence_of is not None:
        column, licences = profile.licence_of
        own = next(one for one in frame if folded(str(one)) == folded(column))
        text = frame[own].fillna("")
        known = text.str.lower().map(_IS_TRUE)
        columns.reject(known.isna().to_numpy(), lambda row: f"{own} is {quoted(text[row])}, not True or False")
        frame = frame.assign(licence=known.map(licences))
    elif profile.licence is not None:
        frame = frame.assign(licence=profile.licence)
    if profile.fold_in_name is not None:
        # Official folds are never reshuffled: a table that moves a file to another fold could split a group.
        last = name.str.rsplit(r"/", n=1).str[-1].str.rsplit("\\", n=1).str[-1]
        named = last.str.extract(f"^{profile.fold_in_name}", expand=False)
        fold = frame["fold"]
        moved = named.notna().to_numpy() & (named.fillna("0").astype(np.int64) != fold.fillna(0)).to_numpy(bool)
        columns.reject(moved, lambda row: f"fold {fold[row]} contradicts the file name {quoted(name[row])}")
    for meaning in ("group", "label"):
        column = columns.first_name(meaning) if meaning != "label" else meaning
        missing = frame[meaning].fillna("").str.strip() == ""
        columns.reject(missing.to_numpy(bool), lambda row, of=column: f"has no {of} for {quoted(name[row])}")
    is_no_name = name.str.contains(r"(?:^|[\\/])\.{1,2}(?:[\\/]|$)|\0|^\s*$|[\\/]$", regex=True)
    columns.reject(is_no_name.to_numpy(bool), lambda row: f"{quoted(name[row])} is not the name of a file")
    keys = frame[["recording", "fold", "label"]]
    first = keys.assign(row=np.arange(len(keys)), taken=columns.taken)
    first = first[columns.taken].groupby(["recording", "fold", "label"], dropna=False)["row"].transform("first")
    repeated = np.zeros(len(keys), np.bool_)
    repeated[first.index] = (first != first.index).to_numpy()
    columns.reject(repeated, lambda row: f"is a duplicate of line {columns.line(int(first[row]))}")
    return frame.assign(group=profile.group_prefix + frame["group"].fillna(""))
