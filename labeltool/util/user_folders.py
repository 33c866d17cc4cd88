"""Where each system keeps what a program caches, or remembers, for its user.

On Linux `$XDG_CACHE_HOME/labeltool` and `$XDG_STATE_HOME/labeltool`, by default in `~/.cache` and `~/.local/state`.
"""

from __future__ import annotations

from pathlib import Path

_NAME = "labeltool"


def cache_folder() -> Path:
    """Return the folder of what can be made again, by a path without links; it may be missing.

    Raises
    ------
    RuntimeError
        Where the user has no home directory.
    """
    from platformdirs import user_cache_path

    Path.home()  # raises where there is none; platformdirs would return a folder named `~`
    return user_cache_path(_NAME, appauthor=False).resolve()


def state_folder() -> Path:
    """Return the folder of what is remembered; as `cache_folder`."""
    from platformdirs import user_state_path

    Path.home()
    return user_state_path(_NAME, appauthor=False).resolve()
