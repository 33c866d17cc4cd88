"""How much is kept and how long is waited, of `[remote]` in the settings, for this process and those that it starts."""

from __future__ import annotations

import os
from dataclasses import dataclass

from labeltool.util.files.bounded_read import parse_json

# Processes of a pool get what this has, by inheriting it.
_VARIABLE = "LABELTOOL_REMOTE"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the work with remote sounds.

    Attributes
    ----------
    cache_gb
        Size of the block cache on this disk, 10 ** 9 bytes.
    timeout_s
        How long a server may send nothing, seconds.
    """

    cache_gb: float = 10.0
    timeout_s: float = 15.0

    @property
    def cache_bytes(self) -> int:
        """Size of the block cache."""
        return round(self.cache_gb * 1e9)


def set_limits(cache_gb: float, timeout_s: float) -> None:
    """Set the limits of this process and of those that it starts from now on."""
    os.environ[_VARIABLE] = f"[{cache_gb!r}, {timeout_s!r}]"


def limits() -> Limits:
    """Return the limits that were set, or the defaults."""
    try:
        cache_gb, timeout_s = parse_json(os.environ.get(_VARIABLE, ""))
        return Limits(float(cache_gb), float(timeout_s))
    except (ValueError, TypeError):
        return Limits()
