"""A table of labels: CSV, TSV, semicolons, JSON Lines or Parquet, with whatever names of its columns.

Known are a column of labels with one a row, or with lists; a column that says present, absent or unsure; and one column
a class. Tables of programs and data sets are known by their header (`profiles`).
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from labeltool.errors import LabeltoolError
from labeltool.importers.base import quoted
from labeltool.importers.file_kinds import file_kind
from labeltool.importers.json_file import items_of, text_of
from labeltool.importers.label_rows import LABEL_COLUMNS, ParsedLabels, label_frame
from labeltool.importers.tables import json_table, published
from labeltool.importers.tables.columns import Columns, no_column, source_names
from labeltool.importers.tables.profiles import ALIASES, LIST_COLUMNS, ROLES, VALUES, TableProfile, profile_of
from labeltool.importers.tables.profiles import folded as folded_name
from labeltool.importers.tables.text import Table, read_table, require_bounded
from labeltool.records import Note
from labeltool.util.files.bounded_read import parse_json, read_text

if TYPE_CHECKING:
    import pandas as pd

_SHORT = {"file": "recording", "start": "start_s", "end": "end_s", "duration": "duration_s"} | {
    "low": "low_hz",
    "high": "high_hz",
}
# Columns of one value that are no classes.
_NO_CLASSES = frozenset(
    {
        "",
        "channel",
        "channels",
        "id",
        "index",
        "unnamed0",
        "split",
        "target",
        "take",
        "selection",
        "overlap",
        "annotator",
    }
    | {"verified", "manuallyverified", "validated", "reviewed", "checked", "valid", "isvalid", "upvotes", "downvotes"}
)
_RAVEN_COLUMNS = frozenset(
    {"selection", "view", "channel", "beginfile", "endfile", "beginpath", "endpath", "begindate", "enddate"}
    | {"begindatetime", "enddatetime", "beginclocktime", "endclocktime", ""}
)
_LIST_MARKS = " \t\"'[]()"
# What programs write for a label that is missing.
_NO_LABELS = frozenset({"na", "n/a", "<na>", "nan", "null"})
_CLASS_MAPS = ("class_labels_indices.csv", "mid_to_display_name.tsv")
_TIME_NAME = re.compile(r"(?:t|time)?(?:start|begin|onset|end(?!path|file)|offset|stop|tmin|tmax)")
_MAX_LISTED = 20
_CLASS_ID = re.compile(r"/[a-z]/\w+")
# The names of a `ClassLabel` in the front matter of a data set's card, each with its index.
_CARD_NAMES = re.compile(r"class_label:[ \t]*\n[ \t]*names:[ \t]*\n((?:[ \t]+['\"]?[0-9]+['\"]?:[^\n]*\n)+)")
_CARD_NAME = re.compile(r"['\"]?([0-9]+)['\"]?:[ \t]*([^\n]*?)[ \t]*\n")


def parse(path: Path, *, column: Sequence[str] = (), encoding: str | None = None) -> ParsedLabels:
    """Read a table of labels; the columns without a meaning are the file's own.

    Parameters
    ----------
    column
        Names of its columns as `MEANING=NAME`; the meanings are `profiles.ROLES`, also start, end, duration, file, low
        and high. Without one, they are found by `profiles.ALIASES`. Of a table without a header their numbers, from 1.
    """
    chosen = chosen_columns(column)
    kind = file_kind(path)
    if kind is not None and kind.importer == "label-studio":
        raise LabeltoolError(f"is {kind.words}", file=path, remedy="`labeltool import label-studio` reads it")
    if kind is not None and kind.name in ("json", "json lines"):
        table = json_table.read(path, encoding, is_lines=kind.name == "json lines")
    else:
        table = read_table(path, encoding, numbered=bool(chosen) and all(map(str.isdigit, chosen.values())))
    return parse_as(table, profile_of([str(name) for name in table.frame.columns]), chosen)


def chosen_columns(pairs: Sequence[str]) -> dict[str, str]:
    """Return the columns of `MEANING=NAME`s by their meanings; raises a `LabeltoolError` for any other text."""
    chosen = {}
    for pair in pairs:
        meaning, equals, name = pair.partition("=")
        meaning = _SHORT.get(meaning.strip(), meaning.strip())
        if not equals or meaning not in ROLES:
            known = ", ".join([*_SHORT, *(role for role in ROLES if role not in _SHORT.values())])
            raise LabeltoolError(f"{quoted(pair)} names no column", remedy=f"--column MEANING=NAME, of {known}")
        chosen[meaning] = name
    return chosen


def parse_as(table: Table, profile: TableProfile | None, chosen: Mapping[str, str]) -> ParsedLabels:
    """Make label rows of a table that is already read; as `parse`."""
    columns = Columns(table, profile, chosen)
    _skip_repeated_headers(columns)
    classes = _require_labels(columns)
    if "selection" in columns.names:
        _keep_one_view(columns)
    frame = _frame(columns, classes)
    if profile is not None and profile.is_published:
        frame = published.checked(columns, frame)
    frame = frame[columns.taken]
    lists = () if profile is None else profile.value_columns
    listed = {name: _rows_of_value(table.path, frame, name) for name in lists if name in frame}
    if classes:
        frame = _one_row_a_class(columns, frame, classes)
    elif columns.first_name("label") in table.lists:
        pass
    elif "labels" in chosen or ("label" not in chosen and _is_list(columns)):
        frame = _one_row_a_label(table.path, frame, _sure_mark(frame["label"].unique()) or ",")
    elif "label" not in chosen and profile is None and (mark := _list_mark(frame["label"])) is not None:
        columns.skipped.append(_note_on_lists(table.path, frame["label"], mark))
        frame = _one_row_a_label(table.path, frame, mark)
    frame = _with_listed(frame, listed)
    skipped = columns.all_skipped
    problem = next((one for one in skipped if not isinstance(one, Note)), None)
    if frame.empty and problem is not None:
        reason = f"none of its rows can be used; the first one {problem.reason}"
        raise LabeltoolError(reason, file=table.path, line=problem.line)
    frame = _with_class_names(table.path, frame)
    notes = _notes(columns, frame, classes)
    rows = label_frame(frame)
    return ParsedLabels(
        rows, [*skipped, *notes], writes_whole_band=_is_raven(columns), times_in_samples=columns.are_samples
    )


def _skip_repeated_headers(columns: Columns) -> None:
    """Skip the headers of tables that were put one after the other."""
    frame = columns.table.frame
    if frame.empty:
        return
    names = [str(name) for name in frame.columns]
    may_repeat = frame[frame.iloc[:, 0] == names[0]]
    repeats = frame.index.isin(may_repeat.index[(may_repeat == names).all(axis="columns")])
    columns.reject(repeats, lambda _: "repeats the header")


def _frame(columns: Columns, classes: Sequence[str]) -> pd.DataFrame:
    """Return the columns of `LABEL_COLUMNS` that a table has, and its own, for all of its rows."""
    import pandas as pd

    table = columns.table
    found: dict[str, object] = {"line": table.lines, "recording": _recordings(columns)}
    found["label"] = _labels(columns)
    found["start_s"], found["end_s"] = columns.times()
    found["low_hz"], found["high_hz"] = columns.bounds_hz()
    found["confidence"] = columns.numbers("confidence", "confidence")
    found["fold"], found["value"] = columns.folds(), columns.values()
    for meaning in ("track", "group", "licence"):
        text = columns.text(meaning)
        if text is not None:
            found[meaning] = (source_names(text) if meaning == "group" else text).where(text != "", None)
    used = {name for names in columns.names.values() for name in names} | set(classes)
    for name in table.frame.columns:
        if name not in used and name:
            text = columns.field_texts(name)
            found[f"{name} (own)" if name in LABEL_COLUMNS else str(name)] = text.where(text != "", None)
    return pd.DataFrame({name: one for name, one in found.items() if one is not None}, index=table.frame.index)


def _labels(columns: Columns) -> pd.Series[str] | None:
    label, profile = columns.text("label"), columns.profile
    if label is None:
        return None
    if profile is not None:
        return label.mask(label == profile.nothing, "")
    return label.mask(label.isin([one for one in label.unique() if one.casefold() in _NO_LABELS]), "")


def _require_labels(columns: Columns) -> list[str]:
    """Find the column of labels, or return those of one class each; a `LabeltoolError` where there are neither."""
    if "label" in columns.names:
        return []
    used = {name for names in columns.names.values() for name in names}
    others = [str(name) for name in columns.table.frame.columns if name not in used]
    if _is_raven(columns):
        # Measurements have their unit in parentheses; what else is there, a person added.
        own = [name for name in others if "(" not in name and folded_name(name) not in _RAVEN_COLUMNS]
        if len(own) > 1:
            raise no_column(columns.table, "several columns that may be the label")
        if own:
            columns.names["label"] = own
        return []
    classes = [name for name in others if _is_class(columns, name)]
    if not any(
        VALUES.get(text.lower()) == "present" for name in classes for text in columns.field_texts(name).unique()
    ):
        raise no_column(columns.table, "no column of labels")
    return classes


def _is_raven(columns: Columns) -> bool:
    return columns.profile is not None and columns.profile.name == "raven"


def _is_class(columns: Columns, name: str) -> bool:
    if folded_name(name) in _NO_CLASSES:
        return False
    known = {text.lower() for text in islice(columns.field_texts(name).unique(), len(VALUES) + 2)}
    return known <= {*VALUES, "", "nan"} and known != {""}


def _keep_one_view(columns: Columns) -> None:
    """Keep one row of each selection of Raven, that of a spectrogram, which has frequencies."""
    selection, view = columns.text("selection"), columns.text("view")
    if selection is None or view is None:
        return
    is_spectrogram = view.str.contains("spectrogram", case=False, regex=False)
    alone = selection.index.astype(str).to_series(selection.index)  # without a number
    keys = selection.where(selection != "", "row " + alone).to_frame("selection")
    best = keys.assign(other=~is_spectrogram).sort_values("other", kind="stable").drop_duplicates("selection").index
    columns.taken &= columns.table.frame.index.isin(best)


def _recordings(columns: Columns) -> pd.Series[str] | None:
    """Return the names of the sounds, with their folders; None where the table has no names.

    Raises a `LabeltoolError` where a table of Raven is of several sounds, and its times are not those in each.
    """
    import numpy as np

    name, folder = columns.text("recording"), columns.text("folder")
    if name is None:
        return None
    has_offsets = "offset_s" in columns.names
    if columns.profile is not None and "offset_s" in columns.profile.columns and not has_offsets and name.nunique() > 1:
        raise LabeltoolError(
            "is of several sounds, but has no column 'File Offset (s)': its times are not those in each",
            file=columns.table.path,
            remedy="add that measurement in Raven (View > Configure Measurements)",
        )
    if not (columns.profile is not None and columns.profile.is_published):
        columns.reject(np.asarray(name == "") & bool((name != "").any()), lambda _: "names no sound")
    if folder is not None:
        name = (folder + "/").where(folder != "", "") + name
    return name.where(name != "", None)


def _is_list(columns: Columns) -> bool:
    name = columns.first_name("label")
    return name is not None and folded_name(name) in LIST_COLUMNS


def _json_of(text: str) -> object:
    try:
        return parse_json(text or "[]")
    except ValueError:
        return [text.strip(_LIST_MARKS)]


def _sure_mark(texts: Iterable[str]) -> str | None:
    return next((mark for mark in ";|" if any(mark in text for text in texts)), None)


def _list_mark(label: pd.Series[str]) -> str | None:
    """Return what separates the labels of a field; None where each field is one label.

    A comma also stands in the names of labels: it separates where most of its parts are found elsewhere too.
    """
    texts = [text for text in label.unique() if text]
    if (mark := _sure_mark(texts)) is not None:
        parts = [part for text in texts if mark in text for part in text.split(mark)]
        return mark if all(any(map(str.isalnum, part)) for part in parts) else None
    if texts and all(text.startswith("[") and text.endswith("]") for text in texts):
        return ","
    lists = [{part.strip() for part in text.split(",")} for text in texts if "," in text]
    counts = Counter(part for parts in lists for part in parts)
    counts.update({text: 2 for text in texts if "," not in text})
    known = sum(all(counts[part] > 1 for part in parts) for parts in lists)
    return "," if known and 2 * known >= len(lists) else None


def _note_on_lists(path: Path, label: pd.Series[str], mark: str) -> Note:
    first = next(text for text in label.unique() if mark in text or text.startswith("["))
    return Note(str(path), None, f"{quoted(first)} is taken for several labels (--column label=NAME: each is one)")


def _one_row_a_label(path: Path, frame: pd.DataFrame, separator: str) -> pd.DataFrame:
    text = frame["label"]
    if (text.str.startswith('["') | text.isin(["", "[]"])).all():
        lists = text.map({one: items_of(_json_of(one)) or [""] for one in text.unique()})
        return frame.assign(label=lists.map(lambda items: [text_of(one) or "" for one in items])).explode("label")
    # One field of separators alone would be as many rows as it has characters.
    require_bounded(path, len(text) + int(text.str.count(re.escape(separator)).sum()), frame.shape[1])
    lists = text.str.strip(_LIST_MARKS).str.split(separator, regex=False)
    frame = frame.assign(label=lists).explode("label")
    is_label = frame["label"].str.strip(_LIST_MARKS) != ""
    # What a separator too many leaves beside labels is no row: without a label it would be about the whole clip.
    frame = frame[is_label | ~is_label.groupby(level=0).transform("any")]
    return frame.assign(label=frame["label"].str.strip(_LIST_MARKS))


def _rows_of_value(path: Path, frame: pd.DataFrame, value: str) -> pd.DataFrame:
    """Return a row for each label in the lists of the column that is called after a value."""
    with_any = frame[~frame[value].fillna("").isin(["", "[]"])]
    return _one_row_a_label(path, with_any.assign(label=with_any[value], value=value), ",")


def _with_listed(frame: pd.DataFrame, listed: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the label rows and those of `_rows_of_value`, by their columns, in the order of the table's rows."""
    import pandas as pd

    if not listed:
        return frame
    frame = frame.assign(value=frame.get("value", "present"))
    return pd.concat([frame, *listed.values()]).sort_index(kind="stable").drop(columns=[*listed])


