"""ESC-50 and its part ESC-10 as published (Piczak 2015, https://github.com/karolpiczak/ESC-50).

`meta/esc50.csv` lists 2,000 clips of 5 s in `audio/`, named `FOLD-SRCFILE-TAKE-TARGET.wav`, in five official folds.
Clips cut from one Freesound recording share `src_file` and are one group, under the id
that UrbanSound8K's clips of the same recording carry. The 400 clips marked `esc10` are CC BY, the
others CC BY-NC.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from labeltool.errors import LabeltoolError
from labeltool.importers.base import Listed, TableRow, find_table, fold_of, read_listed, shown
from labeltool.records import Imported

FOLDS = 5
SUBSETS = ("esc10",)

_COLUMNS = ("filename", "fold", "category", "esc10", "src_file")
_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


def read(directory: Path, subset: str | None = None) -> Iterator[Imported]:
    """Read the data set: one recording, one clip of its whole length and one verdict for each file that is there.

    Parameters
    ----------
    directory
        The one that holds `meta/` and `audio/`. `.flac` and `.ogg` stand in for `.wav`.
    subset
        "esc10" for the 400 clips of ESC-10; None for all.

    Yields
    ------
    Recording, Clip, Verdict or Skipped
        A listed file that is missing or broken, and a row that cannot be right, is skipped with its reason.

    Raises
    ------
    LabeltoolError
        When the table is missing or lacks columns, the subset is unknown, or nothing could be taken.
    """
    if subset is not None and subset not in SUBSETS:
        raise LabeltoolError(f"ESC-50 has no subset {shown(subset)}", remedy=f"there is {', '.join(SUBSETS)}")
    table = find_table(directory, "meta", "esc50.csv")

    def entry_of(row: TableRow) -> Listed | None:
        is_esc10 = _truth(row.fields["esc10"])
        return _entry(directory, row, is_esc10=is_esc10) if is_esc10 or subset is None else None

    yield from read_listed(table, _COLUMNS, entry_of)


def _entry(directory: Path, row: TableRow, *, is_esc10: bool) -> Listed:
    name = row.fields["filename"]
    fold = fold_of(row.fields["fold"], FOLDS)
    named = re.match(r"([0-9]{1,4})-", name)
    if named and int(named[1]) != fold:
        # The official folds are never reshuffled: a table that moves a file would let groups leak.
        raise ValueError(f"fold {fold} contradicts the file name {shown(name)}")
    source = row.fields["src_file"].strip()
    if not source:
        raise ValueError(f"names no src_file for {shown(name)}")
    return Listed(
        line=row.line,
        folder=directory / "audio",
        name=name,
        group=f"freesound:{source}",
        fold=fold,
        label=row.fields["category"],
        licence="CC BY 3.0" if is_esc10 else "CC BY-NC 3.0",
    )


def _truth(text: str) -> bool:
    try:
        return _TRUTHS[text.strip().lower()]
    except KeyError:
        raise ValueError(f"esc10 is {shown(text)}, neither True nor False") from None
