"""The labels of a project as a table: what each is a kind of, and how it is defined."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from labeltool.annotation.annotation_table import until_of
from labeltool.exporters.annotations import write_csv
from labeltool.store import Store
from labeltool.store.labels import labels_as_of

LABELS = "labels.csv"
"""The file; `labeltool labels read` reads it."""

COLUMNS = ["label", "parent", "definition"]


def write_labels(store: Store, directory: Path, *, as_of: str | None) -> None:
    """Write the table into a product's folder, where a label has a parent or a definition.

    A row for each label in use, in the order they were created, with `COLUMNS`; "" where there is nothing.
    """
    table = pd.DataFrame(labels_as_of(store, until_of(store, as_of)), columns=COLUMNS)
    if (table[["parent", "definition"]] != "").any(axis=None):
        write_csv(table, directory / LABELS)
