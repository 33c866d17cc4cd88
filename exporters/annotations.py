"""The annotations of a project as a table, from which every other product of labels is made.

A product states with `Carries` what its format can express. `exportable` then gives it the rows that it can write, as
it can write them, and `not_exported` names the rest, row by row.
"""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from labeltool.annotation import annotation_table
from labeltool.errors import LabeltoolError
from labeltool.records import Value
from labeltool.store import Store, spans
from labeltool.store.labels import labels_as_of

if TYPE_CHECKING:
    import pandas as pd

DTYPES = {name: dtype for name, dtype in annotation_table.DTYPES.items() if name not in annotation_table.OF_PROJECT}
"""Columns of the table of annotations that are written, and their types."""

COLUMNS = list(DTYPES)

SUGGESTION_DTYPES = {
    "path": "object",
    "recording_sha256": "object",
    "start_s": "float64",
    "end_s": "float64",
    "label": "object",
    "probability": "float64",
    "model": "object",
}
"""Columns of the table of suggestions and their types."""

_BAND = ["low_hz", "high_hz"]

NOT_EXPORTED = "not_exported.csv"
"""Name of the list of what a product could not carry."""


def without_zeros(label: str) -> str:
    """Return a label with a space for each zero character: no reader of tables takes a file with one for text."""
    return label.replace("\0", " ")


@dataclass(frozen=True, slots=True)
class Carries:
    """What a format can express of an annotation; a present label from one time to another every format can.

    Attributes
    ----------
    regions
        Bounds inside a clip; without them, an annotation is on its clip.
    points
        Annotations that end where they start.
    frequencies, confidence
        The columns of these names.
    decimals
        Digits of a time or a frequency after the point; None: all that it has.
    """

    regions: bool = True
    points: bool = True
    frequencies: bool = False
    confidence: bool = False
    decimals: int | None = None
    text: Callable[[str], str] = without_zeros


def suggestions(store: Store, as_of: str | None = None) -> pd.DataFrame:
    """Return a row for each suggestion that the app shows in a whole recording: of clips and regions without a label.

    Parameters
    ----------
    as_of
        Anything but None: there are none, for suggestions of earlier models are not kept.

    Returns
    -------
    pandas.DataFrame
        The columns of `SUGGESTION_DTYPES`, then `recording_id`. `probability` is the model's, `model` its unique id.
        Suggestions of one label on neighbouring clips are joined.
    """
    with_any = "SELECT DISTINCT c.recording_id FROM suggestions g JOIN active_clips c ON c.id = g.clip_id ORDER BY 1"
    rows = [
        (recording_id, one.start_s, one.end_s, one.text, one.probability, one.model_uid)
        for (recording_id,) in (store.connection.execute(with_any).fetchall() if as_of is None else ())
        for one in spans.annotated_spans(store, recording_id)
        if one.kind is spans.Kind.SUGGESTION
    ]
    frame = _table(rows, ["recording_id", *list(SUGGESTION_DTYPES)[2:]])
    frame = frame.merge(recordings(store), on="recording_id")[[*SUGGESTION_DTYPES, "recording_id"]]
    return frame.astype(SUGGESTION_DTYPES).sort_values(
        ["path", "recording_sha256", "start_s", "end_s", "label"], ignore_index=True
    )


def recordings(store: Store) -> pd.DataFrame:
    """Return a row for each recording, removed or not: id, absolute path, SHA-256, rate and frames."""
    rows = store.connection.execute("SELECT id, path, sha256, sample_rate_hz, frames FROM recordings")
    table = _table(map(tuple, rows), ["recording_id", "path", "recording_sha256", "sample_rate_hz", "frames"])
    return table.assign(path=table["path"].map(store.absolute_path))


def exportable(table: pd.DataFrame, carries: Carries) -> pd.DataFrame:
    """Return the present annotations as a format can express them; twins become one.

    Returns
    -------
    pandas.DataFrame
        The columns of `table`, where `start_s` and `end_s` are the annotation's own bounds, or its clip's.

    Raises
    ------
    LabeltoolError
        When there is none.
    """
    rows = table[_expressible(table, carries)].copy()
    if rows.empty:
        raise LabeltoolError(
            "no clip has a label yet", remedy="add labels with `labeltool import` or `labeltool label`"
        )
    rows["start_s"], rows["end_s"] = _bounds(rows, carries)
    if carries.decimals is not None:
        rows[_BAND] = rows[_BAND].round(carries.decimals)
    rows["label"] = rows["label"].map(carries.text)
    keys = ["recording_sha256", "start_s", "end_s", "label"]
    rows = rows.sort_values(["path", *keys, "low_hz", "high_hz"])
    return rows.drop_duplicates([*keys, *(["low_hz", "high_hz"] if carries.frequencies else [])], ignore_index=True)


