"""A table of labels: CSV, TSV, semicolons, JSON Lines or Parquet, with whatever names of its columns.

Known are a column of labels with one a row, or with lists; a column that says present, absent or unsure; and one column
a class. Tables of programs and data sets are known by their header (`profiles`).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from labeltool.errors import LabeltoolError
from labeltool.importers.base import quoted
from labeltool.importers.file_kinds import file_kind
from labeltool.importers.json_file import text_of
from labeltool.importers.label_rows import LABEL_COLUMNS, ParsedLabels, label_frame
from labeltool.importers.tables import assumptions, json_table, published
from labeltool.importers.tables.columns import Columns, no_column, source_names
from labeltool.importers.tables.label_lists import listed_labels, several_labels
from labeltool.importers.tables.profiles import LIST_COLUMNS, ROLES, VALUES, TableProfile, missing_columns, profile_of
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
_RAVEN_COLUMNS = frozenset(
    {"selection", "view", "channel", "beginfile", "endfile", "beginpath", "endpath", "begindate", "enddate"}
    | {"begindatetime", "enddatetime", "beginclocktime", "endclocktime", ""}
)
# What programs write for a label that is missing.
_NO_LABELS = frozenset({"na", "n/a", "<na>", "nan", "null"})
_CLASS_MAPS = ("class_labels_indices.csv", "mid_to_display_name.tsv")
_CLASS_ID = re.compile(r"/[a-z]/\w+")
# A column of a `ClassLabel` in the front matter of a data set's card, and its names, each with its index.
_CARD_NAMES = re.compile(
    r"name:[ \t]*([^\n]+?)[ \t]*\n[ \t]+(?:dtype|sequence|list):[ \t]*\n[ \t]+class_label:[ \t]*\n[ \t]+names:[ \t]*\n"
    r"((?:[ \t]+['\"]?[0-9]+['\"]?:[^\n]*\n)+)"
)
_CARD_NAME = re.compile(r"['\"]?([0-9]+)['\"]?:[ \t]*([^\n]*?)[ \t]*\n")


def parse(path: Path, *, column: Sequence[str] = (), encoding: str | None = None) -> ParsedLabels:
    """Read a table of labels; the columns without a meaning are the file's own.

    Parameters
    ----------
    column
        Names of its columns as `MEANING=NAME`; the meanings are `profiles.ROLES`, also start, end, duration, file, low
        and high. Without one, they are found by `profiles.ALIASES`. Of a table without a header their numbers, from 1.
        `start=` without a name: each label is of the whole sound.
    """
    chosen = chosen_columns(column)
    kind = file_kind(path)
    if kind is not None and kind.importer == "label-studio":
        raise LabeltoolError(f"is {kind.words}", file=path, remedy="`labeltool import label-studio` reads it")
    if kind is not None and kind.name in ("json", "json lines"):
        table = json_table.read(path, encoding, is_lines=kind.name == "json lines")
    else:
        table = read_table(path, encoding, numbered=bool(chosen) and all(map(str.isdigit, chosen.values())))
    names = [str(name) for name in table.frame.columns]
    profile = profile_of(names)
    if profile is not None and profile.is_published and missing_columns(names, profile.columns.values()):
        profile = None  # a table of a person with some of its columns
    return parse_as(table, profile, chosen)


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
    columns = Columns(assumptions.with_units(table, chosen), profile, chosen)
    _skip_repeated_headers(columns)
    classes = _require_labels(columns)
    if "selection" in columns.names:
        _keep_one_view(columns)
    frame = _frame(columns, classes)
    if profile is None and "start_s" not in frame and not columns.is_whole:
        assumptions.require_no_times(columns)
    if profile is not None and profile.is_published:
        frame = published.checked(columns, frame)
    frame = frame[columns.taken]
    lists = () if profile is None else profile.value_columns
    if profile is None and "label" in columns.names and not chosen.keys() & {"label", "labels"}:
        frame = frame.assign(label=_without_missing(columns, frame["label"]))
    listed = {name: _rows_of_value(table.path, frame, name) for name in lists if name in frame}
    if classes:
        frame = _one_row_a_class(columns, frame, classes)
    elif columns.first_name("label") in table.lists:
        pass
    elif "labels" in chosen or ("label" not in chosen and _is_list(columns)):
        frame = _one_row_a_label(table.path, frame, listed_labels(frame["label"].unique()))
    elif "label" in frame and "label" not in chosen and (profile is None or profile.may_list):
        parts, others = several_labels(frame["label"].unique())
        fields = frame["label"]
        for which, what in (
            ([*parts], "split into several (--column label=NAME keeps them whole)"),
            (others, "with a separator, kept whole (--column labels=NAME splits them)"),
        ):
            _note_fields(columns, fields[fields.isin(which)], what)
        frame = _one_row_a_label(table.path, frame, parts)
    frame = _with_listed(frame, listed)
    frame = _with_class_names(columns, frame)
    skipped = columns.all_skipped
    problem = next((one for one in skipped if not isinstance(one, Note)), None)
    if frame.empty and problem is not None:
        reason = f"none of its rows can be used; the first one {problem.reason}"
        raise LabeltoolError(reason, file=table.path, line=problem.line)
    notes = assumptions.notes(columns, frame, classes)
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
    return label if label is None or profile is None else label.mask(label == profile.nothing, "")


def _without_missing(columns: Columns, label: pd.Series[str]) -> pd.Series[str]:
    """Return labels without those that programs write for a missing one, which a note names."""
    is_missing = label.isin([one for one in label.unique() if one.casefold() in _NO_LABELS])
    _note_fields(columns, label[is_missing], "that stand for none (--column label=NAME keeps them)")
    return label.mask(is_missing, "")


def _note_fields(columns: Columns, label: pd.Series[str], what: str) -> None:
    if not label.empty:
        reason = f"labels {what}: {len(label)}, the first {quoted(label.iloc[0])}"
        columns.skipped.append(Note(str(columns.table.path), None, reason))


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
    classes = assumptions.class_columns(columns, others)
    if not classes:
        raise no_column(columns.table, "no column of labels")
    return classes


def _is_raven(columns: Columns) -> bool:
    return columns.profile is not None and columns.profile.name == "raven"


def _keep_one_view(columns: Columns) -> None:
    """Keep one row of each selection of Raven, that of a spectrogram, which has frequencies.

    Rows of one number are views of one selection where the rest is the same, too: tables may be joined.
    """
    selection, view = columns.text("selection"), columns.text("view")
    if selection is None or view is None:
        return
    is_spectrogram = view.str.contains("spectrogram", case=False, regex=False)
    alone = selection.index.astype(str).to_series(selection.index)  # without a number
    keys = selection.where(selection != "", "row " + alone).to_frame("selection")
    for meaning in ("recording", "start_s", "end_s", "label"):
        if (text := columns.text(meaning)) is not None:
            keys[meaning] = text
    same = [*keys]
    best = keys.assign(other=~is_spectrogram).sort_values("other", kind="stable").drop_duplicates(same).index
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


def _one_row_a_label(path: Path, frame: pd.DataFrame, parts: Mapping[str, list[str]]) -> pd.DataFrame:
    """Return a row for each label of the fields that are several."""
    if not parts:
        return frame
    lists = frame["label"].map({text: parts.get(text, [text]) or [""] for text in frame["label"].unique()})
    require_bounded(path, int(lists.str.len().sum()), frame.shape[1])
    return frame.assign(label=lists).explode("label")


def _rows_of_value(path: Path, frame: pd.DataFrame, value: str) -> pd.DataFrame:
    """Return a row for each label in the lists of the column that is called after a value."""
    with_any = frame[~frame[value].fillna("").isin(["", "[]"])]
    labels = listed_labels(with_any[value].unique())
    return _one_row_a_label(path, with_any.assign(label=with_any[value], value=value), labels)


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


def _class_names(columns: Columns, frame: pd.DataFrame) -> dict[str, str]:
    """Return the names of labels that are numbers, by the card of a Hugging Face data set beside the table.

    They are those of the feature that is called as the column of the labels, where the card has one such list.
    """
    name = columns.first_name("label")
    if name is None or frame.empty or not frame["label"].str.fullmatch("[0-9]{1,6}").all():
        return {}
    try:
        features = _CARD_NAMES.findall(read_text(columns.table.path.with_name("README.md")))
    except (OSError, ValueError):
        return {}
    found = {names for feature, names in features if _yaml_text(feature) == name}
    return {key: _yaml_text(one) for key, one in _CARD_NAME.findall(found.pop())} if len(found) == 1 else {}


def _yaml_text(text: str) -> str:
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    with suppress(ValueError):
        return text_of(parse_json(text)) or text
    return text


def _with_class_names(columns: Columns, frame: pd.DataFrame) -> pd.DataFrame:
    """Replace numbers by the names of `_class_names`, and AudioSet's identifiers by those of a class map beside it."""
    path = columns.table.path
    if names := _class_names(columns, frame):
        _note_fields(columns, frame["label"][frame["label"].isin([*names])], "that are numbers, named as in README.md")
        return frame.assign(label=frame["label"].map(names).fillna(frame["label"]))
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
