"""What loading a large library leaves in memory and nobody reads again."""

from __future__ import annotations

import mmap
import re
from contextlib import suppress
from pathlib import Path

# The first line of a mapping in /proc/self/smaps: its bounds, its permissions, and the file.
_MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S+) .* (/\S.*)?\n")


def release_library_pages() -> None:
    """Let go of the pages of loaded libraries; those that are needed come back from the system's cache of files.

    To load TensorFlow, symbols all over its 1.3 GB are resolved, and the system maps 64 kB around each page that is
    touched: 500 MB, of which a training needs a third. Only where nothing was written, so that nothing is lost; only on
    Linux.
    """
    with suppress(OSError):  # another system has no such file
        unwritten = _unwritten_code()
        import ctypes

        madvise = ctypes.CDLL(None).madvise
        madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        for first, end in unwritten:
            madvise(first, end - first, mmap.MADV_DONTNEED)


def _unwritten_code() -> list[tuple[int, int]]:
    """Return the bounds of the read-only mappings of shared libraries of which no page was written before."""
    found: list[tuple[int, int]] = []
    library: tuple[int, int] | None = None
    with Path("/proc/self/smaps").open(encoding="utf-8", errors="replace", newline="\n") as mappings:
        for line in mappings:
            if match := _MAPPING.fullmatch(line):
                first, end, permissions, file = match.groups()
                is_library = "w" not in permissions and ".so" in (file or "")
                library = (int(first, 16), int(end, 16)) if is_library else None
            elif line.startswith("Anonymous:") and library is not None and line.split()[1] == "0":
                found.append(library)
    return found
