"""Data sets as published: their table is found in their folder, and read as what it is."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from labeltool.errors import LabeltoolError
from labeltool.importers.label_rows import ParsedLabels
from labeltool.importers.tables.profiles import TableProfile, missing_columns
from labeltool.importers.tables.table import parse_as
from labeltool.importers.tables.text import Table, read_table

# A table is searched this many folders down: archives are often unpacked into a folder of their own.
_MAX_DEPTH = 3


def parse_dataset(
    directory: Path, published: str, profile: TableProfile, encoding: str | None = None, licence: str | None = None
) -> ParsedLabels:
    """Read the table of a data set.

    Parameters
    ----------
    published
        Where the table is in the directory as published.
    licence
        Only the sounds of this one; None for all.

    Raises
    ------
    LabeltoolError
        When the table is missing or lacks columns, or has no rows, or none of that licence.
    """
    path = find_table(directory, *published.split("/"))
    table = read_table(path, encoding)
    _require_columns(table, profile)
    parsed = parse_as(table, profile, {})
    rows = parsed.rows if licence is None else parsed.rows[parsed.rows["licence"] == licence]
    if rows.empty:
        raise LabeltoolError("lists none of the requested files", file=path, remedy="check the options")
    return replace(parsed, rows=rows.reset_index(drop=True), file=path)


def find_table(directory: Path, folder: str, name: str) -> Path:
    """Find the table of a data set: at `directory/folder/name` as published, else the least deep one of that name.

    Raises
    ------
    LabeltoolError
        When the directory is missing or is a file, or does not contain the table.
    """
    if not directory.exists():
        raise LabeltoolError("no such directory", file=directory, remedy="check the name")
    if not directory.is_dir():
        raise LabeltoolError(
            "is a file, not a directory", file=directory, remedy=f"give the directory with {folder}/ and audio/"
        )
    published = directory / folder / name
    found = [published] if published.is_file() else _files_named(directory, name)
    if not found:
        raise LabeltoolError(
            f"does not contain {folder}/{name}", file=directory, remedy=f"give the directory with {folder}/ and audio/"
        )
    return found[0]


def _files_named(directory: Path, name: str) -> list[Path]:
    """Return the files of a name in any letter case, the least deep ones first; links are not followed."""
    found = []
    for here, folders, names in os.walk(directory):
        if len(Path(here).relative_to(directory).parts) == _MAX_DEPTH:
            folders.clear()
        folders[:] = sorted(one for one in folders if not one.startswith("."))
        found += [Path(here, one) for one in sorted(names) if one.casefold() == name.casefold()]
    return sorted(found, key=lambda path: len(path.parts))


def _require_columns(table: Table, profile: TableProfile) -> None:
    """Raise a `LabeltoolError` where a table lacks a column of the data set."""
    groups = list(profile.columns.values())
    if profile.licence_of is not None:
        groups.insert(-1, (profile.licence_of[0],))
    if missing := missing_columns(map(str, table.frame.columns), groups):
        raise LabeltoolError(
            f"has no column {', '.join(missing)}",
            file=table.path,
            line=1,
            remedy=f"its columns must include {', '.join(names[0] for names in groups)}",
        )
