"""The last resort: an exception that nobody expected becomes one line for a person, and its traceback a file."""

from __future__ import annotations

import os
import tempfile
import traceback
from pathlib import Path

from labeltool.errors import in_one_line

DEBUG = "LABELTOOL_DEBUG"
"""Environment variable: where it is set, tracebacks are shown too."""


def is_debugging() -> bool:
    """Return whether tracebacks are to be shown."""
    return os.environ.get(DEBUG, "") not in ("", "0")


def crash_line(error: Exception, task: str, log: Path | None = None) -> str:
    """Return one line on an unexpected exception: the file that was read, the task, the reason and the log.

    Parameters
    ----------
    task
        What was done, in words a user knows: the command or the task's name.
    log
        The file that has the traceback; None writes it to a new one in the folder for temporary files.
    """
    file = _file_of(error)
    try:
        place = str(log) if log is not None else _written_log(error)
        remedy = f"a bug? the traceback is in {place}"
    except OSError:
        remedy = f"a bug? {DEBUG}=1 shows the traceback"
    reason = str(error)[:200] or "no reason given"
    where = f"{file}: " if file is not None else ""
    return in_one_line(f"{where}{task} failed: {type(error).__name__}: {reason} ({remedy})")


def _written_log(error: Exception) -> str:
    """Write the traceback to a file of a new name, which only this user can read, and return its path."""
    handle, path = tempfile.mkstemp(prefix="labeltool-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        file.writelines(traceback.format_exception(error))
    return path


def _file_of(error: Exception) -> Path | None:
    """Return the file that labeltool's innermost function had at hand when the exception was raised."""
    found: Path | None = None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if str(frame.f_globals.get("__name__", "")).startswith("labeltool."):
            files = [value for value in frame.f_locals.values() if isinstance(value, Path) and _is_file(value)]
            found = files[0] if files else found
    return found


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
