"""UrbanSound8K as published (Salamon, Jacoby and Bello 2014, https://urbansounddataset.weebly.com).

`metadata/UrbanSound8K.csv` lists 8,732 clips of up to 4 s in `audio/foldN/`, of any rate, mono and stereo, in ten
official folds. Clips from one Freesound recording share `fsID` and are one group. CC BY-NC.
"""

from __future__ import annotations

from pathlib import Path

from labeltool.importers.label_rows import ParsedLabels
from labeltool.importers.tables.datasets import parse_dataset
from labeltool.importers.tables.profiles import URBANSOUND8K


def parse(directory: Path, *, encoding: str | None = None) -> ParsedLabels:
    """Read the table of the data set; salience and the position in the source recording are kept as columns.

    The directory has `metadata/` and `audio/`, or another layout: Kaggle's copy has table and folds side by side.
    """
    return parse_dataset(directory, "metadata/UrbanSound8K.csv", URBANSOUND8K, encoding)
