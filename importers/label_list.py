"""A list of labels: a table with a name a row, the more general label (`parent`) and a `definition`, either or both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labeltool.errors import LabeltoolError
from labeltool.importers.tables.text import read_table
from labeltool.records import Skipped


@dataclass(frozen=True, slots=True)
class ListedLabel:
    """A row of the list; `parent` and `definition` are "" where the list has none."""

    name: str
    parent: str
    definition: str
    line: int | None


def read_label_list(path: Path) -> tuple[list[ListedLabel], list[Skipped]]:
    """Read a list of labels; return also the rows that cannot be read.

    Raises
    ------
    LabeltoolError
        When it is no table with a column `label` and one of `parent` and `definition`.
    """
    table = read_table(path)
    columns = {str(name).strip().lower(): table.frame[name] for name in table.frame}
    if "label" not in columns or not columns.keys() & {"parent", "definition"}:
        raise LabeltoolError("no column 'label' beside 'parent' or 'definition'", file=path, remedy="name them so")

    def fields(name: str) -> Iterator[str]:
        return (str(field).strip() for field in columns[name]) if name in columns else iter([""] * len(table.frame))

    lines = [None] * len(table.frame) if table.lines is None else table.lines.tolist()
    rows = zip(fields("label"), fields("parent"), fields("definition"), lines, strict=True)
    return [ListedLabel(*row) for row in rows], table.skipped
