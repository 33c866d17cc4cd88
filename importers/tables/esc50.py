"""ESC-50 and its subset ESC-10 as published (Piczak 2015, https://github.com/karolpiczak/ESC-50).

`meta/esc50.csv` lists 2,000 clips of 5 s in `audio/`, named `FOLD-SRCFILE-TAKE-TARGET.wav`, in five official folds.
Clips from one Freesound recording share `src_file` and are one group; its name equals that of UrbanSound8K's clips of
the same recording. The 400 clips marked `esc10` are CC BY, the others CC BY-NC.
"""

from __future__ import annotations

from pathlib import Path

from labeltool.errors import LabeltoolError
from labeltool.importers.base import quoted
from labeltool.importers.label_rows import ParsedLabels
from labeltool.importers.tables.datasets import parse_dataset
from labeltool.importers.tables.profiles import ESC50

SUBSETS = ("esc10",)


def parse(directory: Path, *, subset: str | None = None, encoding: str | None = None) -> ParsedLabels:
    """Read the table of the data set, or of the subset "esc10" alone.

    The directory has `meta/` and `audio/`, or the layout of another copy, Kaggle's for one.
    """
    if subset is not None and subset not in SUBSETS:
        raise LabeltoolError(f"ESC-50 has no subset {quoted(subset)}", remedy=f"use {', '.join(SUBSETS)}")
    return parse_dataset(directory, "meta/esc50.csv", ESC50, encoding, licence="CC BY 3.0" if subset else None)
