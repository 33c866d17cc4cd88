"""Pictures with a palette as PNG: a few lines that need no library."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt

Levels = npt.NDArray[np.uint8]
"""A picture as numbers of colours, `(height, width) uint8`, the top row first."""
Palette = npt.NDArray[np.uint8]
"""The colours, `(n, 3) uint8`: red, green, blue."""


def png(levels: Levels, palette: Palette, *, compression: int = 1) -> bytes:
    """Return a picture as a PNG with a palette; `compression` is zlib's, 1 the fastest and 9 the smallest."""
    height, width = levels.shape
    lines = np.zeros((height, width + 1), np.uint8)  # each line begins with the number of its filter: none
    lines[:, 1:] = levels
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = ((b"IHDR", header), (b"PLTE", palette.tobytes()), (b"IDAT", zlib.compress(lines.tobytes(), compression)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_png_part(name, data) for name, data in (*parts, (b"IEND", b"")))


def _png_part(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
