"""Where each system keeps what a program caches, or remembers, for its user.

On Linux `$XDG_CACHE_HOME/labeltool` and `$XDG_STATE_HOME/labeltool`, by default in `~/.cache` and `~/.local/state`.
"""

from __future__ import annotations

import os
from pathlib import Path

from labeltool.errors import LabeltoolError

_NAME = "labeltool"


def cache_folder() -> Path:
    """Return the folder of what can be made again, by a path without links; it may be missing.

    Raises
    ------
    LabeltoolError
        Where the user has no home directory, and the variable does not say where else.
    """
    from platformdirs import user_cache_path

    _require_home("XDG_CACHE_HOME")
    return user_cache_path(_NAME, appauthor=False).resolve()


def state_folder() -> Path:
    """Return the folder of what is remembered; as `cache_folder`."""
    from platformdirs import user_state_path

    _require_home("XDG_STATE_HOME")
    return user_state_path(_NAME, appauthor=False).resolve()


def _require_home(unless: str) -> None:
    """Refuse where there is no home directory, for which platformdirs would return a folder named `~`."""
    if Path(os.environ.get(unless, "")).is_absolute():
        return
    try:
        Path.home()
    except RuntimeError as error:
        raise LabeltoolError("there is no home directory", remedy=f"set HOME or {unless}") from error
