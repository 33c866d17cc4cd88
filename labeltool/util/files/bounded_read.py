"""Files that come from outside, read within bounds: a regular file, of a bounded size, as text, JSON or TOML.

Whatever is in a file, these functions return, or raise an `OSError` of the disk or a `ValueError` with a reason in
words; what they return is then checked for its types (`msgspec.convert`).
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

MAX_BYTES = 4 << 20
"""Of cards, descriptions, class lists and manifests: BirdNET's 6,522 names take 270 kB."""

MAX_TOML_BYTES = 1 << 20
"""Of TOML, which is written by hand and slow to read: a class for each of 10,000 labels fits."""

MAX_TABLE_BYTES = 64 << 20
"""Of a file with a row for each clip, patch or label."""

# A key of n parts takes n * n of time and memory (`tomllib`); no real one has more than a few.
_MAX_DOTS_IN_A_LINE = 100


def read_bytes(path: Path, max_bytes: int = MAX_BYTES) -> bytes:
    """Return the content of a regular file; a pipe or a device, which could block, is refused.

    Raises
    ------
    OSError
        When it cannot be read.
    ValueError
        When it is no regular file, or larger.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise ValueError("is not a regular file")
    with path.open("rb") as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise ValueError(f"is larger than {max_bytes >> 10} KiB")
    return content


def read_text(path: Path, max_bytes: int = MAX_BYTES) -> str:
    """Return a file's text, UTF-8 without a byte order mark; raises as `read_bytes`, a `ValueError` for other bytes."""
    return read_bytes(path, max_bytes).decode("utf-8-sig")


def parse_json(text: str | bytes) -> Any:
    """Return a JSON value; raises a `ValueError` where it is none, or nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("is nested too deeply") from None


def parse_toml(text: str) -> dict[str, Any]:
    """Return a TOML document; raises a `ValueError` where it is none, or nested too deeply."""
    if any(line.count(".") > _MAX_DOTS_IN_A_LINE for line in text.splitlines()):
        raise ValueError(f"has more than {_MAX_DOTS_IN_A_LINE} dots in a line")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
