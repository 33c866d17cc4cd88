"""Where the real recordings stand, which are not part of the project."""

from __future__ import annotations

from pathlib import Path

REAL_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
