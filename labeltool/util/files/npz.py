"""Reading `.npz` files of NumPy, which may come from anybody: bounded, and what is raised where one is damaged."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.lib.npyio import NpzFile

UNREADABLE = (
    *(OSError, EOFError, zipfile.BadZipFile, zlib.error),
    *(ValueError, TypeError, AttributeError, LookupError, OverflowError),  # other arrays than the reader expects
    *(RuntimeError, MemoryError),  # a header that claims encryption, another compression, or arrays of any size
)

_MAX_BYTES = 1 << 30


@contextmanager
def open_npz(path: Path) -> Iterator[NpzFile]:
    """Open a file of arrays; one whose arrays unpack to more than 1 GiB raises a `ValueError`.

    Raises
    ------
    One of `UNREADABLE`
        Where the file is missing, damaged or something else.
    """
    with path.open("rb") as file:
        with zipfile.ZipFile(file) as archive:
            if sum(one.file_size for one in archive.infolist()) > _MAX_BYTES:
                raise ValueError("its arrays are too large")
        file.seek(0)
        with np.load(file, allow_pickle=False) as arrays:
            yield arrays