def _one_row_a_class(columns: Columns, frame: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Return a row for each class that is present, absent or unsure in a row; a field without a text says nothing."""
    import numpy as np

    texts = [columns.field_texts(name)[columns.taken].str.lower().map(dict(VALUES)) for name in classes]
    values = np.stack([text.to_numpy(object) for text in texts], axis=1)
    row, of_class = np.nonzero(np.stack([text.notna().to_numpy() for text in texts], axis=1))
    return frame.iloc[row].assign(label=np.array(classes, object)[of_class], value=values[row, of_class])


def _class_names(path: Path, frame: pd.DataFrame) -> Mapping[str, str]:
    """Return the names of labels that are numbers, by the card of a Hugging Face data set beside the table."""
    if "label" not in frame or not frame["label"].str.fullmatch("[0-9]{1,6}").all():
        return {}
    try:
        names = _CARD_NAMES.search(read_text(path.with_name("README.md")))
    except (OSError, ValueError):
        return {}
    return {} if names is None else {key: name.strip("'\"") for key, name in _CARD_NAME.findall(names[1])}


def _with_class_names(path: Path, frame: pd.DataFrame) -> pd.DataFrame:
    """Replace the class identifiers of AudioSet by the names in its class map, where that lies beside the table."""
    if names := _class_names(path, frame):
        return frame.assign(label=frame["label"].map(dict(names)).fillna(frame["label"]))
    if "label" not in frame or not any(_CLASS_ID.fullmatch(str(one)) for one in frame["label"].unique()[:1000]):
        return frame
    for name in _CLASS_MAPS:
        try:
            lines = read_text(path.with_name(name)).splitlines()
            rows = list(csv.reader(lines, delimiter="\t" if name.endswith("tsv") else ","))
        except (OSError, ValueError, csv.Error):
            continue
        names = {field: row[-1] for row in rows for field in row[:2] if _CLASS_ID.fullmatch(field)}
        return frame.assign(label=frame["label"].map(names).fillna(frame["label"]))
    return frame


def _notes(columns: Columns, frame: pd.DataFrame, classes: Sequence[str]) -> list[Note]:
    """Return what was assumed of a table: of which columns its labels are, and that they have no times."""
    path, profile = str(columns.table.path), columns.profile
    if profile is not None and profile.is_published:
        return []
    if profile is not None and profile.is_whole:
        return [Note(path, None, "its times are those in the source: each label is of the whole sound file")]
    used = {name for names in columns.names.values() for name in names}
    names = [str(name) for name in columns.table.frame.columns if name not in used]
    notes = []
    if classes:
        notes.append(f"its labels are the columns of present and absent: {_listed(classes)}")
    others = [name for name in names if folded_name(re.sub(r" \(\d+\)$", "", name)) in ALIASES["label"]]
    if others and profile is None:
        used_name = quoted(columns.first_name("label") or "")
        notes.append(f"its labels are those of the column {used_name}, not of {_listed(others)} (--column label=NAME)")
    if profile is None and "start_s" not in frame and not frame.empty:
        times = [str(name) for name in columns.table.frame.columns if _TIME_NAME.match(folded_name(str(name)))]
        but = f", though there is {_listed(times)}" if times else ""
        reason = f"has no times in seconds{but}: each label is of the whole sound file"
        notes.append(f"{reason} (--column start=NAME names a column)")
    if profile is None and {"start_s"} == columns.names.keys() & {"start_s", "end_s", "duration_s"}:
        notes.append("has starts and no ends: each label is at a point in time (--column end=NAME names a column)")
    if profile is None and "label" in frame and not frame.empty and frame["label"].str.fullmatch("[0-9]+").all():
        notes.append("its labels are numbers: `labeltool rename NUMBER NAME` names them")
    if columns.are_samples:
        notes.append("its times are counted in samples, of which each recording has its own number a second")
    return [Note(path, None, reason) for reason in notes]


def _listed(names: Sequence[str]) -> str:
    more = f" and {more} more" if (more := len(names) - _MAX_LISTED) > 0 else ""
    return ", ".join(quoted(name) for name in names[:_MAX_LISTED]) + more
