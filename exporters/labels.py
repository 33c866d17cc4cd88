"""The labels of a project as a table: what each is a kind of, and how it is defined."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from labeltool.exporters.annotations import write_csv
from labeltool.store import Store
from labeltool.store.labels import project_labels

LABELS = "labels.csv"
"""The file; `labeltool labels read` reads it."""

COLUMNS = ["label", "parent", "definition"]


def label_table(store: Store) -> pd.DataFrame:
    """Return a row for each label in use, in the order they were created, with `COLUMNS`; "" where there is nothing."""
    rows = [(one.name, one.parent or "", one.definition) for one in project_labels(store)]
    return pd.DataFrame(rows, columns=COLUMNS)


def write_labels(store: Store, directory: Path, *, as_of: str | None) -> None:
    """Write the table into a product's folder, where a label has a parent or a definition.

    Not into one of a state of the past, `as_of`, which may have had others: these are of now.
    """
    if as_of is not None:
        return
    table = label_table(store)
    if (table[["parent", "definition"]] != "").any(axis=None):
        write_csv(table, directory / LABELS)
