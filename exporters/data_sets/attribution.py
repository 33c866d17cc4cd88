"""Attributions: each recording whose sound is in a data set, with its licence and what a citation of it needs."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from labeltool.exporters.annotations import write_csv
from labeltool.exporters.licences import address
from labeltool.exporters.markdown import cell, table
from labeltool.exporters.source import Source
from labeltool.store import groups

ATTRIBUTION, ATTRIBUTIONS = "ATTRIBUTION.md", "attributions.csv"

OWN_COLUMNS = ("title", "author", "attribution", "source", "url", "rights")
"""Columns of a recording that are taken over, where the table that it was imported from had them."""

NOT_KNOWN = "Licence not known"

_FREESOUND = re.compile(r"freesound:([0-9]{1,12})")

_HEAD = """\
# Attributions

The recordings that the sound files of this data set were cut from; nothing else was changed. `attributions.csv` is the
same as a table, with the SHA-256 of each recording's file.
"""


def write(source: Source, rows: pd.DataFrame, directory: Path) -> None:
    """Write the attributions of the recordings of `rows` as a page and a table, by path, hash, group and licence."""
    recordings = rows.drop_duplicates("recording_sha256").sort_values(["path", "recording_sha256"])
    columns = groups.own_columns(source.store)
    own = {number: {name.lower(): value for name, value in of_one.items()} for number, of_one in columns.items()}
    found = pd.DataFrame(
        {
            "recording": recordings["path"].map(lambda path: Path(path).name),
            "recording_sha256": recordings["recording_sha256"],
            "licence": recordings["licence"],
            **{name: [own.get(number, {}).get(name) for number in recordings["recording_id"]] for name in OWN_COLUMNS},
        },
        dtype=object,
    )
    found["url"] = found["url"].where(found["url"].notna(), recordings["group"].map(_of_group))
    write_csv(found, directory / ATTRIBUTIONS)
    known = found["licence"].fillna("") != ""
    unknown = int((~known).sum())
    if unknown:
        source.notes.append(
            f"the licence of {unknown} of {len(found)} recordings is not known: {ATTRIBUTION} lists them"
        )
    page = _HEAD
    shown = ["recording", *(name for name in OWN_COLUMNS if found[name].notna().any())]
    for licence, of_licence in found[known].groupby("licence"):
        page += f"\n## {cell(licence)}\n\n"
        page += f"{cell(address(str(licence)))}\n\n" if address(str(licence)) != licence else ""
        page += table(of_licence[shown])
    if unknown:
        page += f"\n## {NOT_KNOWN}\n\n" + table(found.loc[~known, shown])
    (directory / ATTRIBUTION).write_text(page, encoding="utf-8", newline="\n")


def _of_group(group: str) -> str | None:
    """Return the page of the Freesound recording that gave a group its name, as in ESC-50 and UrbanSound8K."""
    found = _FREESOUND.fullmatch(group)
    return f"https://freesound.org/s/{found[1]}/" if found else None
