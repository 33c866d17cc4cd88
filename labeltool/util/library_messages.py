"""What libraries of C print for their own developers, kept off a command's stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labeltool.util.crash import is_debugging


@contextmanager
def libraries_off_stderr() -> Iterator[None]:
    """Send to nowhere what is printed on descriptor 2, as libmpg123 does for each damaged frame or tag of an MP3.

    Python's stderr goes on by another descriptor. In a test that captures it, or with LABELTOOL_DEBUG, all is shown.
    """
    before = sys.__stderr__
    if before is None or before is not sys.stderr or is_debugging():
        yield
        return
    ours = os.fdopen(os.dup(2), "w", buffering=1, encoding=before.encoding, errors=before.errors, newline=None)
    with ours, Path(os.devnull).open("wb") as nowhere:
        before.flush()
        sys.stderr = sys.__stderr__ = ours  # type: ignore[misc]
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(ours.fileno(), 2)
            sys.stderr = sys.__stderr__ = before  # type: ignore[misc]