def by_recording(rows: pd.DataFrame) -> Iterator[tuple[int, pd.DataFrame]]:
    """Yield the id and the rows of each recording, in the order in which they first come."""
    for places in rows.groupby("recording_id", sort=False).indices.values():
        of_recording = rows.iloc[places]
        yield int(of_recording["recording_id"].iloc[0]), of_recording


def not_exported(table: pd.DataFrame, carries: Carries, *more: tuple[pd.Series[bool], str]) -> pd.DataFrame:
    """Return the annotations that a format cannot express, or not wholly.

    Parameters
    ----------
    more
        What else a format changes: which rows, if it can express them at all, and what is done to them.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`, then `exported` ("no" or "in part") and `reason`.
    """
    expressible = _expressible(table, carries)
    on_clip = table["label"].isna() & (table["value"] != Value.PRESENT)
    start_s, end_s = _bounds(table, Carries())
    is_region = (start_s != table["start_s"]) | (end_s != table["end_s"])
    reasons = [
        (on_clip, "an annotation of the clip as a whole cannot be expressed"),
        (~on_clip & (table["value"] != Value.PRESENT), "only present labels can be expressed"),
    ]
    if not carries.points:
        is_point = ~expressible & (table["value"] == Value.PRESENT)
        reasons.append((is_point, "a point has no duration"))
    if not carries.regions:
        reasons.append((expressible & is_region, "without its bounds inside the clip"))
    if not carries.frequencies:
        reasons.append((expressible & table[_BAND].notna().any(axis=1), "without its frequency range"))
    if not carries.confidence:
        reasons.append((expressible & table["confidence"].notna(), "without its confidence"))
    if carries.decimals is not None:
        rounded = (start_s.round(carries.decimals) != start_s) | (end_s.round(carries.decimals) != end_s)
        reasons.append((expressible & rounded, f"its times are rounded to {carries.decimals} decimals"))
    if carries.decimals is not None and carries.frequencies:
        rounded = (table[_BAND].notna() & (table[_BAND].round(carries.decimals) != table[_BAND])).any(axis=1)
        reasons.append((expressible & rounded, f"its frequencies are rounded to {carries.decimals} decimals"))
    is_other = table["label"].notna() & (table["label"].map(carries.text, na_action="ignore") != table["label"])
    reasons.append((expressible & is_other, "characters of its label are replaced"))
    reasons += [(expressible & mask, reason) for mask, reason in more]
    lost = table[COLUMNS].assign(exported=expressible.map({True: "in part", False: "no"}), reason="")
    for mask, reason in reasons:
        lost.loc[mask, "reason"] += reason + "; "
    lost["reason"] = lost["reason"].str.removesuffix("; ")
    return lost[lost["reason"] != ""]


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write a table as UTF-8, separated by commas, every field quoted, empty where there is no value."""
    frame.to_csv(path, index=False, quoting=csv.QUOTE_ALL, lineterminator="\n", encoding="utf-8")


def write_labels(store: Store, directory: Path, *, as_of: str | None) -> None:
    """Write the table of labels into a product's folder, where one has a parent or a definition.

    A row for each label in use, in the order they were created; "" where there is nothing. `labeltool labels read`
    reads it.
    """
    import pandas as pd

    table = pd.DataFrame(
        labels_as_of(store, annotation_table.until_of(store, as_of)), columns=["label", "parent", "definition"]
    )
    if (table[["parent", "definition"]] != "").any(axis=None):
        write_csv(table, directory / "labels.csv")


def one_field(label: str) -> str:
    """Return a label with a space for each tab, line break and control character."""
    return "".join(" " if unicodedata.category(letter) == "Cc" else letter for letter in label)


def _expressible(table: pd.DataFrame, carries: Carries) -> pd.Series[bool]:
    present = (table["value"] == Value.PRESENT) & table["label"].notna()
    if carries.points:
        return present
    start_s, end_s = _bounds(table, carries)
    return present & (start_s < end_s)


def _bounds(table: pd.DataFrame, carries: Carries) -> tuple[pd.Series[float], pd.Series[float]]:
    """Return start and end, seconds, as a format can express them."""
    start_s, end_s = table["start_s"], table["end_s"]
    if carries.regions:
        start_s = table["region_start_s"].fillna(start_s)
        end_s = table["region_end_s"].fillna(end_s)
    if carries.decimals is not None:
        start_s, end_s = start_s.round(carries.decimals), end_s.round(carries.decimals)
    return start_s, end_s


def _table(rows: Iterable[tuple[object, ...]], columns: list[str]) -> pd.DataFrame:
    """Return rows as a table in which also columns without a value have the type by which tables are joined."""
    import pandas as pd

    return pd.DataFrame.from_records(list(rows), columns=columns).astype({"recording_id": "int64"})
