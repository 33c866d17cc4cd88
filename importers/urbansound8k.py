"""UrbanSound8K as published (Salamon, Jacoby and Bello 2014, https://urbansounddataset.weebly.com).

`metadata/UrbanSound8K.csv` lists 8,732 clips of up to 4 s in `audio/foldN/`, of any rate, mono and stereo, in ten
official folds. Clips from one Freesound recording share `fsID` and are one group. CC BY-NC.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

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

FOLDS = 10

_COLUMNS = ("slice_file_name", "fsID", "fold", "class")
_RENAMED = {"class_name": "class"}  # in copies made for code where `class` is a reserved word


def read(directory: Path, encoding: str | None = None) -> Iterator[Imported]:
    """Read the data set: one recording, one clip of its whole length and one verdict for each existing file.

    Parameters
    ----------
    directory
        The directory with `metadata/` and `audio/`, or with the layout of another copy: Kaggle's has the table and the
        folds side by side. `.flac` and `.ogg` stand in for `.wav`.
    encoding
        Of the table; None to find out.

    Yields
    ------
    Recording, Clip, Verdict, Skipped or Failed
        A listed file that is missing or broken, and a row that cannot be right, is skipped with the reason.

    Raises
    ------
    LabeltoolError
        When the table is missing or lacks columns, or nothing could be imported.
    """
    table = DatasetTable(find_table(directory, "metadata", "UrbanSound8K.csv"), _COLUMNS, _RENAMED, encoding)
    yield from read_dataset(directory, table, partial(_entry, directory))


def _entry(directory: Path, row: TableRow) -> TableEntry:
    name = row.fields["slice_file_name"].strip()
    fold = fold_of(row.fields["fold"], FOLDS)
    source = source_of(row.fields["fsID"])
    if not source:
        raise ValueError(f"has no fsID for {quoted(name)}")
    return TableEntry(
        line=row.line,
        folder=directory / "audio" / f"fold{fold}",
        name=name,
        group=f"freesound:{source}",
        fold=fold,
        label=row.fields["class"],
        licence="CC BY-NC 3.0",
    )
