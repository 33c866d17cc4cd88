"""ESC-50 and its subset ESC-10 as published (Piczak 2015, https://github.com/karolpiczak/ESC-50).

`meta/esc50.csv` lists 2,000 clips of 5 s in `audio/`, named `FOLD-SRCFILE-TAKE-TARGET.wav`, in five official folds.
Clips from one Freesound recording share `src_file` and are one group; its name equals that of UrbanSound8K's clips of
the same recording. The 400 clips marked `esc10` are CC BY, the others CC BY-NC.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from labeltool.errors import LabeltoolError
from labeltool.importers.base import quoted
from labeltool.importers.dataset_table import (
    DatasetTable,
    TableEntry,
    TableRow,
    find_table,
    fold_of,
    read_dataset,
    source_of,
)
from labeltool.records import Imported

FOLDS = 5
SUBSETS = ("esc10",)

_COLUMNS = ("filename", "fold", "category", "esc10", "src_file")
_BOOLEANS = {"true": True, "1": True, "1.0": True, "yes": True, "false": False, "0": False, "0.0": False, "no": False}


def read(directory: Path, subset: str | None = None, encoding: str | None = None) -> Iterator[Imported]:
    """Read the data set: one recording, one clip of its whole length and one verdict for each existing file.

    Parameters
    ----------
    directory
        The directory with `meta/` and `audio/`, or with the layout of another copy, Kaggle's for one. `.flac` and
        `.ogg` stand in for `.wav`.
    subset
        "esc10" for the 400 clips of ESC-10; None for all.
    encoding
        Of the table; None to find out.

    Yields
    ------
    Recording, Clip, Verdict, Skipped or Failed
        A listed file that is missing or broken, and a row that cannot be right, is skipped with the reason.

    Raises
    ------
    LabeltoolError
        When the table is missing or lacks columns, the subset is unknown, or nothing could be imported.
    """
    if subset is not None and subset not in SUBSETS:
        raise LabeltoolError(f"ESC-50 has no subset {quoted(subset)}", remedy=f"use {', '.join(SUBSETS)}")
    table = DatasetTable(find_table(directory, "meta", "esc50.csv"), _COLUMNS, {}, encoding)

    def entry_of(row: TableRow) -> TableEntry | None:
        is_esc10 = _boolean(row.fields["esc10"])
        return _entry(directory, row, is_esc10=is_esc10) if is_esc10 or subset is None else None

    yield from read_dataset(directory, table, entry_of)


def _entry(directory: Path, row: TableRow, *, is_esc10: bool) -> TableEntry:
    name = row.fields["filename"].strip()
    fold = fold_of(row.fields["fold"], FOLDS)
    named = re.match(r"([0-9]{1,4})-", re.split(r"[\\/]", name)[-1])
    if named and int(named[1]) != fold:
        # Official folds are never reshuffled: a table that moves a file to another fold could split a group.
        raise ValueError(f"fold {fold} contradicts the file name {quoted(name)}")
    source = source_of(row.fields["src_file"])
    if not source:
        raise ValueError(f"has no src_file for {quoted(name)}")
    return TableEntry(
        line=row.line,
        folder=directory / "audio",
        name=name,
        group=f"freesound:{source}",
        fold=fold,
        label=row.fields["category"],
        licence="CC BY 3.0" if is_esc10 else "CC BY-NC 3.0",
    )


def _boolean(text: str) -> bool:
    try:
        return _BOOLEANS[text.strip().lower()]
    except KeyError:
        raise ValueError(f"esc10 is {quoted(text)}, not True or False") from None
