"""What libraries of C print for their own developers, kept off a command's stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from labeltool.util.crash import is_debugging


@contextmanager
def libraries_off_stderr() -> Iterator[None]:
    """Send to nowhere what libraries of C print on stderr, as libmpg123 does for each damaged frame or tag of an MP3.

    Descriptor 2 stays as it is: Python's stderr is shown, and that of the processes that are started meanwhile. With
    LABELTOOL_DEBUG, and where C's stderr cannot be set, all is shown.
    """
    import ctypes  # 10 ms that a help page need not pay

    name = _name_of_stderr()
    if name is None or is_debugging():
        yield
        return
    stderr = ctypes.c_void_p.in_dll(ctypes.CDLL(None), name)
    before, stderr.value = stderr.value, _opened_nowhere()
    try:
        yield
    finally:
        stderr.value = before


def _name_of_stderr() -> str | None:
    """Return the name of the variable that C's `stderr` is; None where it may not be set, as in musl or on Windows."""
    import platform

    if sys.platform == "darwin":
        return "__stderrp"
    return "stderr" if platform.libc_ver()[0] == "glibc" else None


@cache
def _opened_nowhere() -> int | None:
    """Return a stream of C that leads nowhere; it is never closed, as a thread may still write to it."""
    import ctypes

    fopen = ctypes.CDLL(None).fopen
    fopen.restype = ctypes.c_void_p
    opened: int | None = fopen(os.devnull.encode(), b"w")
    return opened
