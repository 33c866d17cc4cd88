"""What reading an `.npz` file of NumPy raises where the file is missing, damaged or something else."""

from __future__ import annotations

import zipfile
import zlib

UNREADABLE = (
    *(OSError, EOFError, zipfile.BadZipFile, zlib.error),
    *(ValueError, TypeError, LookupError, OverflowError),  # other arrays than the reader expects
    *(RuntimeError, MemoryError),  # a header that claims encryption, another compression, or arrays of any size
)
