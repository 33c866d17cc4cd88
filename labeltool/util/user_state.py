"""What is kept for a user rather than for a project: the last projects, the sound output, whether the tour was shown.

It lies in the user's state directory (`user_folders`), since it is of one person on one machine: a sound output that a
project names would be missing where a colleague opens it.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from msgspec import convert

from labeltool.errors import LabeltoolError
from labeltool.util.files.atomic_write import write_text
from labeltool.util.files.bounded_read import parse_json, read_bytes
from labeltool.util.user_folders import state_folder

_FILE = "app.json"
_MAX_PROJECTS = 9


@dataclass(frozen=True, slots=True)
class UserState:
    """What was kept; what is missing or cannot be read has its default.

    Attributes
    ----------
    recent_projects
        Directories, the one opened last first.
    output_device
        The name of the sound output; "" for the system's.
    """

    recent_projects: tuple[str, ...] = ()
    output_device: str = ""
    tour_shown: bool = False


def read_user_state() -> UserState:
    """Return what was kept for the user."""
    try:
        return convert(parse_json(read_bytes(_file())), UserState)
    except (OSError, ValueError, LabeltoolError):
        return UserState()


def change_user_state(**changes: Any) -> None:
    """Keep changed fields; where the directory cannot be written they are lost, which spoils nothing."""
    with suppress(OSError, LabeltoolError):
        write_text(_file(), json.dumps(asdict(replace(read_user_state(), **changes)), indent=1) + "\n")


def remember_project(directory: Path) -> None:
    """Put a project's directory first among the last projects."""
    others = (other for other in read_user_state().recent_projects if other != str(directory))
    change_user_state(recent_projects=(str(directory), *others)[:_MAX_PROJECTS])


def _file() -> Path:
    """Return the file, by a path without links; a `LabeltoolError` where the user has no home directory."""
    return state_folder() / _FILE
